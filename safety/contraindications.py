"""Who should not take what: by condition, age, pregnancy and breast-feeding; and two medicines that do one thing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import combinations

from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.lexicon import canonical, members
from primum.safety.person import Person, egfr_of, read
from primum.safety.phrases import Phrases, blanked, plain
from primum.safety.profile import Profile
from primum.safety.remembered import remembered
from primum.safety.tables import read_table

Range = tuple[float, float]
_LIMIT = re.compile(r"(age|egfr|weeks|weight)(<|>=)([\d.]+)")
_SEGMENT = re.compile(
    r"[,;.?!，；、。？！\n](?!\d)|\b(?:but|except|pero|salvo)\b|但"
    r"|\b(?:and|y)\s+(?=(?:i|he|she|they|we|have|has|had|is|am|are|do|does|don|tengo|tiene)\b)",
    re.IGNORECASE,
)
# What stands right before a condition that is denied, or somewhere before one that is a relative's.
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:no|not|non|never|neither|denie[sd]|without|negative for|(?:do|does|did|is|was|are|have|has) ?n ?t"
    r"|(?:don|doesn|didn|isn|wasn|aren|haven|hasn) t|sin|niega|nunca)"
    r"(?: ?\b(?:an?|any|known|have|has|had|having|got|been|being|diagnosed|with|history|of|evidence|signs?|the"
    r"|significant"
    r"|past|previous|prior|suffer(?:ed|s)?|from|or|nor|and|tiene|tengo|de|ni|o|ever|currently|antecedentes)\b| ?;)* ?"
    r"|(?:无|没有|否认|未见|不是|非)(?:明显|任何|过|患|有|的|史|和|及|或|[; ])*)$"
    r"|\b(?:family history|fhx|antecedentes familiares)\b|家族史"
    r"|^(?:mother|father|sister|brother|parents?|grand\w+|uncle|aunt)\b"
)
_DENIED_AFTER = re.compile(r" ?(?:no|negative|ruled out|denied|excluded)\b ?$|.*家族史")
_NOTHING_SAID = re.compile(
    r"(?:no|not|non|never|denie[sd]|without|negative|sin|niega|family history|mother|father|sister|brother)\b"
    r"|无|没有|否认"
)
# A condition that is only spoken of: vaccinated against, asked about, what a medicine may cause.
_SPOKEN_OF_BEFORE = re.compile(
    r"\b(?:(?:vaccin\w*|jabs?|shots?|immuni[sz]\w*|boosters?|screen(?:ed|ing)?|tested|checked) (?:for|against|of)"
    r"|protect(?:s|ed|ion)? (?:against|from)|afraid of|difference between"
    r"|(?<!at )(?<!high )(?<!increased )risk (?:of|for)|vacunas? (?:de|contra|para)"
    r"|what (?:is|are|s|causes?)(?: (?:symptoms?|signs?|causes?|meaning|definition|an?|the|of))*"
    r"|(?:can|could|may|might|does|do|will|would) (?:\w+ ){0,4}?(?:cause|lead to|trigger|prevent))"
    r"(?: (?:an?|the|my|any|la|el|severe|getting|having|developing|of|and|or|;))* $|预防 ?$"
)
_SPOKEN_OF_AFTER = re.compile(
    r" (?:vaccin\w*|vacunas?|shots?|jabs?|immuni[sz]ations?|boosters?|screening|prevention|awareness|cuffs?|monitors?"
    r"|guidelines?|season|(?<!positive pregnancy )tests?(?! (?:was |is |came back )?positive))\b| ?疫苗"
    r"|(?<=nursing) (?:homes?|students?|staff|schools?|care|degree)\b|(?<=expecting) (?:an?|the|my|to|that|some)\b"
)
# Short names that are other words or units too: they count in capitals, or where they stand alone.
_AMBIGUOUS = frozenset(
    "mg mi pe ms ra uc as hit af add pad aids mono fits tia aps ttc oa dm ad hae men nash sss scd mania mtc".split()
)
_KIDNEY = (
    r"(?:ckd|(?:chronic )?(?:kidney|renal) (?:disease|failure|impairment|insufficiency|problems?)|nephropathy"
    r"|(?:enfermedad|insuficiencia) renal(?: cr[oó]nica)?|(?:慢性)?肾(?:脏)?病|慢性肾衰竭?|肾功能不全)"
)
_DEGREE = (
    r"(?:(?:stage|grade|estadio|etapa|fase|grado) ?g?(?P<{0}>[1-5][ab]?|i{{1,3}}|iv|v)"
    r"|第?(?P<{0}_zh>[1-5一二三四五])期)"
)
# "Kidney disease stage 4", "stage IV CKD", "CKD 4", 肾病四期: written as the table has it, ckd4.
_STAGED = re.compile(
    rf"(?<![a-z]){_KIDNEY}[ (:-]*(?:is |at |in |en )?(?:{_DEGREE.format('after')}|g?(?P<bare>[1-5][ab]?))(?![a-z\d])"
    r"(?! ?(?:m?c?g|ml|units?|tab\w*|caps?\w*|puffs?|x|times|years?|months?|weeks?|days?|%)\b|[.,/]\d)"
    rf"|(?<![a-z\d]){_DEGREE.format('before')}[ -]?(?:of )?(?:的)?{_KIDNEY}",
    re.IGNORECASE,
)
_NUMERALS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"} | dict(zip("一二三四五", "12345", strict=True))
_LEAD = re.compile(r"^(?:pmh|hx|h o|history of|has|have|with|known|i have|he has|she has) ")
_WEEKS = re.compile(r"\W*\d+(?:[+.]\d)?\s*(?:weeks?|wks?|semanas?|周)\W*", re.IGNORECASE)
_SHORT = 6  # words of an entry in which a misspelt condition is looked for; a longer one is a story


class Truth(IntEnum):
    """Whether a rule is met. PERHAPS: what it depends on is not known well enough."""

    NO = 0
    PERHAPS = 1
    YES = 2


@dataclass(frozen=True)
class Rule:
    id: str
    drugs: frozenset[str]
    when: str
    severity: Severity
    why: str
    instead: str
    source: str


@dataclass(frozen=True)
class Facts:
    """A profile as the rules read it; a number not known is None, one known roughly is a range."""

    conditions: frozenset[str]
    numbers: Mapping[str, Range | None]
    pregnant: Truth
    could_be_pregnant: Truth
    breastfeeding: Truth
    sex: str | None


@cache
def sources() -> dict[str, str]:
    """Title, year and address of each source that the tables on persons name."""
    return {row["key"]: f"{row['title']}, {row['year']}, {row['address']}" for row in read_table("person_sources.csv")}


def cited(keys: str) -> str:
    return "; ".join(sources()[key] for key in keys.split("|"))


@remembered(maxsize=4096)
def drug_set(names: str) -> frozenset[str]:
    """The substances of `a|b|class|!not-this`; a class also stands for itself, since a text may name it."""
    wanted: set[str] = set()
    unwanted: set[str] = set()
    for name in names.split("|"):
        chosen = unwanted if name.startswith("!") else wanted
        bare = name.removeprefix("!")
        chosen |= members(bare) | {bare.lower(), canonical(bare)}
    return frozenset(wanted - unwanted)


@remembered(maxsize=8192)
def ingredients(substance: str) -> frozenset[str]:
    """The names that a substance goes by: its canonical name, its parts if combined, and a class in the singular."""
    whole = substance.strip().lower()
    parts = [whole, *re.split(r"\s*/\s*|\s+(?:and|with)\s+|\s*\+\s*", canonical(whole))]
    if whole.endswith("s"):
        parts.append(whole.removesuffix("s").replace(" ", "-"))
    return frozenset(name for part in parts if part for name in (part, canonical(part)))


@cache
def rules() -> tuple[Rule, ...]:
    """Every row of `data/contraindications.csv`."""
    grades: dict[str, Severity] = {grade: grade for grade in SEVERITIES}
    return tuple(
        Rule(
            row["id"], drug_set(row["drug"]), row["when"], grades[row["severity"]],
            row["why"], row["instead"], cited(row["source"]),
        )
        for row in read_table("contraindications.csv")
    )  # fmt: skip


@cache
def _personal() -> dict[str, tuple[Rule, ...]]:
    """The rules that depend on the person, by the name of each drug they concern."""
    by_name: dict[str, list[Rule]] = {}
    for rule in rules():
        for name in rule.drugs if not rule.when.startswith("with:") else ():
            by_name.setdefault(name, []).append(rule)
    return {name: tuple(those) for name, those in by_name.items()}


@cache
def _conditions() -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in read_table("conditions.csv")}


@cache
def _phrases() -> Phrases:
    return Phrases(
        {
            name: row["id"]
            for row in _conditions().values()
            for name in (row["label"], *filter(None, row["names"].split("|")))
        }
    )


def label(condition: str) -> str:
    """How a condition is called in a finding."""
    return _conditions()[condition]["label"]


def _with_kinds(found: Iterable[str]) -> frozenset[str]:
    every: set[str] = set()
    waiting = list(found)
    while waiting:
        condition = waiting.pop()
        if condition not in every:
            every.add(condition)
            waiting += filter(None, _conditions()[condition]["kind_of"].split("|"))
    return frozenset(every)


def _segments(text: str) -> list[str]:
    return [part for part in map(str.strip, _SEGMENT.split(text)) if part]


@remembered(maxsize=4096)
def _told_in(segment: str) -> tuple[frozenset[str], bool]:
    """The conditions that a part of a sentence states, and whether it denies one or speaks of no one's."""
    if segment in _conditions():
        return frozenset({segment}), False
    stated, denied = _stated_in(segment)
    denied = denied or bool(_NOTHING_SAID.match(plain(segment)))
    if not stated and not denied and len(segment.split()) <= _SHORT and (near := _phrases().nearest(segment)):
        stated = {near}
    return frozenset(stated), denied


