"""Which sentences of an answer need proof: all but courtesy, questions back, and what only opens a list."""

import re

from primum.safety.lexicon import drugs
from primum.safety.polarity import denies
from primum.safety.sentences import Sentence
from primum.safety.units import quantities
from primum.safety.words import Bag, claims, tokens

_QUESTION_BACK = re.compile(
    r"\b(?:you|your|who|which|how|when|what|where|is|are|do|does|did|have|has)\b", re.IGNORECASE
)
_RHETORICAL = re.compile(r"\b(?:did you know|isn['’]t it|why not|right)\b", re.IGNORECASE)
# "You can stop your treatment." and "It goes away by itself." hold general words alone and are advice all the same:
# such a sentence is harmless only if it is about this assistant and its sources, is polite, or sends to a doctor.
_ABOUT_US = re.compile(
    r"\b(?:I|my|me|we|us|our)\b.*\b(?:ask|answer|help|know|find|found|say|tell|understand|sorry|question|information)"
    r"|\b(?:passages?|library|sources?|primum|assistant)\b"
)
_COURTESY = re.compile(
    r"\b(?:hello|hi|welcome|thanks?|sorry|glad|happy|hope|good (?:morning|evening|day)|bye|understandable|worr\w+"
    r"|here (?:is|are)|in short|to sum up|please ask|feel free)\b",
    re.IGNORECASE,
)
_SENDS_TO_HELP = re.compile(
    r"\b(?:see|speak|talk|tell|contact|consult|visit|call|ask)\b.*"
    r"\b(?:doctor|gp|pharmacist|nurse|midwife|physician|specialist|clinic|hospital|professional|team|someone|help)\b",
    re.IGNORECASE,
)
_CARE = re.compile(
    r"\b(?:treat\w*|medic\w*|drugs?|therap\w*|symptoms?|diseases?|illness\w*|disorders?|diagnos\w*)\b", re.IGNORECASE
)
# What a text asks of an assistant; "describe your pain to the doctor" is advice to a reader.
_TASK = re.compile(
    r"(?:please\s+)?(?:(?:can|could|would) you\s+)?"
    r"(?:analy[sz]e|calculate|compare|compose|create|define|describe|discuss|explain|find me|generate|give me|help me"
    r"|list (?:all|some|the)|name the|outline|provide|recommend (?:an?|me|some)|show me|solve|suggest|summari[sz]e"
    r"|tell me|translate|write)\b",
    re.IGNORECASE,
)
_READER = re.compile(
    r"\b(?:your?|doctors?|gp|nurses?|midwife|pharmacists?|team|clinicians?|providers?|patients?)\b", re.IGNORECASE
)
_OF_ONESELF = re.compile(r"\bI(?:['’](?:m|ve|d|ll)| (?:am|was|have|had|wish|think|feel|felt|want|would|need|took))\b")
_VERDICT = frozenset("is are was be can cannot should must may not no never avoid safe unsafe take stop use".split())


def is_clinical(text: str) -> bool:
    """Whether a sentence claims something of medicine; a question back to the reader does not."""
    if text.rstrip("*_ ").endswith("?") and _QUESTION_BACK.search(text) and not _RHETORICAL.search(text):
        return any(q.unit for q in quantities(text))
    if claims(text) or any(q.unit for q in quantities(text)) or drugs(text):
        return True
    if _ABOUT_US.search(text):
        return False
    harmless = _COURTESY.search(text) or (_SENDS_TO_HELP.search(text) and not denies(text))
    return not harmless or bool(_CARE.search(text))


def asserts(text: str) -> bool:
    """Whether a sentence of a source says that something holds.

    A question, a task for an assistant and what someone tells of himself prove nothing: they stand in headings, in
    texts that were written to be obeyed, and in reviews.
    """
    if text.rstrip("*_\"'”’) ").endswith(("?", "？")):
        return False
    if _OF_ONESELF.search(text):
        return False
    task = _TASK.match(bare := text.lstrip("-*•#>\"'“ "))
    return not task or bool(_READER.search(bare, task.end()))


def only_leads(sentence: Sentence, everything: Bag) -> bool:
    """A short heading or the line that opens a list: it names what follows and judges nothing."""
    if not (sentence.heading or sentence.text.rstrip("*_ ").endswith(":")):
        return False
    words = tokens(sentence.text)
    if (
        len(words) > 10
        or (_VERDICT & set(words)) - {"are", "is", "can", "may"}
        or any(q.unit not in ("", "type") for q in quantities(sentence.text))
    ):
        return False
    if sentence.heading and _VERDICT & set(words):
        return False
    return all(everything.says(one) for one in claims(sentence.text))
