"""The one report on a text: what the rules find in a question, and what must not be said to this person.

`examine` reads a question, or any text of a person's; `dangers` reads an answer, sentence by sentence.
"""

import re
from collections.abc import Iterable, Sequence, Set
from itertools import combinations, zip_longest

from primum.safety import advice, allergies, contraindications, doses, injection, interactions, red_flags, routes
from primum.safety.findings import SEVERITIES, Disposition, Finding, SafetyReport
from primum.safety.lexicon import Mention, canonical, mentions
from primum.safety.person import read as person
from primum.safety.polarity import denies
from primum.safety.profile import Profile
from primum.safety.recommends import alternatives, recommended
from primum.safety.remembered import remembered
from primum.safety.sentences import split_plain
from primum.safety.unmeant import unmeant

RULES_VERSION = "rules-4"
BLOCKED = SEVERITIES.index("major")  # from this severity on, an answer must not say it
RISK = {"info": 0, "minor": 1, "moderate": 1, "major": 2, "contraindicated": 3}

_TAKES = re.compile(
    r"\b(?:i|he|she|we|they|patient|who|mother|father|mum|mom|dad|wife|husband|son|daughter|baby|child)\b[^.?!;]{0,40}?"
    r"\b(?:takes?|taking|am on|is on|are on|been on|uses?|using|prescribed|started"
    r"|had(?=(?: (?:some|an?|my|his|her|two|\d+(?: ?mg)?|doses? of|tablets? of))* ?$))\b"
    r"|(?:^|, |\band )\W*(?:(?:also|currently|regularly) )?(?:takes|uses)\b"
    r"|\b(?:taking|on|prescribed|medications?:|medicines?:|meds?:)\s|\b(?:tomo|toma|tomando)\b|在(?:吃|服|用)|服用",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r";|(?<!medication)(?<!medications)(?<!medicine)(?<!medicines)(?<!meds):"
    r"|\b(?:but|and|pero)\b(?=.*\b(?:can|want|should|may)\b)",
    re.IGNORECASE,
)
_NEXT = re.compile(r",|\band\b|:(?=.*\w)")  # the colon of "Meds: " itself stands at the end
_ASKS = re.compile(
    r"\b(?:can|could|may|should|shall|is it (?:safe|ok|okay|fine)|safe|want(?:s|ed)? to|if|would|puedo|debo)\b|可以|能",
    re.IGNORECASE,
)
_ALLERGY = re.compile(
    r"\ballerg(?:ic|y) to ((?:[\w'’-]+[ ,/]*){1,6})|((?:[\w'’-]+ ){1,2})allerg(?:y|ies)\b"
    r"|\bal[eé]rgic[oa] (?:a|al) (?:la |las |los )?([\w ]{3,30})|\balergia a (?:la |las |los )?([\w ]{3,30})"
    r"|对([^,，。]{1,8})过敏",
    re.IGNORECASE,
)
_ALLERGY_ENDS = re.compile(
    r"\b(?:can|could|may|should|is|are|am|was|what|which|how|but|so|please|while|when|since)\b"
    r"|\band (?:i|my|can|want|need|have)\b",
    re.IGNORECASE,
)
# "A rash with amoxicillin", "hives after ibuprofen"; what follows counts where it names a medicine.
_REACTED = re.compile(
    r"(?<!ankle )(?<!leg )(?<!foot )(?<!feet )\b(?:rash|hives|urticaria|anaphyla\w+|(?:allergic )?reaction|swelling"
    r"|swelled up|swollen (?:face|lips?|tongue|throat)|sarpullido|ronchas|urticaria|erupci[oó]n|reacci[oó]n)"
    r" (?:with|from|after|to|on|when (?:i|he|she) (?:took|had)|con|por|tras|despu[eé]s de|al tomar)"
    r" (?:(?:taking|having|using|a|an|the|my|his|her|dose|course|of|tomar) )*((?:[\w'’-]+ ?){1,3})"
    r"|[吃用服打]了?([^,，。]{1,8}?)(?:后|之后|以后|就)?(?:起|出|长)了?(?:皮疹|荨麻疹|疹子|风团)",
    re.IGNORECASE,
)
# What is asked, may happen, or treats a rash is no reaction that was had.
_NO_REACTION = re.compile(
    r"\b(?:no|not|never|without|any|can|could|may|might|does|do|will|would|if|risk|treat\w*|reliev\w*|help\w*|better"
    r"|gone|clear\w*|improv\w*|cream|puede|sin|si)\b[^.;?!]*$|会|能|可",
    re.IGNORECASE,
)
# From here on a medicine may be one that is taken or asked about, and no allergen.
_GOES_ON = re.compile(
    r"\b(?:tak(?:es?|en|ing)|took|on|us(?:es?|ed|ing)|given?|want|need|tom[oa]\w*|pued[oe]|debo|qu[eé]|pero|y)\b",
    re.IGNORECASE,
)
_NO_ALLERGY = re.compile(
    r"\b(?:no|not|never|without|denies|any|isn['’]t|sin|what|which)\b[^.;]*aller|\b(?:drug|food|seasonal) aller",
    re.IGNORECASE,
)
_BEFORE_ALLERGEN = re.compile(
    r"^(?:(?:an?|the|my|his|her|have|has|had|with|severe|known|bad|no|to)\s+)+", re.IGNORECASE
)
_LOWERS = re.compile(
    r"(?:\b(?:not|isn['’]t)|n['’]t) (?:be )?(?:an? )?(?:\w+ )?emergenc\w+"
    r"|\bno(?:thing)?\b[^.]{0,20}\b(?:serious|to worry about)\b"
    r"|\bno need to (?:call|go|see|seek|worry)|n['’]t (?:need to )?(?:call|go to|seek|see|worry|panic)"
    r"|\b(?:can|could|should|may|just|safe to) wait\b|\bwait and see\b|\bstay (?:at )?home\b"
    r"|\bprobably (?:just|nothing|only)\b|\bself[- ]limiting\b|\bharmless\b"
    r"|\b(?:do|does) not (?:need|require) (?:urgent|emergency|immediate|medical)"
    r"|no es (?:una )?emergencia|不是急症|不用(?:去|叫|看)|不需要",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"\b(?:it|them|this|these|those|the (?:medicine|drug|tablets?|medication))\b", re.IGNORECASE)