def _stated_in(segment: str) -> tuple[set[str], bool]:
    """The conditions that a part of a sentence states, and whether it denies one."""
    stated: set[str] = set()
    denied = False
    segment = _STAGED.sub(_as_in_table, segment)
    whole = plain(segment)
    places = _phrases().find(segment)
    for start, stop, condition in places:
        word = whole[start:stop].removesuffix("s") if whole[start:stop] not in _AMBIGUOUS else whole[start:stop]
        if word in _AMBIGUOUS and not _in_capitals(segment, word):
            continue
        before = blanked(segment, [place for place in places if place[1] <= start])
        before = before[: len(before) - (len(whole) - start)]
        if condition != "no-conditions" and _not_had(before, whole, stop):
            denied = True
        else:
            stated.add(condition)
    return stated, denied


def _as_in_table(match: re.Match[str]) -> str:
    stage = next(filter(None, match.groups())).lower()
    return f" ckd{_NUMERALS.get(stage, stage)} "


def _not_had(before: str, whole: str, stop: int) -> bool:
    """Whether the condition that ends at `stop` is denied, a relative's, or only spoken of."""
    if _DENIED_BEFORE.search(before) or _SPOKEN_OF_BEFORE.search(before):
        return True
    return bool(_DENIED_AFTER.match(whole, stop) or _SPOKEN_OF_AFTER.match(whole, stop))


