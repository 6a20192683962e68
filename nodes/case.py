"""What respond tells of a case: the audited work-up of the model or, where none holds, the library's own sentences.

A condition stands here only where a passage names it and a sentence of a passage speaks for it in this case. What must
not be missed by the red flags stands here anyway, with the rule that says so.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from primum.graph.state import Candidate, Match, State
from primum.nodes.evidence import judge, unsafe
from primum.nodes.work_up import Diagnosis, Point, Workup
from primum.retrieval.excerpts import in_one_line, statements
from primum.retrieval.search import Passage
from primum.safety.clinical import asserts
from primum.safety.context import normalise, status
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.injection import suspicious
from primum.safety.lexicon import mentions
from primum.safety.presentation import Presentation, missing, present
from primum.safety.profile import Profile
from primum.safety.sentences import Sentence, split_answer, split_plain
from primum.safety.support import Verdict
from primum.safety.validator import BLOCKED, advised
from primum.safety.words import Bag, claims

TESTED = 3  # conditions whose tests are told without a model
TREATED = 2  # of what must not be missed; without such, of the first condition alone
SENTENCES = 2  # of a section, without a model
AVOIDED = 6
ASKED = 4  # by the model
PRESSING = ("moderate", "major")  # what needs help today or now; milder signs are no red flags
_TESTS = re.compile(r"diagnos|\btest", re.IGNORECASE)
_TREATS = re.compile(r"what to do now|treat", re.IGNORECASE)
_TEST = re.compile(
    r"\b(?:tests?|scans?|x-?rays?|ecg|ekg|ultrasound|mri|ct|swabs?|biops\w+|troponin|echocardiogram|spirometry"
    r"|examin\w+|measured|diagnosed)\b",
    re.IGNORECASE,
)
OWN = ("present", "historical")
_NO = re.compile(r"\b(?:no|not|without|denies|never|none|nor|neither|non)\b|n['’]t\b", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """A sentence, and for each passage that proves it the words that do."""

    text: str
    quotes: Mapping[int, str]


@dataclass(frozen=True)
class Considered:
    """A condition with what speaks for and against it, each beside the words of the case."""

    condition: str
    rule: str = ""
    cant_miss: bool = False
    speaks_for: tuple[tuple[str, Told], ...] = ()
    speaks_against: tuple[tuple[str, Told], ...] = ()
    next_test: tuple[Told, ...] = ()

    @property
    def told(self) -> list[Told]:
        return [*(one for _, one in (*self.speaks_for, *self.speaks_against)), *self.next_test]


@dataclass(frozen=True)
class Worked:
    """A case worked up; every sentence in it is proven."""

    differential: tuple[Considered, ...] = ()
    working: tuple[str, tuple[Told, ...]] | None = None
    investigations: tuple[Told, ...] = ()
    treatment: tuple[Told, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def told(self) -> list[Told]:
        working = self.working[1] if self.working else ()
        of_conditions = [told for one in self.differential for told in one.told]
        return [*of_conditions, *working, *self.investigations, *self.treatment]


def by_model(state: State, passages: Mapping[int, Passage]) -> Worked | None:
    """What the audit leaves of the model's work-up; nothing if no condition of it stands."""
    if not state.get("workup"):
        return None
    form = Workup(**state["workup"])
    objected = {finding["sentence"] for finding in state["findings"] if not finding["verified"]}
    proven = {
        v.sentence.text.casefold(): v
        for v in judge(state["draft"], passages, state)
        if v.clinical and v.stands and v.sentence.text not in objected
    }
    found = [_considered(one, state, proven, passages) for one in form.differential]
    standing = {one.condition.casefold(): one for one in reversed(found) if one.speaks_for}
    if not standing:
        return None
    named = form.working_diagnosis.strip()
    because = tuple(told for told in _proven(form.because, proven) if _is_of(told, named, passages))
    return Worked(
        differential=tuple(_with_rules([one for one in found if one in standing.values()], state, passages)),
        working=(named, because) if because and named.casefold() in standing else None,
        investigations=_all(form.investigations, proven),
        treatment=_all(form.treatment, proven),
        asked=tuple(one.strip() for one in form.missing if _merely_asks(one, state))[:ASKED],
    )


