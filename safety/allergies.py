"""What a person's allergies, as they wrote them, say about each substance."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from primum.safety.contraindications import (
    cited,
    drug_set,
    ingredients,
    most_severe,
)
from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.lexicon import canonical, classes, members, mentions
from primum.safety.phrases import Phrases, blanked, plain
from primum.safety.remembered import remembered
from primum.safety.tables import read_table

Reaction = Literal["skin-severe", "severe", "mild", "intolerance", "unknown", "ruled-out"]

# What was given against a reaction is no allergen: "penicillin, needed adrenaline".
_RESCUE = re.compile(
    r"\b(?:need(?:ed|ing)?|given|gave me|treated with|took|required|used|carr(?:y|ies))\s+(?:an?\s+|my\s+)?"
    r"(?:iv\s+|oral\s+)?(?:adrenaline|epinephrine|epi-?pens?|steroids?|prednisone|prednisolone|benadryl"
    r"|diphenhydramine|antihistamines?|hydrocortisone|cetirizine|oxygen)\b",
    re.IGNORECASE,
)
_REACTIONS: tuple[tuple[Reaction, re.Pattern[str]], ...] = (
    (
        "ruled-out",
        re.compile(
            r"\b(?:ruled out|de-?labell?ed|disproved|(?:skin |challenge )?test(?:ed|s)?(?: was| were)? negative"
            r"|negative (?:skin |oral )?(?:test|challenge)|tolerat(?:es|ed|ing)|no longer allergic"
            r"|passed (?:the )?challenge"
            r"|descartada|tolera)\b|已排除|可耐受",
            re.IGNORECASE,
        ),
    ),
    (
        "skin-severe",
        re.compile(
            r"\b(?:stevens|johnson|sjs|toxic epidermal|(?-i:TEN)|lyell|(?-i:DRESS)|dress syndrome|agep"
            r"|necrolysis|eosinophilia|blister\w*"
            r"|peel(?:ing|ed)|skin (?:came|fell) off|mouth sores|exfoliat\w*|ampollas|necrólisis)\b|剥脱|大疱"
            r"|坏死松解",
            re.IGNORECASE,
        ),
    ),
    (
        "severe",
        re.compile(
            r"\b(?:anaphyla\w*|anafila\w*|angio-?\s?o?edema|swell\w*|swollen|throat|tongue|breath\w*|wheez\w*|asthma"
            r"|bronchospasm|chok\w*|collaps\w*|shock|faint\w*|passed out|unconscious|hypotension|low blood pressure"
            r"|hospital\w*|icu|intensive care|emergency|ambulance|intubat\w*|near(?:ly)? died|almost died"
            r"|life.threatening"
            r"|severe\w*|epi-?pens?|adrenaline|epinephrine|hepatitis|liver|kidney|jaundice|h(?:a)?emoly\w*"
            r"|serum sickness"
            r"|platelets|thrombocytopeni\w*|(?-i:HIT)|agranulocytosis|bleed\w*|ulcers?|seizures?|fits"
            r"|rhabdo\w*|cardiac arrest"
            r"|hinchaz[oó]n|edema|choque|respirar|asfixia|garganta|urgencias|grave)\b"
            r"|休克|喉头水肿|呼吸困难|血管性水肿|住院|抢救|严重|哮喘|喘",
            re.IGNORECASE,
        ),
    ),
    (
        "mild",
        re.compile(
            r"\b(?:rash\w*|hives?|urticaria\w*|itch\w*|prurit\w*|redness|red(?! meat| dye| 40)|flush\w*|eczema"
            r"|welts?|spots|sneez\w*"
            r"|runny nose|dermatitis|ronchas|sarpullido|erupci[oó]n|picaz[oó]n|comez[oó]n|mild|leve)\b|皮疹"
            r"|荨麻疹|瘙痒|红疹|发痒|起疹",
            re.IGNORECASE,
        ),
    ),
    (
        "intolerance",
        re.compile(
            r"\b(?:nause\w*|vomit\w*|sick(?:ness)?|throw(?:ing)? up|threw up|upset stomach|(?:gi|tummy) upset"
            r"|stomach (?:upset"
            r"|ache|pain)"
            r"|diarrh\w*|headaches?|constipat\w*|dizz\w*|drows\w*|sleepy|thrush|yeast infection|heartburn"
            r"|reflux|cough\w*"
            r"|muscle (?:aches?|pains?)|cramps?|bloat\w*|gas|jitter\w*|palpitations?|insomnia|intoleran\w*"
            r"|side effects?"
            r"|n[aá]useas?|v[oó]mitos?|diarrea|mareos?|dolor de (?:est[oó]mago|cabeza))\b|恶心|呕吐|腹泻|头痛"
            r"|头晕|胃痛|便秘|不耐受",
            re.IGNORECASE,
        ),
    ),
)
_NONE = re.compile(
    r"\W*(?:(?:he|she|i|they|patient|the patient|there)(?: has| have| had| is| are| was)? )?"
    r"(?:(?:no|nil|denies|none|without)(?: other)?(?: any)?(?: known| significant)?"
    r"(?: drug| medication| medicine| food| environmental| seasonal| or|/)*"
    r"(?: (?:allerg(?:y|ies|ic)|intolerances?)(?: history)?)?(?: known)?(?: to (?:drugs|medications?|medicines"
    r"|anything))?"
    r"(?: in the past| that (?:i|we|he|she) knows? of| as far as i know)?"
    r"|nk(?:d|m|f)?a|n/?a|none (?:known|reported|stated)|not (?:known to be )?allergic(?: to (?:anything|any \w+))?"
    r"|sin alergias?(?: conocidas?| medicamentosas?)*|no (?:tiene |refiere )?alergias?(?: conocidas?"
    r"| a medicamentos)*"
    r"|ningun[ao]?|niega alergias?|无|没有|否认(?:药物|食物)*过敏史?|(?:无|没有|否认)(?:已知)?(?:药物"
    r"|食物)*(?:和|及|、)?(?:药物|食物)*过敏史?)\W*",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not allergic|no (?:known )?allerg(?:y|ies) to|isn['’]?t allergic|never allergic|no es al[eé]rgic[oa]"
    r"|no alergia a|denies allerg\w+ to)\b|(?:不|无)对?.{0,12}过敏|对.{1,12}不过敏",
    re.IGNORECASE,
)
_SPLIT = re.compile(
    r"[;；,，、。\n|]|\.\s|\b(?:and|but|except(?: for)?|other than|apart from|excepto|salvo|aparte de|pero|y"
    r"|plus)\b|&|和|以及|除了|但",
    re.IGNORECASE,
)
_FILLER = frozenset(
    "a an the as in at of on to my me i was were am is are had have has got get gets gave gives since years "
    "year old ago "
    "child childhood baby kid adult when age after before with from it this that very bad badly reaction reactions "
    "allergy allergic allergies once twice long time maybe possibly unknown unsure yes also all any other drug drugs "
    "medicine medicines medication medications known history severe mild causes caused cause makes made documented "
    "reported alergia alergico alergica al la el los las de tengo soy me da 过敏 对 我 first dose last "
    "tablets tablet "
    "injection shot iv oral immediately within hours hour days day later same only just took taking over "
    "body arms legs face skin chest stomach eyes mouth lips hands feet whole everywhere where what which how does "
    "w s t d he she his her patient has history perhaps some adverse".split()
)
# "allergic to penicillin, can I take …": from here on the text asks and states no allergy.
_ASKS = re.compile(
    r"\b(?:can|could|may|should|would|what|which|am i|do i|is (?:it|there|\w+ (?:safe|ok|okay|fine|allowed))"
    r"|puedo|debo)\b"
    r"(?!['’]?t\b)|可以|能|吗",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Link:
    """A row of the tables: who is allergic to `id`, or to one of `start`, should be wary of `drugs`."""

    id: str
    start: frozenset[str]
    drugs: frozenset[str]
    mild: Severity
    severe: Severity
    why: str
    instead: str
    source: str


@dataclass(frozen=True)
class Allergy:
    """One allergy as written, with the groups and substances it names and how it showed."""

    written: str
    groups: frozenset[str]
    substances: frozenset[str]
    reaction: Reaction

    @property
    def known(self) -> bool:
        return bool(self.groups or self.substances)


@cache
def _rows() -> tuple[dict[str, str], ...]:
    return (*read_table("allergies.csv"), *read_table("excipients.csv"))


@cache
def links() -> tuple[Link, ...]:
    """Every row of the tables that names medicines to be wary of."""
    grades: dict[str, Severity] = {grade: grade for grade in SEVERITIES}
    return tuple(
        Link(
            row["id"], drug_set(row["from"]) if row["from"] else frozenset(), drug_set(row["to"]),
            grades[row["mild"]], grades[row["severe"]], row["why"], row["instead"], cited(row["source"]),
        )
        for row in _rows() if row["to"]
    )  # fmt: skip


@cache
def _phrases() -> Phrases:
    names = ((name, row["id"]) for row in _rows() for name in row["names"].split("|") if name)
    return Phrases(dict(names))


@cache
def _synonyms() -> frozenset[str]:
    """Ids that are but other words for one substance: rows with names and no grade."""
    return frozenset(row["id"] for row in _rows() if not row["mild"])


@remembered(maxsize=4096)
def _named(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The groups and the substances that a text names."""
    places = _phrases().find(text)
    found = {meaning for *_, meaning in places}
    substances = {canonical(one) for one in found & _synonyms()}
    for mention in mentions(blanked(text, places)):
        substances |= ingredients(mention.written) | {mention.name} | members(mention.name)
    for written in (text.strip().lower(), plain(text)):
        if members(written.replace(" ", "-")):
            substances |= members(written.replace(" ", "-"))
        if canonical(written) != written:
            substances |= ingredients(written)
    groups = found - _synonyms()
    if not found and not substances and (near := _phrases().nearest(text)):
        return (frozenset(), frozenset({canonical(near)})) if near in _synonyms() else (frozenset({near}), frozenset())
    return frozenset(groups), frozenset(substances)


