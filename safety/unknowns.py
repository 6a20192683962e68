"""What is not known of a person and could change the advice: the question back."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from primum.safety import allergies, contraindications, interactions
from primum.safety.findings import SEVERITIES, Finding
from primum.safety.lexicon import canonical, mentions
from primum.safety.profile import Profile

ASKED = 3  # in one go; more are not answered
_GRAVE = SEVERITIES.index("major")
# "How much can adults take?" asks of no one.
_FOR_SOMEONE = re.compile(
    r"\b(?:i|i['’]m|my|me|we|our|he|she|his|her|him|patient|(?:wo)?man|year[- ]old|y/?o)\b", re.IGNORECASE
)
_CHILD = re.compile(
    r"\b(?:child|kid|son|daughter|bab(?:y|ies)|infant|newborn|toddler|grandson|granddaughter|children|kids)\b",
    re.IGNORECASE,
)
_EARLY, _LATE = Profile(pregnant=True, weeks_pregnant=8), Profile(pregnant=True, weeks_pregnant=32)
# Each with the profiles in which it is so.
_STATES: tuple[tuple[str, tuple[Profile, ...]], ...] = (
    ("Is there a pregnancy?", (_EARLY, _LATE)),
    ("Is someone breast-fed?", (Profile(breastfeeding=True),)),
    ("Is there kidney disease?", (Profile(egfr=20),)),
    ("Is there liver disease?", (Profile(conditions=("cirrhosis",)),)),
    ("Is there an ulcer or a bleeding?", (Profile(conditions=("peptic ulcer",)),)),
    ("Is there heart failure?", (Profile(conditions=("heart failure",)),)),
    ("Is there asthma?", (Profile(conditions=("asthma",)),)),
)
_COMMON = ("warfarin", "apixaban", "lithium", "methotrexate", "simvastatin", "sertraline", "ramipril", "digoxin",
           "amiodarone", "clarithromycin", "phenytoin", "nitroglycerin", "tramadol", "spironolactone")  # fmt: skip


def question_back(question: str, profile: Profile) -> str:
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
    return " ".join(islice(_open(names, question, profile), ASKED))


def _open(names: Sequence[str], question: str, profile: Profile) -> Iterator[str]:
    child = bool(_CHILD.search(question)) or (profile.age is not None and profile.age < 12)
    if child and (profile.age is None or profile.weight_kg is None):
        yield "How old is the child, and how heavy?"
    now = _grave(names, profile)
    if profile.pregnant and profile.weeks_pregnant is None and _grave(names, _EARLY) != _grave(names, _LATE):
        yield "How many weeks is the pregnancy?"
    if not profile.medicines and any(interactions.pair(name, other) for name in names for other in _COMMON):
        yield "Which other medicines are taken?"
    for words, suppositions in _STATES:
        if not _known(words, profile, child) and any(_grave(names, one.merged(profile)) - now for one in suppositions):
            yield words
    if not profile.allergies and any(_cross_reacts(name) for name in names):
        yield "Is there an allergy to a medicine?"


def _known(words: str, profile: Profile, child: bool) -> bool:
    if "pregnancy" in words or "breast-fed" in words:
        told = profile.pregnant if "pregnancy" in words else profile.breastfeeding
        unlikely = profile.sex == "male" or child or (profile.age is not None and not 12 <= profile.age < 56)
        return told is not None or profile.pregnant is True or unlikely
    return "kidney" in words and (profile.egfr is not None or profile.creatinine_umol_l is not None)


def _grave(names: Sequence[str], profile: Profile) -> set[str]:
    return {one.rule for one in contraindications.check(names, profile) if _weighs(one)}


def _weighs(finding: Finding) -> bool:
    return SEVERITIES.index(finding.severity) >= _GRAVE


def _cross_reacts(name: str) -> bool:
    return any(map(_weighs, allergies.check([name], ("penicillin (anaphylaxis)", "NSAIDs", "sulfonamide antibiotics"))))
