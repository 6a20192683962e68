"""What is not known of a person and could change the advice: the question back."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from primum.safety import allergies, contraindications, interactions
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.language import Language
from primum.safety.lexicon import canonical, mentions
from primum.safety.profile import Profile
from primum.safety.threads import of_oneself

ASKED = 3  # in one go; more are not answered
_GRAVE = SEVERITIES.index("major")
# "How much can adults take?" asks of no one.
_FOR_SOMEONE = re.compile(
    r"\b(?:i|i['’]m|my|me|we|our|he|she|his|her|him|patient|(?:wo)?man|year[- ]old|y/?o)\b"
    r"|[我他她您]|患者|病人|孩子|宝宝",
    re.IGNORECASE,
)
_CHILD = re.compile(
    r"\b(?:child|kid|son|daughter|bab(?:y|ies)|infant|newborn|toddler|grandson|granddaughter|children|kids)\b"
    r"|孩子|宝宝|儿子|女儿|婴儿",
    re.IGNORECASE,
)
_EARLY, _LATE = Profile(pregnant=True, weeks_pregnant=8), Profile(pregnant=True, weeks_pregnant=32)
# Each with the profiles in which it is so.
_STATES: tuple[tuple[str, tuple[Profile, ...]], ...] = (
    ("pregnant", (_EARLY, _LATE)),
    ("breastfeeding", (Profile(breastfeeding=True),)),
    ("kidney", (Profile(egfr=20),)),
    ("liver", (Profile(conditions=("cirrhosis",)),)),
    ("ulcer", (Profile(conditions=("peptic ulcer",)),)),
    ("heart", (Profile(conditions=("heart failure",)),)),
    ("asthma", (Profile(conditions=("asthma",)),)),
)
_COMMON = ("warfarin", "apixaban", "lithium", "methotrexate", "simvastatin", "sertraline", "ramipril", "digoxin",
           "amiodarone", "clarithromycin", "phenytoin", "nitroglycerin", "tramadol", "spironolactone")  # fmt: skip

_CONDITIONS: dict[str, dict[str, str]] = {
    "en": {
        "kidney": "kidney disease",
        "liver": "liver disease",
        "ulcer": "an ulcer or bleeding",
        "heart": "heart failure",
        "asthma": "asthma",
    },
    "zh": {"kidney": "肾病", "liver": "肝病", "ulcer": "溃疡或出血", "heart": "心力衰竭", "asthma": "哮喘"},
}
_OR = {"en": (", ", " or "), "zh": ("、", "或")}
# As one asks who writes, and as one asks about somebody else.
_OWN: dict[str, dict[str, str]] = {
    "en": {
        "child": "How old is the child, and how heavy?",
        "weeks": "How many weeks pregnant are you?",
        "medicines": "Which other medicines do you take?",
        "pregnant": "Are you pregnant?",
        "breastfeeding": "Are you breast-feeding?",
        "conditions": "Do you have {}?",
        "allergy": "Are you allergic to a medicine?",
    },
    "zh": {
        "child": "孩子多大，体重多少？",
        "weeks": "您怀孕几周了？",
        "medicines": "您还在用哪些其他药物？",
        "pregnant": "您怀孕了吗？",
        "breastfeeding": "您在哺乳吗？",
        "conditions": "您有{}吗？",
        "allergy": "您对某种药物过敏吗？",
    },
}
_THEIRS: dict[str, dict[str, str]] = {
    "en": {
        "child": "How old is the child, and how heavy?",
        "weeks": "How many weeks is the pregnancy?",
        "medicines": "Which other medicines are taken?",
        "pregnant": "Is there a pregnancy?",
        "breastfeeding": "Is someone breast-fed?",
        "conditions": "Is there {}?",
        "allergy": "Is there an allergy to a medicine?",
    },
    "zh": {
        "child": "孩子多大，体重多少？",
        "weeks": "用药者怀孕几周了？",
        "medicines": "用药者还在用哪些其他药物？",
        "pregnant": "用药者是否怀孕？",
        "breastfeeding": "用药者是否在哺乳？",
        "conditions": "用药者是否有{}？",
        "allergy": "用药者是否对某种药物过敏？",
    },
}


def question_back(question: str, profile: Profile, language: Language = "en") -> str:
    """The questions, in one line, whose answers could change what is right for this person; empty if nothing is open.

    A fact is asked for if, were it so, a rule would find something major about a medicine that the question names and
    now finds nothing of that weight. What the profile holds, or rules out, is not asked.
    """
    if "pregnancy" in contraindications.conditions_of(profile.conditions):
        profile = profile.model_copy(update={"pregnant": True})
    names = list(dict.fromkeys(one.name for one in mentions(question)))
    names = [name for name in names if name not in map(canonical, profile.medicines)]
    if not names or not _FOR_SOMEONE.search(question):
        return ""
    language = language if language in _OR else "en"
    return _asked(list(islice(_open(names, question, profile), ASKED)), language, own=of_oneself(question))


def _asked(facts: Sequence[str], language: str, *, own: bool) -> str:
    """The questions for these facts; the conditions among them are one."""
    words, known = (_OWN if own else _THEIRS)[language], _CONDITIONS[language]
    (comma, last), found = _OR[language], [known[fact] for fact in facts if fact in known]
    conditions = last.join(filter(None, (comma.join(found[:-1]), *found[-1:])))
    asked = [words["conditions"].format(conditions) if fact in known else words[fact] for fact in facts]
    return ("" if language == "zh" else " ").join(dict.fromkeys(asked))


def _open(names: Sequence[str], question: str, profile: Profile) -> Iterator[str]:
    child = bool(_CHILD.search(question)) or (profile.age is not None and profile.age < 12)
    if child and (profile.age is None or profile.weight_kg is None):
        yield "child"
    now = _grave(names, profile)
    if profile.pregnant and profile.weeks_pregnant is None and _grave(names, _EARLY) != _grave(names, _LATE):
        yield "weeks"
    if not profile.medicines and any(interactions.pair(name, other) for name in names for other in _COMMON):
        yield "medicines"
    for fact, suppositions in _STATES:
        if not _known(fact, profile, child) and any(_grave(names, one.merged(profile)) - now for one in suppositions):
            yield fact
    if not profile.allergies and any(_cross_reacts(name) for name in names):
        yield "allergy"


def _known(fact: str, profile: Profile, child: bool) -> bool:
    if fact in ("pregnant", "breastfeeding"):
        told = profile.pregnant if fact == "pregnant" else profile.breastfeeding
        unlikely = profile.sex == "male" or child or (profile.age is not None and not 12 <= profile.age < 56)
        return told is not None or profile.pregnant is True or unlikely
    return fact == "kidney" and (profile.egfr is not None or profile.creatinine_umol_l is not None)


def _grave(names: Sequence[str], profile: Profile) -> set[str]:
    return {one.rule for one in contraindications.check(names, profile) if _weighs(one)}


def _weighs(finding: Finding) -> bool:
    return SEVERITIES.index(finding.severity) >= _GRAVE


def _cross_reacts(name: str) -> bool:
    return any(map(_weighs, allergies.check([name], ("penicillin (anaphylaxis)", "NSAIDs", "sulfonamide antibiotics"))))