def _in_capitals(segment: str, word: str) -> bool:
    alone = _LEAD.sub("", plain(segment)) == word
    return alone or bool(re.search(rf"(?<![\w])(?<!\d )(?<!\d){word.upper()}(?!\w)", segment))


def conditions_of(texts: Iterable[str]) -> frozenset[str]:
    """The conditions that free words state, with what each is a kind of; none that are denied or a relative's."""
    return _with_kinds(condition for text in texts for part in _segments(text) for condition in _told_in(part)[0])


def unknown_conditions(profile: Profile) -> tuple[str, ...]:
    """The conditions of a profile that no rule here can read."""
    return tuple(text for text in profile.conditions if any(map(_is_unknown, _segments(text))))


def _is_unknown(segment: str) -> bool:
    return not (any(_told_in(segment)) or _WEEKS.fullmatch(segment) or read(segment).egfr is not None)


def implied(found: frozenset[str], number: str) -> Range | None:
    """The range of a number that the conditions imply: stage 4 an eGFR of 15 to 30, `newborn` an age under 0.08."""
    ranges = []
    for condition in found:
        kind, *ends = _conditions()[condition]["implies"].split() or [""]
        if kind == number:
            ranges.append((float(ends[0]), float(ends[1])))
    return min(ranges, key=lambda ends: ends[1] - ends[0], default=None)