def by_library(state: State, passages: Mapping[int, Passage]) -> Worked:
    """The same from the library's own sentences, by code alone: no working diagnosis, and no words but theirs."""
    differential = [_from_candidate(one, state, passages) for one in state["candidates"]]
    grave = [one for one in differential if one.cant_miss]
    tested = [_of(one.condition, passages) for one in [*grave, *(one for one in differential if one not in grave)]]
    treated = [_of(one.condition, passages) for one in grave[:TREATED] or differential[:1]]
    return Worked(
        differential=tuple(_with_rules(differential, state, passages)),
        investigations=_section(tested[:TESTED], _TESTS, state, passages),
        treatment=_section(treated, _TREATS, state, passages),
    )


def _is_of(told: Told, condition: str, passages: Mapping[int, Passage]) -> bool:
    """Whether a passage that proves a sentence names the condition."""
    cited = [passages[number] for number in told.quotes]
    return any(_says(Bag.of([passage.title, passage.heading, passage.text]), condition) for passage in cited)


def _considered(
    one: Diagnosis, state: State, proven: Mapping[str, Verdict], passages: Mapping[int, Passage]
) -> Considered:
    """A condition of the model's with what stands of it; nothing speaks for one that its passages do not name."""
    made = Considered(
        condition=one.condition.strip(),
        rule=_rule(one.condition, state),
        cant_miss=one.cant_miss or bool(_rule(one.condition, state)),
        speaks_for=_points(one.speaks_for, state, proven),
        speaks_against=_points(one.speaks_against, state, proven),
        next_test=_proven(one.next_test, proven),
    )
    cited = [passages[number] for told in made.told for number in told.quotes]
    bag = Bag.of([text for p in cited for text in (p.title, p.heading, p.text)])
    named = bool(claims(one.condition)) and all(bag.says(word) for word in claims(one.condition))
    allowed = not any(unsafe((made.condition,), state)) and not suspicious(made.condition)
    return made if named and allowed else Considered(condition=made.condition)


def _points(points: Sequence[Point], state: State, proven: Mapping[str, Verdict]) -> tuple[tuple[str, Told], ...]:
    return tuple(
        (point.finding.strip(), told)
        for point in points
        if stands_in(point.finding, state["question"])
        for told in _proven(point.sentence, proven)[:1]
    )


def stands_in(finding: str, case: str) -> bool:
    """Whether words stand in the case as they are meant there: what is denied, or is another's, is no finding."""
    plain, words = normalise(case), normalise(finding).strip(" .,;")
    match = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", plain) if re.search(r"\w", words) else None
    return bool(match) and (bool(_NO.search(words)) or status(plain, *match.span()) in OWN)  # type: ignore[union-attr]


def _proven(text: str, proven: Mapping[str, Verdict]) -> tuple[Told, ...]:
    found = [proven.get(sentence.text.casefold()) for sentence in split_answer(text)]
    return tuple(Told(v.sentence.text, dict(v.quotes)) for v in found if v)


def _all(texts: Iterable[str], proven: Mapping[str, Verdict]) -> tuple[Told, ...]:
    return tuple({told.text: told for text in texts for told in _proven(text, proven)}.values())


def _merely_asks(text: str, state: State) -> bool:
    """Whether a question says nothing of its own: no other sentence, no medicine, no number, nothing forbidden."""
    said = text.strip()
    more = re.search(r"\d|[\[.!;:\n]|\?.", said) or mentions(said)
    return said.endswith("?") and not more and not any(unsafe((said,), state))


def _rule(condition: str, state: State) -> str:
    """The red flag that names a condition, or the page of the library that is of it; nothing if none does."""
    bag = Bag.of([condition])
    of_pages = {one["rule"]: one["title"] for one in state["candidates"] if one["rule"]}
    names = dict.fromkeys([*of_pages, *state.get("signs", [])])
    return next((name for name in names if _says(bag, name) or _says(bag, of_pages.get(name, ""))), "")


def _says(bag: Bag, text: str) -> bool:
    return bool(claims(text)) and all(bag.says(word) for word in claims(text))


def _with_rules(found: Sequence[Considered], state: State, passages: Mapping[int, Passage]) -> list[Considered]:
    """The conditions, what must not be missed first; what the red flags name is added where it is not there."""
    ruled = {one.rule for one in found if one.rule}
    added = [_from_candidate(one, state, passages) for one in state["candidates"] if one["rule"] not in {"", *ruled}]
    return [*(one for one in found if one.rule), *added, *(one for one in found if not one.rule)]