def rules_version() -> str:
    """The version of the rules, that of imported interactions in it: it changes with any of their rows."""
    return " ".join(filter(None, (RULES_VERSION, interactions.imported_version())))


def told(text: str, profile: Profile) -> Profile:
    """What the text says of the person, and what it leaves open from the profile; nothing of that is taken away."""
    return _said(text).merged(profile)


@remembered(maxsize=256)
def _said(text: str) -> Profile:
    who = person(text)
    affirmed = [text[a:b] for a, b in split_plain(text) if not denies(text[a:b])]
    sensitive = [_BEFORE_ALLERGEN.sub("", text[start:stop].strip(" ,/")) for start, stop in _allergens(text)]
    # Of several ages none is known to be the person's.
    return Profile(
        age=who.ages[0] if len(who.ages) == 1 else None,
        sex=who.sex,
        pregnant=who.pregnant or None,
        weeks_pregnant=who.weeks,
        breastfeeding=who.breastfeeding or None,
        weight_kg=who.weight_kg,
        height_cm=who.height_cm,
        egfr=who.egfr,
        creatinine_umol_l=who.creatinine_umol_l,
        allergies=tuple(dict.fromkeys(filter(None, [*sensitive, *(one for *_, one in _reactions(text))]))),
        medicines=tuple(dict.fromkeys(taken(text))),
        conditions=tuple(sorted(contraindications.conditions_of(affirmed))),
    )


def _allergens(text: str) -> list[tuple[int, int]]:
    """Where a text names what the person is allergic to: behind "allergic to", or before "allergy"."""
    return [
        (match.start(group), match.start(group) + len(_ALLERGY_ENDS.split(match[group])[0]))
        for match in _ALLERGY.finditer(text)
        for group in range(1, len(match.groups()) + 1)
        if match[group] and not _NO_ALLERGY.search(text[max(0, match.start() - 15) : match.end()])
    ]


def _reactions(text: str) -> list[tuple[int, int, str]]:
    """Where a text names what gave the person a rash, hives or a swelling, and the medicine as it is written."""
    return [
        (match.start(group), match.end(group), named[0].written)
        for match in _REACTED.finditer(text)
        for group in range(1, len(match.groups()) + 1)
        if match[group]
        and (named := mentions(match[group]))
        and not _NO_REACTION.search(text[max(0, match.start() - 40) : match.start()])
    ]


def in_play(text: str) -> tuple[Mention, ...]:
    """Where a text names medicines and foods, but those that it names as allergens: no one means to take them."""
    allergens = [(start, stop) for start, stop, _ in _reactions(text)]
    for start, stop in _allergens(text):
        on = _GOES_ON.search(text, start, stop)
        allergens.append((start, on.start() if on else stop))
    return tuple(one for one in mentions(text) if not any(start <= one.start < stop for start, stop in allergens))


def taken(text: str) -> list[str]:
    """The medicines that a text says are taken, with their form if it is told; not those that it only asks about."""
    found = []
    for start, stop in split_plain(text):
        sentence = text[start:stop]
        named, reacted = mentions(sentence), {one for *_, one in _reactions(sentence)}
        for one, following in zip_longest(named, named[1:]):
            before = _ASIDE.split(sentence[: one.start])[-1]
            takes = [match.end() for match in _TAKES.finditer(before)]
            asks = [match.end() for match in _ASKS.finditer(before)]
            if not takes or unmeant(before) or one.written in reacted:
                continue
            if (not asks or asks[-1] < takes[-1] - 25) and not denies(_clause(before)):
                form = routes.form_of(sentence, one, following.start if following else None)
                found.append(f"{one.name} {form[0]}" if form else one.name)
    return found


def _clause(before: str) -> str:
    """From where the words that say "is taken" begin: in "no fever, on digoxin" the fever alone is denied."""
    said = list(_TAKES.finditer(before))[-1].end()
    return before[max((match.end() for match in _NEXT.finditer(before, 0, said)), default=0) :]