def _exact(value: float | None) -> Range | None:
    return None if value is None else (value, value)


def _kidney(profile: Profile, told: Person, found: frozenset[str]) -> Range | None:
    """The eGFR as measured, from creatinine, or from the stage of the disease."""
    measured = told.egfr if profile.egfr is None else profile.egfr
    creatinine = profile.creatinine_umol_l or told.creatinine_umol_l
    if measured is None and creatinine and profile.age is not None and profile.age >= 18:
        measured = egfr_of(creatinine, profile.age, profile.sex)
    return implied(found, "egfr") if "dialysis" in found or measured is None else _exact(measured)


def facts_of(profile: Profile) -> Facts:
    """The profile with its free words read."""
    found = conditions_of(profile.conditions)
    told = read(". ".join(profile.conditions))
    parent = profile.pregnant or profile.breastfeeding or found & {"pregnancy", "breastfeeding", "postpartum"}
    age = _exact(profile.age) or (None if parent else implied(found, "age"))  # the baby spoken of is the child
    pregnant = Truth.NO
    if profile.pregnant or profile.weeks_pregnant is not None or "pregnancy" in found:
        pregnant = Truth.YES
    elif "possible-pregnancy" in found and profile.pregnant is None:
        pregnant = Truth.PERHAPS
    weeks: Range | None = None
    if pregnant:
        weeks = _exact(profile.weeks_pregnant or told.weeks) or implied(found, "weeks") or (0, 45)
    could = Truth.NO
    if profile.sex == "female" and not pregnant and "no-pregnancy-possible" not in found:
        could = Truth.PERHAPS if age is None else min(_compare(age, ">=", 12), _compare(age, "<", 56))
    if found & {"possible-pregnancy", "trying-to-conceive"} and pregnant < Truth.YES:
        could = Truth.YES
    nursing = Truth.YES if profile.breastfeeding or "breastfeeding" in found else Truth.NO
    numbers = {"age": age, "egfr": _kidney(profile, told, found), "weeks": weeks, "weight": _exact(profile.weight_kg)}
    return Facts(found, numbers, pregnant, could, nursing, profile.sex)


def _compare(known: Range | None, sign: str, limit: float) -> Truth:
    if known is None:
        return Truth.NO
    low, high = known
    if sign == ">=":
        return Truth.YES if low >= limit else Truth.PERHAPS if high > limit else Truth.NO
    below = high < limit or (high == limit and low < high)
    return Truth.YES if below else Truth.PERHAPS if low < limit else Truth.NO


def _term(term: str, who: Facts) -> Truth:
    if term.startswith("!"):
        return Truth(Truth.YES - _term(term[1:], who))
    if match := _LIMIT.fullmatch(term):
        return _compare(who.numbers[match[1]], match[2], float(match[3]))
    states = {
        "pregnant": who.pregnant,
        "could-be-pregnant": who.could_be_pregnant,
        "breastfeeding": who.breastfeeding,
        "female": Truth.YES if who.sex == "female" else Truth.NO,
        "male": Truth.YES if who.sex == "male" else Truth.NO,
    }
    if term in states:
        return states[term]
    return Truth.YES if term in who.conditions else Truth.NO


@remembered(maxsize=2048)
def _alternatives(when: str) -> tuple[tuple[str, ...], ...]:
    """`a&b|c` as its alternatives, each with its terms."""
    return tuple(tuple(term.strip() for term in alternative.split("&")) for alternative in when.split("|"))


def holds(when: str, who: Facts) -> Truth:
    """Whether `a&b|c&!d` is true of a person; `&` binds closer than `|`."""
    return max(min(_term(term, who) for term in terms) for terms in _alternatives(when))


def _subject(when: str, who: Facts) -> str:
    """What a finding is about, in words: the part of the expression that this person meets."""
    best = max(_alternatives(when), key=lambda terms: min(_term(term, who) for term in terms))
    words = {"pregnant": "pregnancy", "could-be-pregnant": "possible pregnancy", "breastfeeding": "breast-feeding"}
    numbers = {"age": "age", "egfr": "kidney function", "weeks": "pregnancy", "weight": "weight"}
    named = []
    for term in best:
        if term in _conditions():
            named.append(label(term))
        elif match := _LIMIT.fullmatch(term):
            named.append(numbers[match[1]])
        elif term in words:
            named.append(words[term])
    return " and ".join(dict.fromkeys(named)) or "sex"