def reaction_of(text: str) -> Reaction:
    """How an allergy showed, by the gravest word of the text."""
    for reaction, pattern in _REACTIONS:
        if pattern.search(text):
            return reaction
    return "unknown"


_IN_BRACKETS = re.compile(r"\([^)]*\)|（[^）]*）")
_PARTS = re.compile(r"[,;、，]|\band\b")
# What parts a list stands for nothing else while it is in brackets: characters that no text has.
_HIDDEN = {",": "\ue000", ";": "\ue001", "、": "\ue002", "，": "\ue003", "and": "\ue004"}


def _pieces(entry: str) -> list[str]:
    """The allergies of one entry, each with its reaction; a list in brackets stays with what it follows."""
    asked = next((m.start() for m in _ASKS.finditer(entry) if any(_named(entry[: m.start()]))), len(entry))
    stated = entry[:asked]
    outside = _IN_BRACKETS.sub(lambda bracket: _PARTS.sub(lambda part: _HIDDEN[part.group()], bracket.group()), stated)
    pieces: list[str] = []
    for part in (part for whole in _SPLIT.split(outside) for part in _by_slash(whole)):
        if not part.strip():
            continue
        if pieces and _only_reaction(part):
            pieces[-1] += f", {part.strip()}"
        else:
            pieces.append(part.strip(" .:-–—"))
    return [_shown(piece) for piece in pieces]


