"""Triage by rules: which red flags a message shows, how soon it needs help, and the card that says what to do.

A sign is a thing that words tell ("chest pain", 胸痛); a rule joins signs, vital signs and who the person is. Signs
that `context` finds negated, past, hypothetical or a relative's don't count. Nothing else in a message lowers its
disposition.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from primum.safety.context import normalise, status
from primum.safety.findings import Disposition, Finding, Severity
from primum.safety.language import Language, detect
from primum.safety.lexicon import with_drugs_as
from primum.safety.literals import Sieve, literals, matches
from primum.safety.person import Person, known
from primum.safety.profile import Profile
from primum.safety.remembered import remembered
from primum.safety.spelling import Spellings
from primum.safety.tables import read_table
from primum.safety.vitals import ADULT, Alarm, Vitals, alarms, read

Category = Literal["medical", "poison", "crisis", "abuse", "none"]
ORDER: tuple[Disposition, ...] = ("none", "self_care", "routine", "urgent", "emergency")
_SEVERITY: dict[Disposition, Severity] = {
    "emergency": "major", "urgent": "moderate", "routine": "minor", "self_care": "info", "none": "info",
}  # fmt: skip
_PART = re.compile("<([^<>=!]+)>")
_DRUG = "DRUG"  # in capitals, as no message is when it is read
_BREAK = "(?:'s)?[ ,-]+"
_WORD_GAP = r"(?:(?:'s)?[ ,]+(?!no\b|not\b|but\b|without\b|denies\b|sin\b|pero\b)[\w'%/-]+)"
_ASCII_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


@dataclass(frozen=True)
class Rule:
    """A red flag: any of `when`, each of them groups of facts that must all be met by one of theirs."""

    id: str
    name: dict[str, str]
    when: tuple[tuple[frozenset[str], ...], ...]
    disposition: Disposition
    category: Category
    do: tuple[str, ...]
    avoid: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Triage:
    """How soon help is needed and why. `names` say what it may be, `advice` and `avoid` what to do and not to do."""

    disposition: Disposition = "none"
    findings: tuple[Finding, ...] = ()
    rules: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    category: Category = "none"
    language: Language = "en"


@dataclass(frozen=True)
class _Pattern:
    sign: str
    pattern: re.Pattern[str]
    opening: frozenset[str]
    background: bool


@dataclass(frozen=True)
class _Book:
    """All data, compiled."""

    patterns: Sieve[_Pattern]
    of_drugs: Sieve[_Pattern]
    rules: tuple[Rule, ...]
    rules_by_fact: dict[str, frozenset[int]]
    lines: dict[str, dict[str, str]]
    spelt_right: frozenset[str]
    spellings: Spellings


def _load(name: str) -> Any:
    return yaml.load((files("primum.safety") / "data" / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def _groups(when: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(part.strip() for part in group.split("|")) for group in when.split("&"))


def _expression(phrase: str, language: str) -> str:
    """A phrase as a regular expression: `..` a gap of up to three words, `...` of up to six, `*` the rest of a word."""
    if language == "zh":
        gapped = phrase.replace("...", "\0").replace("..", "\1").replace(" ", "")
        return gapped.replace("\0", "[^。.!?;\\n]{0,14}?").replace("\1", "[^。,.!?;\\n]{0,6}?")
    gapped = re.sub(r"(?<=[a-z])(?<!\\w)\*", r"\\w*", phrase)
    gapped = gapped.replace(" ... ", "\0").replace(" .. ", "\1").replace(" ", _BREAK)
    gapped = gapped.replace("\0", _WORD_GAP + "{0,6}?" + _BREAK).replace("\1", _WORD_GAP + "{0,3}?" + _BREAK)
    return rf"(?<![\w])(?:{gapped})(?!\w)"


def _whole(phrase: str, parts: dict[str, str]) -> str:
    """A phrase with what it shares with others: `<container>` is how `parts` writes it."""
    return _PART.sub(lambda match: _whole(parts[match[1]], parts), phrase)


@cache
def _book() -> _Book:
    patterns: Sieve[_Pattern] = Sieve()
    of_drugs: Sieve[_Pattern] = Sieve()
    words: set[str] = set()
    parts = _load("red_flag_parts.yaml")
    for sign, languages in _load("red_flag_signs.yaml").items():
        background = languages.pop("background", False)
        for language, phrases in languages.items():
            for written in phrases.replace("\n", " ").split(" / "):
                phrase = _whole(written.strip(), parts)
                expression = _expression(phrase, language)
                known = literals(expression)
                sieve = of_drugs if _DRUG in phrase else patterns
                sieve.add(known, _Pattern(sign, re.compile(expression), known.opening, background))
                if language != "zh":
                    words.update(_ASCII_WORD.findall(re.sub(r"\\.", " ", phrase)))
    data, advice = _load("red_flags.yaml"), _load("red_flag_advice.yaml")
    rules = tuple(_rule(row, advice["sources"]) for row in data["rules"])
    keywords = data["spelling"].split()
    words.update(keywords, data["not_misspelt"].split())
    return _Book(patterns, of_drugs, rules, _by_fact(rules), advice["lines"], frozenset(words), Spellings(keywords))


def _rule(row: dict[str, Any], sources: dict[str, str]) -> Rule:
    text, year = sources[row["source"]], row.get("year")
    source = f"{text}, {year}" if year and str(year) not in text else text
    return Rule(
        row["id"], row["name"], tuple(map(_groups, row["when"])), row["disposition"], row.get("category", "medical"),
        tuple(row.get("do", ())), tuple(row.get("avoid", ())), source,
    )  # fmt: skip


def _by_fact(rules: tuple[Rule, ...]) -> dict[str, frozenset[int]]:
    """For each fact the rules, by number, that may be met where it is there; of each way to meet one, one group."""
    found: dict[str, set[int]] = {}
    for number, rule in enumerate(rules):
        for groups in rule.when:
            told = [group for group in groups if not any(fact.startswith("@") for fact in group)]
            for fact in min(told or groups, key=len):
                found.setdefault(fact, set()).add(number)
    return {fact: frozenset(numbers) for fact, numbers in found.items()}


@remembered(maxsize=16384)
def _spelt(word: str) -> str:
    """The key word that a misspelling stands for, or the word itself; for words of six letters or more.

    Of several key words that are as near it is the one that stands first in the data.
    """
    book = _book()
    if len(word) < 6 or word in book.spelt_right or word.rstrip("s") in book.spelt_right or "'" in word:
        return word
    return next(iter(book.spellings.nearest(word)), word)


def _corrected(text: str) -> str:
    return _ASCII_WORD.sub(lambda match: _spelt(match.group()), text)


def _signs(text: str, background_only: bool = False) -> dict[str, str]:
    """The signs that are present in a normalised text, each with the words that tell it."""
    found = {sign: match.group() for sign, match in _present(_book().patterns, text, background_only).items()}
    if background_only:
        return found
    level, names = with_drugs_as(_DRUG, text)
    for sign, match in _present(_book().of_drugs, level).items():
        words = match.group()
        for name in names[level.count(_DRUG, 0, match.start()) :][: words.count(_DRUG)]:
            words = words.replace(_DRUG, name, 1)
        found.setdefault(sign, words)
    return found


def _present(patterns: Sieve[_Pattern], text: str, background_only: bool = False) -> dict[str, re.Match[str]]:
    found: dict[str, re.Match[str]] = {}
    there = patterns.there(text)
    for one in patterns.through(there):
        if one.sign in found or (background_only and not one.background):
            continue
        tried = matches(one.pattern, one.opening & there, text) if one.opening else one.pattern.finditer(text)
        for match in tried:
            said = status(text, match.start(), match.end())
            if said == "present" or (one.background and said == "historical"):
                found[one.sign] = match
                break
    return found


def _measured(vitals: Vitals, adult: bool) -> Iterator[str]:
    """Facts that rules may ask of the vital signs."""
    limits = (
        ("@hypotension", vitals.systolic, -1, 95), ("@tachycardia", vitals.heart_rate, 110, 400),
        ("@bradycardia", vitals.heart_rate, -1, 50), ("@fever", vitals.temperature, 38, 50),
        ("@high_fever", vitals.temperature, 39.5, 50), ("@cold", vitals.temperature, -1, 35),
        ("@hypoxia", vitals.spo2, -1, 93), ("@fast_breathing", vitals.respiratory_rate, 25, 200),
        ("@low_glucose", vitals.glucose, -1, 4), ("@high_glucose", vitals.glucose, 14, 100),
        ("@ketones", vitals.ketones, 1.5, 50), ("@high_pressure", vitals.systolic, 180, 400),
        ("@high_pressure", vitals.diastolic, 120, 400), ("@raised_pressure", vitals.systolic, 140, 400),
        ("@raised_pressure", vitals.diastolic, 90, 400), ("@severe_pressure", vitals.systolic, 160, 400),
        ("@severe_pressure", vitals.diastolic, 110, 400),
    )  # fmt: skip
    for fact, value, low, high in limits:
        if value is not None and low <= value < high:
            yield fact
    if adult and vitals.heart_rate and vitals.systolic and vitals.heart_rate / vitals.systolic >= 0.9:
        yield "@shock_index"
    if vitals.consciousness not in (None, "A") or (vitals.gcs or 15) < 15:
        yield "@not_alert"


def _described(who: Person) -> Iterator[str]:
    """Facts that rules may ask of the person. Of several ages each counts."""
    for age in who.ages:
        yield "@adult" if age >= 16 else "@child"
        for fact, low, high in (
            ("@under3m", 0, 0.2501), ("@infant", 0, 1), ("@under5", 0, 5), ("@over40", 40, 200),
            ("@over50", 50, 200), ("@over60", 60, 200), ("@teen", 9, 26), ("@fertile", 11, 56),
        ):  # fmt: skip
            if low <= age < high:
                yield fact
    if who.pregnant:
        yield "@pregnant"
        yield "@late_pregnant" if (who.weeks or 0) >= 20 else "@early_pregnant"
    if who.postpartum:
        yield "@postpartum"
    if who.sex:
        yield f"@{who.sex}"
    if who.sex != "male":
        yield "@maybe_female"
    if who.sex != "female":
        yield "@maybe_male"


_Met = tuple[Rule, tuple[str, ...]]  # a rule and the words that meet it


def _pressing(one: _Met) -> int:
    return -ORDER.index(one[0].disposition)


def _met(facts: dict[str, str]) -> list[_Met]:
    """The rules that the facts meet, each with the words that meet it, the most pressing first."""
    book, met = _book(), []
    for number in sorted({number for fact in facts for number in book.rules_by_fact.get(fact, ())}):
        rule = book.rules[number]
        groups = next((way for way in rule.when if not any(group.isdisjoint(facts) for group in way)), None)
        if groups is not None:
            told = (facts[min(group & facts.keys())] for group in groups)
            met.append((rule, tuple(dict.fromkeys(words for words in told if words))))
    return sorted(met, key=_pressing)


_SEEN = {
    "en": {"emergency": "Needs emergency help now", "urgent": "Needs to be seen today",
           "routine": "Can wait for an appointment", "self_care": "Can usually be treated at home",
           "may": "may be", "vitals": "a dangerous illness, by the vital signs",
           "emergency_like": "an emergency"},
    "es": {"emergency": "Necesita ayuda de urgencia ahora", "urgent": "Debe verse hoy",
           "routine": "Puede esperar a una cita", "self_care": "Suele poder tratarse en casa",
           "may": "puede ser", "vitals": "una enfermedad peligrosa, según las constantes vitales",
           "emergency_like": "una urgencia"},
    "zh": {"emergency": "现在就需要急救", "urgent": "今天就要就医", "routine": "可以预约就诊",
           "self_care": "通常可以在家处理", "may": "可能是", "vitals": "危险的疾病(根据生命体征)",
           "emergency_like": "急症"},
}  # fmt: skip


def _from_rule(rule: Rule, words: tuple[str, ...], language: Language) -> Finding:
    said = _SEEN[language]
    advice = " ".join(_book().lines[line][language] for line in rule.do)
    return Finding(
        rule=f"triage.{rule.id}", severity=_SEVERITY[rule.disposition], subjects=list(words),
        text=f"{said[rule.disposition]}: {said['may']} {rule.name[language]}. {advice}".strip(), source=rule.source,
    )  # fmt: skip


def _from_alarm(alarm: Alarm, language: Language) -> Finding:
    level: Disposition = "emergency" if alarm.level == "emergency" else "urgent"
    return Finding(
        rule="triage.vital-signs", severity=_SEVERITY[level], subjects=[alarm.text],
        text=f"{_SEEN[language][level]}: {_SEEN[language]['vitals']} ({alarm.text}).", source=alarm.source,
    )  # fmt: skip


def _triage(met: Sequence[_Met], warned: Iterable[Alarm], language: Language) -> Triage:
    lines = _book().lines
    ordered = sorted(warned, key=lambda alarm: alarm.level != "emergency")
    levels: list[Disposition] = [rule.disposition for rule, _ in met]
    levels += ["emergency" if alarm.level == "emergency" else "urgent" for alarm in ordered]
    worst: Disposition = max(levels, key=ORDER.index, default="none")
    top = [rule for rule, _ in met if rule.disposition == worst]
    findings = sorted(
        [*(_from_rule(rule, words, language) for rule, words in met), *(_from_alarm(a, language) for a in ordered)],
        key=lambda finding: -("info", "minor", "moderate", "major").index(finding.severity),
    )
    default = {"emergency": ("stay_with",), "urgent": ("today",)}.get(worst, ())
    categories = {rule.category for rule in top}
    ranked: tuple[Category, ...] = ("crisis", "poison", "abuse")
    category: Category = next((c for c in ranked if c in categories), "medical" if levels else "none")
    return Triage(
        disposition=worst, findings=tuple(findings), rules=tuple(dict.fromkeys(f.rule for f in findings)),
        advice=tuple(dict.fromkeys(lines[line][language] for rule in top for line in rule.do))
        or tuple(lines[line][language] for line in default),
        avoid=tuple(dict.fromkeys(lines[line][language] for rule in top for line in rule.avoid)),
        names=tuple(dict.fromkeys(rule.name[language] for rule in top))
        or ((_SEEN[language]["vitals"],) if worst in ("emergency", "urgent") else ()),
        category=category, language=language,
    )  # fmt: skip


def assess(text: str, profile: Profile | None = None, vitals: Vitals | None = None) -> Triage:
    """Triage one message. What the text itself says of age, sex and pregnancy goes before the profile."""
    return _triage(*_shown(text, profile or Profile(), vitals), detect(text))


def follow_up(text: str, earlier: Sequence[str], profile: Profile, before: Profile) -> Triage:
    """Triage a message of a thread: by itself, and by what it adds to earlier ones about the same person.

    It only raises, and what the earlier ones showed without it is not told again. `before` is the profile that they
    were read with.
    """
    met, warned = _shown(text, profile)
    if earlier:
        told, told_warned = _shown("\n".join(earlier), before)
        joint, joint_warned = _shown("\n".join([*earlier, text]), profile)
        known = {rule.id for rule, _ in (*met, *told)}
        met = sorted([*met, *(pair for pair in joint if pair[0].id not in known)], key=_pressing)
        warned = [*warned, *(alarm for alarm in joint_warned if alarm not in (*warned, *told_warned))]
    return _triage(met, warned, detect(text, *earlier))


def _shown(text: str, who: Profile, vitals: Vitals | None = None) -> tuple[list[_Met], list[Alarm]]:
    """The rules that a text meets, and the alarms of its vital signs."""
    plain = _corrected(normalise(text))
    person = known(text, who)
    measured = (vitals or Vitals()).merged(read(text))
    adult = all(age >= ADULT for age in person.ages)
    facts = dict.fromkeys((*_measured(measured, adult), *_described(person)), "") | _signs(plain)
    if who.conditions or who.medicines:
        history = _corrected(normalise(". ".join((*who.conditions, *who.medicines))))
        facts = _signs(history, background_only=True) | facts
    warned = list(alarms(measured, person))
    if warned:
        facts["@alarm"] = ""
    return _met(facts), warned


def suspected(triage: Triage, labels: Sequence[str]) -> Triage:
    """The triage raised to an emergency, because the message is like examples of these rules, the likest first.

    It is named only where the examples agree on what it may be; on what kind of help is needed the likest decides.
    """
    known = {rule.id: rule for rule in _book().rules}
    likest = known[labels[0]]
    agreed = likest if len(set(labels)) == 1 else None
    lines = _book().lines
    name = likest.name[triage.language] if agreed else _SEEN[triage.language]["emergency_like"]
    advice = [lines[line][triage.language] for line in (agreed.do if agreed else ("stay_with",))]
    finding = Finding(
        rule=f"triage.like.{likest.id}" if agreed else "triage.like", severity=_SEVERITY["emergency"], subjects=[],
        text=f"{_SEEN[triage.language]['emergency']}: {_SEEN[triage.language]['may']} {name}. {' '.join(advice)}",
        source="Primum: likeness to examples of emergencies; no rule names it",
    )  # fmt: skip
    return replace(
        triage, disposition="emergency", findings=(finding, *triage.findings), rules=(finding.rule, *triage.rules),
        advice=tuple(advice), avoid=tuple(lines[line][triage.language] for line in (agreed.avoid if agreed else ())),
        names=(name,), category=likest.category,
    )  # fmt: skip


@dataclass(frozen=True)
class Region:
    """The numbers of one country; an empty one is not known."""

    code: str
    name: str
    emergency: str
    poison: str
    crisis: str
    abuse: str
    source: str


@cache
def regions() -> dict[str, Region]:
    """By upper-case ISO code, and EU and INT."""
    return {row["code"]: Region(**row) for row in read_table("regions.csv")}


_CARD = {
    "en": {"call": "**Call {number} now.**", "unknown": "your local emergency number (112, 911 or 999)",
           "here": "Thank you for saying this. You deserve help, and there is help now.",
           "may": "What you describe may be {names}. Only an examination can tell; don't wait to find out.",
           "poison": "Poison line: {number}. If the person is awake and well, they tell you what to do.",
           "crisis": "To talk to someone now: {number}.", "abuse": "Help with violence or abuse: {number}.",
           "do": "**Until help comes**", "avoid": "**Don't**",
           "today": "**Get seen today**: a doctor, an urgent-care centre or an emergency department.",
           "worse": "If it gets worse, call {number}.",
           "low": "If you think of harming yourself, or can't keep yourself safe, call {number}."},
    "es": {"call": "**Llame al {number} ahora.**", "unknown": "número de emergencias de su zona (112, 911 o 999)",
           "here": "Gracias por contarlo. Merece ayuda, y hay ayuda ahora.",
           "may": "Lo que describe puede ser {names}. Solo una exploración puede aclararlo; no espere a saberlo.",
           "poison": "Toxicología: {number}. Si la persona está despierta y bien, le dirán qué hacer.",
           "crisis": "Para hablar con alguien ahora: {number}.", "abuse": "Ayuda ante violencia o maltrato: {number}.",
           "do": "**Hasta que llegue la ayuda**", "avoid": "**No haga esto**",
           "today": "**Que le vea hoy** un médico, un centro de urgencias o un hospital.",
           "worse": "Si empeora, llame al {number}.",
           "low": "Si piensa en hacerse daño o no puede mantenerse a salvo, llame al {number}."},
    "zh": {"call": "**现在就拨打{number}。**", "unknown": "当地急救电话(112、911或999)",
           "here": "谢谢您说出来。您值得得到帮助，现在就有人可以帮您。",
           "may": "您描述的情况可能是{names}。只有检查才能确定，不要等待。",
           "poison": "中毒咨询电话：{number}。如果当事人清醒且无不适，他们会告诉您怎么做。",
           "crisis": "现在就想找人谈谈：{number}。", "abuse": "遭受暴力或虐待时求助：{number}。",
           "do": "**在救援到来之前**", "avoid": "**不要**",
           "today": "**今天就去就医**：医生、急诊或医院。", "worse": "如果加重，请拨打{number}。",
           "low": "如果想伤害自己，或无法保证自己的安全，请拨打{number}。"},
}  # fmt: skip
_OR = {"en": " or ", "es": " o ", "zh": "或"}


def card(triage: Triage, region: str) -> str:
    """The card for a patient, in Markdown: whom to call, what it may be, what to do, what not.

    Below urgent there is none, but whoever is in distress is told whom to talk to whatever else is found.
    """
    said, place = _CARD[triage.language], regions().get(region.strip().upper(), regions()["INT"])
    number = said["unknown"] if place.code == "INT" else place.emergency
    someone = place.crisis or regions()["INT"].crisis
    distressed = any(rule.category == "crisis" and f"triage.{rule.id}" in triage.rules for rule in rules())
    if triage.disposition not in ("emergency", "urgent"):
        lines = [said["here"], said["crisis"].format(number=someone), said["low"].format(number=number)]
        return " ".join(lines) + "\n" if distressed else ""
    names = _OR[triage.language].join(triage.names[:2])
    emergency = triage.disposition == "emergency"
    lines = [said["call"].format(number=number) if emergency else said["today"]]
    lines += ["", said["here"] if triage.category in ("crisis", "abuse") else said["may"].format(names=names)]
    other = getattr(place, triage.category, "")
    if triage.category in ("poison", "abuse") and other:
        lines += ["", said[triage.category].format(number=other)]
    if distressed:
        lines += ["", said["crisis"].format(number=someone)]
    if triage.advice:
        lines += ["", said["do"] if emergency else "", *(f"- {line}" for line in triage.advice[:6])]
    if triage.avoid:
        lines += ["", said["avoid"], *(f"- {line}" for line in triage.avoid[:5])]
    if not emergency:
        lines += ["", said["worse"].format(number=number)]
    return "\n".join(lines).replace("\n\n\n", "\n\n").strip() + "\n"


def rules() -> tuple[Rule, ...]:
    """All rules, as loaded."""
    return _book().rules