def milder(severity: Severity) -> Severity:
    return SEVERITIES[max(0, SEVERITIES.index(severity) - 1)]


def _finding(rule: Rule, substance: str, who: Facts, truth: Truth) -> Finding:
    about = _subject(rule.when, who)
    text = f"{substance[:1].upper()}{substance[1:]} ({about}): {rule.why} {rule.instead}"
    severity = rule.severity
    if truth is Truth.PERHAPS:
        severity = milder(severity)
        text += " Whether it applies depends on details not known here: find them out first."
    return Finding(
        rule=f"contraindication.{rule.id}",
        severity=severity,
        subjects=[substance, about],
        text=text,
        source=rule.source,
    )


def most_severe(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """For the same subjects only the most severe finding; the most severe first."""
    kept: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        key = tuple(finding.subjects)
        if key not in kept or SEVERITIES.index(finding.severity) > SEVERITIES.index(kept[key].severity):
            kept[key] = finding
    return tuple(sorted(kept.values(), key=lambda one: -SEVERITIES.index(one.severity)))


def check(substances: Sequence[str], profile: Profile) -> tuple[Finding, ...]:
    """What speaks against each substance in this person. Nothing found does not mean safe."""
    who = facts_of(profile)
    found: list[Finding] = []
    for substance in dict.fromkeys(substances):
        concerned = {rule.id: rule for name in ingredients(substance) for rule in _personal().get(name, ())}
        met = ((rule, holds(rule.when, who)) for rule in concerned.values())
        found += [_finding(rule, substance, who, truth) for rule, truth in met if truth]
    return most_severe(found)


@dataclass(frozen=True)
class _Taken:
    written: str
    names: frozenset[str]


def duplicates(substances: Sequence[str | tuple[str, str]]) -> tuple[Finding, ...]:
    """The same substance under two names, or two of a class that are not taken together.

    A medicine is given by name, or as (name as written, canonical name).
    """
    taken: dict[str, _Taken] = {}
    for one in substances:
        written, name = (one, one) if isinstance(one, str) else one
        taken.setdefault(written.casefold(), _Taken(written, ingredients(name)))
    found = []
    for first, second in combinations(taken.values(), 2):
        if shared := first.names & second.names:
            found.append(_same_substance(first, second, min(shared, key=len)))
        else:
            found += [_pair(rule, first, second) for rule in _against_both(first, second)]
    return most_severe(found)


@cache
def _paired() -> dict[str, tuple[tuple[int, Rule, frozenset[str]], ...]]:
    """The rules on two medicines, by each name of the one: their place in the table, and the names of the other."""
    by_name: dict[str, list[tuple[int, Rule, frozenset[str]]]] = {}
    for place, rule in enumerate(rules()):
        if rule.when.startswith("with:"):
            other = rule.when.removeprefix("with:")
            for name in rule.drugs:
                by_name.setdefault(name, []).append((place, rule, rule.drugs if other == "same" else drug_set(other)))
    return {name: tuple(those) for name, those in by_name.items()}


def _against_both(first: _Taken, second: _Taken) -> list[Rule]:
    """The rules that speak against taking two medicines together."""
    met = {
        place: rule
        for one, other in ((first, second), (second, first))
        for name in one.names
        for place, rule, others in _paired().get(name, ())
        if not other.names.isdisjoint(others)
    }
    return [rule for _, rule in sorted(met.items())]


def _pair(rule: Rule, first: _Taken, second: _Taken) -> Finding:
    return Finding(
        rule=f"duplicate.{rule.id}",
        severity=rule.severity,
        subjects=sorted((first.written, second.written)),
        text=f"{first.written} and {second.written}: {rule.why} {rule.instead}",
        source=rule.source,
    )


def _same_substance(first: _Taken, second: _Taken, substance: str) -> Finding:
    return Finding(
        rule="duplicate.same-substance",
        severity="major",
        subjects=sorted((first.written, second.written)),
        text=f"{first.written} and {second.written} both hold {substance}: taking both adds up the dose. "
        "Take only one of them, or have a pharmacist add up the total.",
        source=cited("nhs-medicines"),
    )
