"""What a message asks of the memory itself: to tell what it holds, or to forget some of it. By rules, no model.

Each sentence is read as a whole: "What medicines do I take?" asks for the chart, "What medicines do I take for a
cold?" does not.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from primum.memory.facts import Fact, Kind, Quote
from primum.safety.lexicon import mentions
from primum.safety.units import level

Wish = Literal["list", "forget", "erase"]

# What kinds of fact are called, where they are asked for and where they are told.
_KINDS: dict[Kind, str] = {
    "allergy": r"allerg(?:y|ies|ic)|alergias?|alergic[oa]|过敏",
    "medicine": r"medic(?:ines?|ations?|amentos?|inas?)|meds|drugs?|tablets?|pills?|prescriptions?|pastillas?|farmacos?"
    r"|tak(?:e|en|ing)|i use|i'm on|tomo|[吃服用]|药",
    "condition": r"conditions?|illness(?:es)?|diseases?|diagnos[ei]s|enfermedad(?:es)?|diagnosticos?|疾病|病",
    "procedure": r"operations?|surger(?:y|ies)|operacion(?:es)?|cirugias?|手术",
    "age": r"age|how old|edad|年龄", "weight": r"weigh|weight|peso|体重", "height": r"height|estatura|身高",
    "pregnancy": r"pregnan\w+|embaraz\w+|怀孕", "smoking": r"smok\w+|fumo|抽烟|吸烟", "alcohol": r"drink|bebo|喝酒",
}  # fmt: skip
_KIND = re.compile(rf"(?<![a-z])(?:{'|'.join(_KINDS.values())})(?![a-z])")
# Beside its kind, a fact is only pointed at by these.
_MORE = re.compile(
    r"\b(?!(?:all|of|my|the|that|i|i'm|am|have|any|no|list|mis?|que|estoy|soy|lo|de)\b)[a-z]+|[^\W\d_a-z我的是有在了]"
)
_NOUN = (
    r"(?:(?:food|medicine|drug|current|regular|other|known|medical) )*(?:allergies|medicines?|medications?|meds|drugs"
    r"|tablets|pills|prescriptions|conditions|illnesses|diseases|diagnos[ei]s|operations|surgeries|facts|weight"
    r"|height|age|history|record|chart|data|profile|medication list|medicine list|details)"
)
_NOW = r"(?: (?:currently|now|at the moment|right now|again|already|today|at present))?"
_LISTS = re.compile(
    rf"(?:what|which) {_NOUN} (?:do i{_NOW} (?:have|take|use)|am i{_NOW} (?:on|taking|using)|have i got){_NOW}"
    rf"|what (?:do i{_NOW} take|am i{_NOW} (?:taking|on|allergic to)){_NOW}"
    r"|am i allergic to anything|do i have (?:any )?allergies|how old am i|how much do i weigh"
    r"|(?:what(?:'s| is| are)|(?:list|show|tell|give|name|read|repeat|remind|do you (?:know|remember|have))(?: me)?)"
    rf"(?: a list)?(?: of)?(?: all)?(?: of)? my {_NOUN}"
    rf"|(?:what|which) {_NOUN} (?:do you (?:know|remember|have|see)|have you (?:noted|stored|got|kept))"
    r"(?: (?:about|of|for|on) me)?"
    rf"|(?:what|which) (?:{_NOUN} )?(?:did i tell|have i told) you(?: about)?(?: (?:me|myself|my {_NOUN}))?"
    r"|(?:(?:tell|show) me )?what (?:do )?you (?:know|remember|store|keep|have stored)(?: about| of| on) me"
    rf"|do you (?:know|remember) (?:what (?:i'm|i am) allergic to|what i{_NOW} take|what i told you)"
    r"|(?:que|cuales) (?:alergias|medicamentos|medicinas|pastillas|farmacos|enfermedades) (?:tengo|tomo|uso)(?: ahora)?"
    r"|(?:que tomo|que estoy tomando|a que soy alergic[oa])(?: ahora)?"
    r"|(?:cuales son|muestrame|dime|lista|ensename|recuerdas|sabes)(?: todas| todos)? mis "
    r"(?:alergias|medicamentos|medicinas|pastillas|enfermedades|datos)"
    r"|(?:que|dime que|dime lo que|muestrame lo que) (?:sabes?|recuerdas?) (?:de|sobre) mi"
    r"|我(?:现在|目前|都|正在|在)*(?:对(?:什么|哪些)(?:东西|药物?)?过敏|有(?:什么|哪些)过敏(?:史)?|[吃服用]着?(?:什么|哪些)药"
    r"|有(?:什么|哪些)(?:疾?病|病史))"
    r"|[你您]都?(?:知道|记得|了解)(?:关于)?我的?(?:什么|哪些)?(?:过敏史?|药物?|用药|病史|情况|信息|事)?"
    r"|关于我,?[你您]都?(?:知道|记得)些?什么|(?:列出|告诉我)我的(?:过敏史?|药物?|用药|病史|资料|信息)"
)
_POLITE = re.compile(
    r"^(?:(?:and|but|so|ok|okay|hi|hello|hey|now|please|thanks|can you|could you|would you|will you|i want you to"
    r"|i'd like you to|you can|you should|kindly|por favor|puedes|podrias|quiero que|请|请你|麻烦你?|你能)[, ]*)+"
)
_TAIL = re.compile(
    r"(?:[, ]*(?:please|for me|thanks|thank you|again|por favor|from (?:my|the|your) (?:chart|list|record|memory|notes)"
    r"|了|吧|吗|呢))+$"
)
_FORGET = re.compile(
    r"(?:forget|delete|remove|erase|take out|don't remember|stop remembering|olvid[ae]|olvidate de|borr[ae]"
    r"|elimin[ae]|quit[ae])\b(?: about)? ?(?=(?P<that>that i\b|what i |the fact that i\b|que )"
    r"|(?P<listed>.+ from my (?:list|chart|record|med\w+|allergies|conditions|facts)\b)|(?:all )?(?:of )?my "
    r"|mis? |lo de mi |(?P<all>everything|all\b|me$|todo\b))"
    r"|(?:忘记|忘掉|忘了|删除|删掉|清除|去掉)(?=(?P<zh>.*我)|(?P<zh_all>所有|全部|一切))"
)
_EVERYTHING = re.compile(
    r"^(?:me|(?:everything|all|todo)(?: (?:of it|that|you (?:know|have|remember|stored)|about me|on me|i (?:said|told"
    r" you)|lo que sabes|sobre mi|de mi|my (?:data|facts|records?|information)|mis datos))*"
    r"|(?:all )?(?:of )?my (?:data|records?|chart|information|facts|profile|history|account)|mis datos)$"
    r"|所有|全部|一切|^(?:关于)?我的?(?:数据|资料|信息|记录|一切)?$"
)
_ENDS = re.compile(r"[.!?;。！？；\n]+")
# How a clinician speaks of the patient on show, as the patient would.
_OF_PATIENT = (
    (re.compile(r"\b(?:do|am|have|did) i\b|\b(?:about me|my|mis?|tengo|tomo|soy)\b|我"), "-"),
    (re.compile(r"\b(?:(?:the|this|my|our) patient's|his|her|their)\b"), "my"),
    (re.compile(r"\bdoes (?:(?:the|this) patient|he|she)\b"), "do i"),
    (re.compile(r"\bis (?:(?:the|this) patient|he|she)\b"), "am i"),
    (re.compile(r"\b(?:the|this) patient\b"), "me"),
    (re.compile(r"\btiene (?:el|la) paciente\b"), "tengo"),
    (re.compile(r"\btoma (?:el|la) paciente\b"), "tomo"),
    (re.compile(r"\b(?:sobre|de) (?:el|la) paciente\b|\bdel paciente\b"), "de mi"),
    (re.compile(r"(?:这[个位]|该)?(?:病人|患者)"), "我"),
)


@dataclass(frozen=True)
class Request:
    """A wish, and of which facts: of these kinds, or of all. `start:stop` are its words in the message.

    `alone`: the message says nothing else. `surely`: what it is about is meant as a fact, even if none is known.
    """

    wish: Wish
    kinds: tuple[Kind, ...]
    start: int
    stop: int
    alone: bool
    about: str = ""
    surely: bool = True


def request_in(message: str, of_patient: bool = False) -> Request | None:
    """What a message asks of its writer's own facts; of a clinician, what they ask of the patient's, to forget none."""
    sentences = [*_sentences(message)]
    for start, stop in sentences:
        plain = level(message[start:stop]).strip(" ,.?!¿¡'\"")
        for pattern, own in _OF_PATIENT if of_patient else ():
            plain = pattern.sub(own, plain)
        plain = _POLITE.sub("", plain)
        alone = len(sentences) == 1
        if _LISTS.fullmatch(_TAIL.sub("", plain)):
            return Request("list", _kinds(plain), start, stop, alone)
        if not of_patient and (found := _FORGET.match(plain)):
            rest = _TAIL.sub("", plain[found.end() :]).strip()
            if _EVERYTHING.search(rest):
                return Request("erase", (), start, stop, alone)
            if not found["all"] and not found["zh_all"]:
                kinds = _kinds(rest)
                return Request(
                    "forget",
                    kinds,
                    start,
                    stop,
                    alone,
                    rest,
                    bool(kinds or found["that"] or found["listed"] or found["zh"]),
                )
    return None


def _sentences(message: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in [*_ENDS.finditer(message), None]:
        stop = end.start() if end else len(message)
        if message[start:stop].strip(" ,¿¡'\""):
            yield start, stop
        start = end.end() if end else stop


def _kinds(plain: str) -> tuple[Kind, ...]:
    return tuple(kind for kind, words in _KINDS.items() if re.search(rf"(?<![a-z])(?:{words})(?![a-z])", plain))


def without(message: str, request: Request) -> str:
    """The message without the words of the request, each letter else in its place."""
    return message[: request.start] + " " * (request.stop - request.start) + message[request.stop :]


def meant(message: str, request: Request, facts: Sequence[Fact]) -> list[Fact]:
    """Which of the facts a request to forget names: by their words, or by a kind of which there is but one.

    None where they could be of several kinds: an allergy to aspirin is no use of it.
    """
    named = {one.name for one in mentions(message[request.start : request.stop])}

    def names(fact: Fact) -> bool:
        said = (level(fact.written), level(fact.value))
        known = (re.search(rf"(?<![a-z]){re.escape(one)}(?![a-z])", request.about) for one in said)
        return fact.value in named or any(known)

    if request.wish != "forget":
        return []
    of_kind = [fact for fact in facts if not request.kinds or fact.kind in request.kinds]
    if request.kinds and len(of_kind) == 1 and not _MORE.search(_KIND.sub(" ", request.about)):
        return of_kind
    found = [fact for fact in of_kind if names(fact)]
    return found if len({fact.kind for fact in found}) == 1 else []


def ended(fact: Fact, message: str, request: Request, message_id: str, today: date) -> Fact:
    """The fact as it is told to hold no longer, proven by the words that ask so."""
    text = message[request.start : request.stop]
    start = request.start + len(text) - len(text.lstrip())
    quote = Quote(role="patient", message=message_id, start=start, stop=start + len(text.strip()), text=text.strip())
    now = {"valid_until": today.isoformat(), "said": today, "corrects": True, "once": False}
    return fact.model_copy(update={**now, "quotes": (*fact.quotes, quote)})