def _shown(piece: str) -> str:
    """As it was written, with what parts a list in brackets."""
    for written, hidden in _HIDDEN.items():
        piece = piece.replace(hidden, written)
    return piece


def _by_slash(part: str) -> list[str]:
    """Allergens parted by a slash; `TMP/SMX` and `sulfa w/ rash` stay whole."""
    first, *others = part.split("/")
    return [first, *others] if others and any(_named(first)) and not any(map(_only_reaction, others)) else [part]


def _only_reaction(part: str) -> bool:
    if any(_named(_RESCUE.sub(" ", part))) or _NONE.fullmatch(part):
        return False
    left = _RESCUE.sub(" ", part)
    for _, pattern in _REACTIONS:
        left = pattern.sub(" ", left)
    return all(word in _FILLER or word.isdigit() for word in plain(left).split())


@remembered(maxsize=2048)
def read(entry: str) -> tuple[Allergy, ...]:
    """The allergies that one entry states; `NKDA` and what is denied state none."""
    found = []
    for piece in _pieces(entry):
        if _NONE.fullmatch(piece) or _DENIED.search(piece):
            continue
        groups, substances = _named(_RESCUE.sub(" ", piece))
        found.append(Allergy(piece, groups, substances, reaction_of(piece)))
    return tuple(found)