def named_in(medicine: str) -> list[str]:
    """The names that the rules have for a medicine as a profile holds it: "timolol 0.5% eye drops" is timolol."""
    name = canonical(medicine)
    return [name] if name != medicine.lower() else [one.name for one in mentions(medicine)] or [name]


def between(medicines: Sequence[str], *, tell_unknown: bool = False) -> tuple[Finding, ...]:
    """The interactions of medicines as they are written, with their forms: a gel is no tablet."""
    names = [name for medicine in medicines for name in named_in(medicine)]
    local = routes.local_in(medicines)
    return tuple(routes.lowered(one, local) for one in interactions.check(names, tell_unknown=tell_unknown))


def examine(text: str, profile: Profile | None = None) -> SafetyReport:
    """What the rules find in a question or a note: an emergency, and what its medicines are to this person.

    Every medicine that the text names or the profile holds is looked at with every other.
    """
    who = told(text, profile or Profile())
    return found(text, who, red_flags.assess(text, who))


def found(text: str, who: Profile, triage: red_flags.Triage) -> SafetyReport:
    """The same, where what the text tells of the person and its triage are there already."""
    taking = [name for medicine in who.medicines for name in named_in(medicine)]
    names = list(dict.fromkeys([*(one.name for one in in_play(text)), *taking]))
    local = routes.local_in([text, *who.medicines])
    of_medicines = [
        *interactions.check(names),
        *contraindications.check(names, who),
        *contraindications.duplicates(names),
    ]
    findings = [
        *triage.findings,
        *(routes.lowered(one, local) for one in of_medicines),
        *allergies.check(names, who.allergies),
        *doses.check(text, who),
        *injection.in_question(text),
    ]
    return report(findings, triage.disposition)


def dangers(
    sentences: Sequence[str], profile: Profile, disposition: Disposition = "none", asked: str = ""
) -> list[tuple[Finding, ...]]:
    """For each sentence of an answer to what was asked, the findings for which it must not be said to this person."""
    found: list[tuple[Finding, ...]] = []
    before: tuple[str, ...] = ()
    spoken = last = ""
    for sentence in sentences:
        names = recommended(sentence)
        if not mentions(sentence) and _POINTS_BACK.search(sentence):
            names = before  # "Take it every six hours."
        else:
            spoken = sentence
        before = names
        findings = [*doses.check(sentence, profile), *_lowering(sentence, disposition)]
        findings += advice.check(sentence, last, asked)
        last = sentence
        if names:
            findings += _of_advised(names, profile, routes.local_in([spoken, *profile.medicines]), alternatives(spoken))
        found.append(tuple(one for one in findings if SEVERITIES.index(one.severity) >= BLOCKED))
    return found


def advised(names: Sequence[str], profile: Profile) -> list[Finding]:
    """What medicines would be to this person if each was advised by itself, the most severe first."""
    found = [one for name in names for one in _of_advised([name], profile, routes.local_in(profile.medicines))]
    return sorted({one.text: one for one in found}.values(), key=lambda one: -SEVERITIES.index(one.severity))


def _of_advised(
    names: Sequence[str], profile: Profile, local: routes.Local, apart: Set[frozenset[str]] = frozenset()
) -> list[Finding]:
    taking = [name for medicine in profile.medicines for name in named_in(medicine)]
    of_medicines = [*contraindications.check(names, profile), *_with(names, taking, apart)]
    return [*allergies.check(names, profile.allergies), *(routes.lowered(one, local) for one in of_medicines)]


def _with(names: Sequence[str], taking: Sequence[str], apart: Set[frozenset[str]]) -> list[Finding]:
    """Interactions of what is advised with what is taken, and within what is advised but not `apart`."""
    pairs = [(a, b) for a in names for b in taking if a != b]
    pairs += [pair for pair in combinations(names, 2) if frozenset(pair) not in apart]
    return [finding for a, b in dict.fromkeys(pairs) if (finding := interactions.pair(a, b))]


def _lowering(sentence: str, disposition: Disposition) -> list[Finding]:
    if disposition not in ("emergency", "urgent") or not _LOWERS.search(sentence):
        return []
    return [
        Finding(
            rule="triage.lowered",
            severity="contraindicated",
            subjects=[disposition],
            text="It makes light of warning signs that need help soon.",
            source="Primum's triage rules; each finding names its own source",
        )
    ]


def report(findings: Iterable[Finding], disposition: Disposition = "none") -> SafetyReport:
    """The findings, each once, the most severe first, and what follows from them all."""
    unique = {(one.rule, tuple(one.subjects)): one for one in findings}
    ordered = sorted(unique.values(), key=lambda one: -SEVERITIES.index(one.severity))
    level = max((RISK[one.severity] for one in ordered), default=0)
    level = max(level, {"emergency": 3, "urgent": 2}.get(disposition, 0))
    warnings = [one.text for one in ordered if SEVERITIES.index(one.severity) >= BLOCKED]
    return SafetyReport(
        risk_level=level, disposition=disposition, warnings=list(dict.fromkeys(warnings)), findings=ordered
    )