def _from_candidate(one: Candidate, state: State, passages: Mapping[int, Passage]) -> Considered:
    numbers = _of(one["title"], passages)
    return Considered(
        condition=one["title"],
        rule=one["rule"],
        cant_miss=bool(one["rule"]),
        speaks_for=_matched(one["speaks_for"], state, passages),
        speaks_against=_matched(one["speaks_against"], state, passages),
        next_test=_first_test(numbers, state, passages),
    )


def _matched(matches: Sequence[Match], state: State, passages: Mapping[int, Passage]) -> tuple[tuple[str, Told], ...]:
    found: list[tuple[str, Told]] = []
    for match in matches:
        for number, passage in passages.items():
            quote = passage.text[match["start"] : match["stop"]]
            if passage.chunk_id == match["chunk_id"] and _may_be_told(quote, state):
                found.append((match["finding"], Told(in_one_line(quote), {number: quote})))
    return tuple(found)


def _of(title: str, passages: Mapping[int, Passage]) -> list[int]:
    return [number for number, passage in passages.items() if passage.title == title]


def _first_test(numbers: Sequence[int], state: State, passages: Mapping[int, Passage]) -> tuple[Told, ...]:
    of_tests = [number for number in numbers if _TESTS.search(passages[number].heading)]
    for number in (*of_tests, *numbers):
        for quote in _quotes(passages[number], state):
            if _TEST.search(quote) and (number in of_tests or not _TREATS.search(passages[number].heading)):
                return (Told(in_one_line(quote), {number: quote}),)
    return ()


def _section(
    pages: Sequence[Sequence[int]], heading: re.Pattern[str], state: State, passages: Mapping[int, Passage]
) -> tuple[Told, ...]:
    """The first sentences of the pages' sections of this kind."""
    found: list[Told] = []
    for numbers in pages:
        for number in [number for number in numbers if heading.search(passages[number].heading)]:
            quotes = list(_quotes(passages[number], state))[:SENTENCES]
            found += [Told(in_one_line(quote), {number: quote}) for quote in quotes]
    return tuple(found)


def _quotes(passage: Passage, state: State) -> list[str]:
    """Its sentences that may be told. They are judged together: "it" is the medicine that was named before."""
    spans = split_plain(passage.text)
    why = unsafe(tuple(passage.text[a:b] for a, b in spans), state)
    held = [start for (start, _), found in zip(spans, why, strict=True) if found]
    whole = [(a, b) for a, b in statements(passage.text) if not any(a <= start < b for start in held)]
    return [passage.text[a:b] for a, b in whole if _may_be_told(passage.text[a:b], state)]


def _may_be_told(quote: str, state: State) -> bool:
    parts = tuple(quote[a:b] for a, b in split_plain(quote))
    return not any(unsafe(parts, state)) and not suspicious(quote) and asserts(quote)


def to_avoid(state: State, passages: Mapping[int, Passage]) -> list[Finding]:
    """What the passages' medicines are to this patient, where that is grave: it must not be given."""
    names = dict.fromkeys(one.name for passage in passages.values() for one in mentions(passage.text))
    known = {one["text"] for one in state["report"].get("findings", [])}
    found = advised(tuple(names), Profile(**state["profile"]))
    return [one for one in found if one.text not in known and SEVERITIES.index(one.severity) >= BLOCKED][:AVOIDED]


class Citing:
    """Numbers passages as they are cited."""

    def __init__(self) -> None:
        self.order: dict[int, int] = {}
        self.quotes: dict[int, list[str]] = {}

    def marked(self, told: Told) -> str:
        """A sentence with its markers."""
        for number, quote in told.quotes.items():
            self.order.setdefault(number, len(self.order) + 1)
            if quote not in self.quotes.setdefault(number, []):
                self.quotes[number].append(quote)
        text = told.text if told.text[-1] in ".!?:;" else f"{told.text}."
        return Sentence(text, tuple(self.order[number] for number in told.quotes)).marked()


