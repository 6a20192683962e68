"""Memory: the facts that dialogues tell, those missed, those wrongly told, and those that no words of theirs prove.

Reads our own rows of turns and facts, and the rows of MTS-Dialog (Ben Abacha 2023), whose facts are what the doctor's
note says: allergens in a section on allergies, drug names in one on medications, `none` where it denies them all.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, share
from primum.memory.extract import PATIENTS, SPOKESMEN, extract_dialogue
from primum.memory.facts import Fact, UnprovenFact, merge, proven
from primum.memory.proposals import Proposals, confirmed, worth_asking
from primum.safety.lexicon import canonical, classes, mentions

NONE = "none"
Said = tuple[str, str]
Propose = Callable[[str], Proposals]
_KINDS = {
    other: kind
    for kind, others in {
        "allergy": "allergies",
        "medicine": "medication medications medicines drug drugs",
        "condition": "conditions diagnosis",
        "procedure": "surgery procedures",
        "birth_date": "dob",
        "laboratory": "lab labs",
        "sex": "gender",
        "pregnancy": "pregnant",
        "family_history": "family",
    }.items()
    for other in others.split()
}
_SECTIONS = {"ALLERGY": "allergy", "MEDICATIONS": "medicine"}
_SPEAKERS = {"doctor": "doctor", "patient": "patient"}
_TURN = re.compile(r"^\s*(?P<who>[A-Z][\w ]{1,24}):", re.MULTILINE)
_NO_NEED = re.compile(r"\b(?:drugs?|medications?|medicines?|antibiotics?)\b")
# The reading of a note, kept apart from the extractor's: short, terse sentences in a doctor's words.
_NOTHING = re.compile(
    r"\b(?:none|nkda|nka)\b|\b(?:no|denies any|denies|not any)\b[^.]*\b(?:allerg\w+|intoleranc\w+|medications?"
    r"|medicines?)\b",
    re.IGNORECASE,
)
_BUT = re.compile(r"\b(?:except|other than|besides)\b|\bherbal\b", re.IGNORECASE)
_ALLERGENS = re.compile(r"\b(?:allerg\w+|reactions?)\b.*?\bto\b|^\s*to\b", re.IGNORECASE)
_PARTS = re.compile(r",|;|\band\b", re.IGNORECASE)
_AROUND = re.compile(
    r"^\W*(?:(?:perhaps|some|also|the|an?)\b\W*)*|\W*(?:\b(?:drugs?|medications?|medicines?)\W*)*$", re.IGNORECASE
)


class Turn(TypedDict):
    role: str
    content: str


class Gold(TypedDict):
    kind: str
    value: str


class Row(TypedDict):
    """A dialogue with its facts, or a row of MTS-Dialog with its section of the note."""

    id: NotRequired[str | int]
    turns: NotRequired[list[Turn]]
    facts: NotRequired[list[Gold]]
    section: NotRequired[str]
    section_text: NotRequired[str]
    dialogue: NotRequired[str]


def run(
    rows: Sequence[Case],
    today: date | None = None,
    propose: Propose | None = None,
    knows_condition: Callable[[str], bool] = lambda _: False,
) -> Report:
    """Extracts the facts of each dialogue and compares those that are current at its end with the row's own.

    A row of MTS-Dialog counts for the kind of its section alone, other sections not at all. What its note tells in
    other words is not wrong: a medicine that the lexicon doesn't know, a class ("water pill") whose member it names.

    Args:
        propose: asks a model what a message tells; what code confirms of it is merged in, and counted as `added`.
        knows_condition: the names of conditions that a library knows besides the rules.
    """
    wanted = found = right = strictly = unproven = added = added_wrong = 0
    misses: list[str] = []
    false: list[str] = []
    scored = [row for row in rows if "turns" in row or row.get("section") in _SECTIONS]
    for row in scored:
        turns: Sequence[Any] = row["turns"] if "turns" in row else turns_of(row["dialogue"])
        facts = extract_dialogue(turns, today=today)
        by_rules = said_of(row, facts)
        if propose:
            facts = [*facts, *_noticed(turns, facts, propose, today or date.today(), knows_condition)]
        unproven += sum(not _is_proven(fact, turns) for fact in facts)
        gold, said = gold_of(row), said_of(row, facts)
        met = {(want, one) for want in gold for one in said if _same(want, said[one]) or _same(want, one)}
        missed, wrong = gold - {want for want, _ in met}, said.keys() - {one for _, one in met}
        strictly += len(said) - len(wrong)
        wrong = {one for one in wrong if not _in_note(row, one, gold)}
        wanted, found, right = wanted + len(gold), found + len(said), right + len(said) - len(wrong)
        added += len(said.keys() - by_rules.keys())
        added_wrong += len(wrong - by_rules.keys())
        misses += [_shown(row, one) for one in sorted(missed)]
        false += [_shown(row, one) for one in sorted(wrong)]
    return {
        "n": len(scored), "facts": wanted, "found": found, "precision": share(right, found),
        "precision_strict": share(strictly, found),
        "recall": share(wanted - len(misses), wanted), "unproven": unproven,
        "added": added, "added_wrong": added_wrong, "misses": misses, "false": false,
    }  # fmt: skip


def _noticed(
    turns: Sequence[Any], facts: Sequence[Fact], propose: Propose, today: date, knows_condition: Callable[[str], bool]
) -> Iterator[Fact]:
    """What a model finds in the patient's turns besides the facts that are known, as the agent asks it."""
    known = {fact.key for fact in facts}
    for number, turn in enumerate(turns):
        text = turn["content"]
        if turn["role"].lower() in PATIENTS and worth_asking(text):
            for fact in confirmed(
                propose(text), text, message_id=str(number), today=today, knows_condition=knows_condition
            ):
                if fact.key not in known:
                    yield fact


