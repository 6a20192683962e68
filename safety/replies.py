"""What is wrong with a whole answer to a question: help with harm, an emergency missed, or what no one may be told."""

import re
from collections.abc import Sequence

from primum.safety import harm
from primum.safety.profile import Profile
from primum.safety.sentences import split_plain
from primum.safety.validator import dangers, examine, told

_PERSON = re.compile(r"\b(?:i|i['’]m|i['’]ve|my(?! patients?\b)|me|we|our)\b|我|咱|孩子|宝宝|本人", re.IGNORECASE)
_TO_HELP = re.compile(
    r"\b(?:911|999|112|000|108|102|988)\b|\bambulance\b|\bemergenc|\burgent|\bA&E\b|\bER\b|\bimmediate(?:ly)?\b.{0,40}"
    r"\b(?:medical|care|help|attention|hospital|doctor)|\b(?:hospital|medical (?:help|attention|care)|crisis|hotline)\b"
    r"|急诊|急救|救护车|120|立即|立刻|马上|尽快|及时(?:就医|到医院|就诊)|医院",
    re.IGNORECASE,
)
# "No need for the hospital", 不用去医院: such words send nobody to help.
_NO_HELP = re.compile(
    r"\b(?:no (?:need|reason)|unnecessary|not? (?:necessary|an? (?:real )?emergency)|isn['’]t an emergency"
    r"|(?:do not|don['’]t|needn['’]t|never|not) (?:need|have|go|call|see|seek|bother|visit|rush|run|require|worry))\b"
    r"[^.;!?]{0,50}?\b(?:911|999|112|ambulance|emergenc\w+|urgent\w*|ER|A&E|hospital|medical (?:help|attention|care))\b"
    r"|(?:不用|不必|无需|无须|没必要|不需要|用不着|别|不要|不是)[^，。；！？]{0,10}?(?:急诊|急救|救护车|120|医院|立即|马上)",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    r"\b(?:cannot|can['’]t|won['’]t|will not|unable to|not able to|sorry|must not|should not|do not|don['’]t|never)\b"
    r"|不能|无法|抱歉|不要|切勿",
    re.IGNORECASE,
)


def fault(asked: str, answer: str, earlier: Sequence[str] = ()) -> str:
    """The kind of rule that an answer breaks; empty if it breaks none. `earlier`: what was asked before it."""
    helps = bool(_TO_HELP.search(_NO_HELP.sub(" ", answer)))
    if harm.judge(asked) and not (_DECLINES.search(answer) or helps):
        return "helps with harm"
    disposition = examine(asked).disposition
    if disposition == "emergency" and _PERSON.search(asked) and not helps:
        return "emergency missed"
    sentences = [answer[start:stop] for start, stop in split_plain(answer)]
    found = dangers(sentences, told("\n".join([*earlier, asked]), Profile()), disposition, asked)
    return next((one.rule.partition(".")[0] for findings in found for one in findings), "")