def case_of(worked: Worked, state: State, passages: Mapping[int, Passage], citing: Citing) -> dict[str, Any]:
    """The case as `Answer.case` holds it, its markers numbered as they appear."""
    profile = Profile(**state["profile"])
    told = present(state["question"], profile)
    rules = [Finding(**one) for one in state["report"].get("findings", [])]
    asked = [{"item": one.item, "question": one.question} for one in missing(state["question"], profile)]
    return {
        "summary": summary(told),
        "presentation": {name: value if isinstance(value, str) else [*value] for name, value in vars(told).items()},
        "red_flags": [
            one.model_dump() for one in rules if one.rule.startswith("triage.") and one.severity in PRESSING
        ],
        "differential": [_shown(one, citing) for one in worked.differential],
        "working_diagnosis": {
            "condition": worked.working[0],
            "because": [citing.marked(one) for one in worked.working[1]],
        } if worked.working else None,
        "plan": {
            "investigations": [citing.marked(one) for one in worked.investigations],
            "treatment": [citing.marked(one) for one in worked.treatment],
            "avoid": [one.model_dump() for one in to_avoid(state, passages)],
        },
        "missing": [*asked, *({"item": "other", "question": one} for one in worked.asked)],
    }  # fmt: skip


def _shown(one: Considered, citing: Citing) -> dict[str, Any]:
    def points(found: Iterable[tuple[str, Told]]) -> list[dict[str, str]]:
        return [{"finding": finding, "sentence": citing.marked(told)} for finding, told in found]

    return {
        "condition": one.condition,
        "cant_miss": one.cant_miss,
        "rule": one.rule,
        "speaks_for": points(one.speaks_for),
        "speaks_against": points(one.speaks_against),
        "next_test": [citing.marked(told) for told in one.next_test],
    }


def summary(told: Presentation) -> str:
    """The problem in one line, in the case's own words."""
    parts = [
        told.person,
        "; ".join(told.findings),
        "; ".join(told.vitals),
        f"Background: {'; '.join(told.background)}" if told.background else "",
        f"Takes {', '.join(told.medicines)}" if told.medicines else "",
        f"Allergies: {', '.join(told.allergies)}" if told.allergies else "",
        f"Denied: {'; '.join(told.absent)}" if told.absent else "",
    ]
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts if part)


HEADINGS = {
    "red_flags": "Red flags",
    "differential": "Differential",
    "working": "Working diagnosis",
    "investigations": "Investigations",
    "treatment": "Treatment",
    "avoid": "Not for this patient",
    "missing": "Missing",
}
NONE_FOUND = "The library names no condition that fits this case, so no differential is given."


def text_of(case: Mapping[str, Any]) -> str:
    """A case in Markdown; a section stands there only if it holds something."""
    working, plan = case["working_diagnosis"], case["plan"]
    sections = {
        "red_flags": [_flag(one) for one in case["red_flags"]],
        "differential": [line for n, one in enumerate(case["differential"], 1) for line in _lines(n, one)],
        "working": [f"**{working['condition']}.** {' '.join(working['because'])}"] if working else [],
        "investigations": [f"- {one}" for one in plan["investigations"]],
        "treatment": [f"- {one}" for one in plan["treatment"]],
        "avoid": [f"- {in_one_line(one['text'])} *({one['source'].split('; ')[0]})*" for one in plan["avoid"]],
        "missing": [f"- {one['question']}" for one in case["missing"]],
    }
    parts = [f"**Case.** {case['summary']}" if case["summary"] else ""]
    parts += ["\n".join([f"### {HEADINGS[name]}", *lines]) for name, lines in sections.items() if lines]
    if not case["differential"]:
        parts.insert(1, NONE_FOUND)
    return "\n\n".join(part for part in parts if part)


def _flag(one: Mapping[str, Any]) -> str:
    """A red flag and the words that raise it; what a patient would be told to do is left out."""
    words = f": “{'”, “'.join(one['subjects'])}”" if one["subjects"] else ""
    return f"- {one['text'].partition('. ')[0].rstrip('.')}{words} *({one['source'].split('; ')[0]})*"


def _lines(number: int, one: Mapping[str, Any]) -> list[str]:
    marks = " – **can't miss**" if one["cant_miss"] else ""
    by_rule = f" (red flag: {one['rule']})" if one["rule"] else ""
    lines = [f"{number}. **{one['condition']}**{marks}{by_rule}"]
    lines += [f"   - For: “{point['finding']}”. {point['sentence']}" for point in one["speaks_for"]]
    lines += [f"   - Against: “{point['finding']}”. {point['sentence']}" for point in one["speaks_against"]]
    return lines + [f"   - Next: {test}" for test in one["next_test"]]