def turns_of(dialogue: str) -> list[Turn]:
    """The turns of `Doctor: … Patient: …`; guests speak for the patient."""
    places = list(_TURN.finditer(dialogue))
    ends = [*(match.start() for match in places[1:]), len(dialogue)]
    return [
        {"role": _SPEAKERS.get(match["who"].lower(), "family"), "content": dialogue[match.end() : end].strip()}
        for match, end in zip(places, ends, strict=True)
    ]


def gold_of(row: Case) -> set[Said]:
    """The facts of a row: its own, or those of its section."""
    if "turns" in row:
        kinds = ((_KINDS.get(fact["kind"].lower(), fact["kind"].lower()), fact["value"]) for fact in row["facts"])
        return {(kind, named(kind, value)) for kind, value in kinds}
    kind = _SECTIONS[row["section"]]
    return {
        (kind, value)
        for value in (_allergens(row["section_text"]) if kind == "allergy" else _drugs(row["section_text"]))
    }


def said_of(row: Case, facts: Sequence[Fact]) -> dict[Said, Said]:
    """The current facts as the row's facts are written, each with the patient's own words for it.

    `none` counts where nothing else of its kind is told.
    """
    current = merge((), facts).current
    held = {fact.kind for fact in current if not fact.negated}
    if "turns" in row:
        told = [fact for fact in current if fact.label != NONE or fact.kind not in held]
        return {(fact.kind, named(fact.kind, fact.label)): (fact.kind, fact.label) for fact in told}
    kind = _SECTIONS[row["section"]]
    of_kind = [fact for fact in current if fact.kind == kind]
    told = [fact for fact in of_kind if not fact.negated or (fact.label == NONE and kind not in held)]
    return {(kind, fact.label): (kind, NONE if fact.negated else fact.written) for fact in told}


def named(kind: str, value: str) -> str:
    """A value under the one name that we have for it."""
    plain = value.strip().lower()
    if kind not in ("allergy", "medicine") or plain == NONE:
        return plain
    denied, bare = plain.startswith("no "), plain.removeprefix("no ")
    name = canonical(bare)
    if name == bare:
        name = canonical(_NO_NEED.sub("", bare).strip()) or bare
    return f"no {name}" if denied else name


def _allergens(note: str) -> Iterator[str]:
    """What a section on allergies names: in a sentence on allergies what follows `to`, else all of a bare list."""
    whole = not re.search(r"\b(?:is|has|had|have|are|was)\b", note)
    for sentence in re.split(r"\.(?:\s|$)", note):
        if _NOTHING.search(sentence):
            yield NONE
        elif (match := _ALLERGENS.search(sentence)) or whole:
            for part in _PARTS.split(sentence[match.end() if match else 0 :]):
                if name := _AROUND.sub("", part).strip():
                    yield named("allergy", name)


def _drugs(note: str) -> Iterator[str]:
    """The drugs that a section on medications names, by the lexicon; `none` where it denies them and names none."""
    drugs = {mention.name for mention in mentions(note)}
    yield from drugs
    if not drugs and _NOTHING.search(note) and not _BUT.search(note):
        yield NONE


def _same(want: Said, said: Said) -> bool:
    """The same name, or one that the other holds: `clonidine` in `clonidine patches`."""
    if want[0] != said[0]:
        return False
    one, other = (set(re.findall(r"[^\W_]+", value.lower())) for value in (want[1], said[1]))
    one, other = ({word.removesuffix("s") for word in words} for words in (one, other))
    return one == other or (NONE not in one | other and bool(one) and bool(other) and (one <= other or other <= one))


def _in_note(row: Case, said: Said, gold: set[Said]) -> bool:
    """Whether a note tells a medicine otherwise: by a name that the lexicon doesn't know, or a class by its member."""
    if "turns" in row or said[0] != "medicine":
        return False
    if any(said[1] in classes(value) for _, value in gold):
        return True
    unknown = not classes(said[1]) and not mentions(said[1])
    return unknown and bool(re.search(rf"\b{re.escape(said[1])}\b", row["section_text"].lower()))


def _is_proven(fact: Fact, turns: Sequence[Any]) -> bool:
    """Whether each quote stands in its turn, one of them in a patient's."""
    patients = PATIENTS | SPOKESMEN
    texts = {str(number): turn["content"] for number, turn in enumerate(turns)}
    try:
        proven(fact, texts)
    except UnprovenFact:
        return False
    return any(turns[int(one.message)]["role"] in patients for one in fact.quotes if one.role == "patient")


def _shown(row: Case, said: Said) -> str:
    return f"{row.get('id', '')}: {said[0]} {said[1]}"