def unknown_allergies(allergies: Sequence[str]) -> tuple[str, ...]:
    """What is stated as an allergy and not known here."""
    return tuple(one.written for entry in allergies for one in read(entry) if not one.known)


def _graded(link: Link, reaction: Reaction) -> Severity | None:
    if reaction == "mild":
        return link.mild
    if reaction in ("intolerance", "ruled-out"):
        return "info" if link.severe == "contraindicated" else None
    if reaction == "skin-severe":
        return SEVERITIES[min(len(SEVERITIES) - 1, SEVERITIES.index(link.severe) + 1)]
    return link.severe


_MANNER = {
    "intolerance": "This reads as a side effect rather than an allergy: tell the prescriber.",
    "ruled-out": "The allergy is recorded as ruled out: have that confirmed.",
    "unknown": "How the allergy showed is not stated, so it is taken as severe: ask about it.",
}


def _text(substance: str, allergy: Allergy, why: str, instead: str) -> str:
    manner = _MANNER.get(allergy.reaction, "")
    shown = substance.replace("-", " ") if members(substance) else substance
    return " ".join(filter(None, [f"{shown}, with the allergy “{allergy.written}”: {why}", instead, manner]))


@remembered(maxsize=4096)
def _meant(substance: str) -> frozenset[str]:
    """A substance's names; for a group such as `penicillins` those of its members too."""
    names = ingredients(substance)
    if any(map(classes, names)):
        return names
    whole = (0, len(plain(substance)))
    groups = {meaning for start, stop, meaning in _phrases().find(substance) if (start, stop) == whole}
    own = next((link.drugs for link in links() if link.id in groups), frozenset())
    return names | own


def _against(substance: str, allergy: Allergy) -> list[Finding]:
    meant = _meant(substance)
    found = []
    if ingredients(substance) & allergy.substances:
        mere = allergy.reaction in ("intolerance", "ruled-out")
        text = _text(
            substance,
            allergy,
            "it is the very medicine, or holds it.",
            "" if mere else "Do not take it; ask for another.",
        )
        source = cited("drug-allergy-2022")
        found.append(
            _finding("same-substance", "info" if mere else "contraindicated", substance, allergy, text, source)
        )
    for link in links():
        if not (link.id in allergy.groups or allergy.substances & link.start):
            continue
        if meant.isdisjoint(link.drugs) or (severity := _graded(link, allergy.reaction)) is None:
            continue
        text = _text(substance, allergy, link.why, link.instead)
        found.append(_finding(link.id, severity, substance, allergy, text, link.source))
    return found


def _finding(rule: str, severity: Severity, substance: str, allergy: Allergy, text: str, source: str) -> Finding:
    subjects = [substance, allergy.written]
    return Finding(rule=f"allergy.{rule}", severity=severity, subjects=subjects, text=text, source=source)


def _unknown(written: str) -> Finding:
    return Finding(
        rule="allergy.unknown",
        severity="info",
        subjects=[written],
        text=f"Primum does not know this allergy: “{written}”. Ask a pharmacist to check the medicines against it.",
        source=cited("nice-cg183"),
    )


def check(substances: Sequence[str], allergies: Sequence[str]) -> tuple[Finding, ...]:
    """What the allergies say about each substance; an allergy not known here is said to be so, never passed over."""
    found = [_unknown(written) for written in unknown_allergies(allergies)]
    for entry in allergies:
        for allergy in read(entry):
            for substance in dict.fromkeys(substances):
                found += _against(substance, allergy)
    return most_severe(found)
