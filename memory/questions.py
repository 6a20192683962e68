"""What a doctor asked, as far as a patient's answer can make facts of it; and whether the answer is a yes or a no."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from primum.memory.allergies import allergies, scope
from primum.memory.clauses import Clause, Message, Told, Topic
from primum.memory.facts import ANY, DRUGS, Kind
from primum.memory.medicines import NARROWED, medicines
from primum.memory.states import states
from primum.safety.lexicon import mentions

Polarity = Literal["yes", "no", ""]
_FILLERS = r"\W*(?:(?:um+|uh+|oh|ah|well|er|hm+|so|okay|ok|i mean|ay|pues|bueno|嗯,|哦)\b\W*)*"
_YES = re.compile(
    rf"{_FILLERS}(?:(?:yes|yeah|yep|yup|yea|uh-huh|mm-hm|mhm|correct|right|exactly|absolutely|definitely|indeed"
    rf"|affirmative"
    r"|of course|si|claro|correcto|asi es)\b(?!,? (?:but )?no\b)|(?:that's|that is|it's|it is|you're"
    r"|you are) (?:right|correct|true)|that sounds (?:about )?right|i (?:think|believe) (?:so|that(?:'s| is) (?:right"
    r"|correct))|i guess so|i (?:do|am|have|did)\b(?! ?n[o']t| \w)|it is\b(?! \w)|是的?(?!不)|对(?![^,。]{1,20}过敏)"
    r"|嗯|有的|没错)"
)
_SURELY = re.compile(rf"{_FILLERS}(?:sure|i do|i am|i have|i did|有)\b(?! (?:not|n't))")
NO = re.compile(
    rf"{_FILLERS}(?:(?:no|nope|nah|never|negative|nothing|none|neither|nunca|tampoco|nada|ningun[oa]?)\b(?! (?:idea"
    rf"|se\b|problem))"
    r"|not? (?:that i|really|at all|any ?more|currently|right now|to my knowledge|as far|yet)|i (?:don't|do not"
    r"|am not|haven't|have not|didn't|did not|never have)\b(?! (?:know(?! of any)|remember|recall|understand"
    r"|think so,? but))|i'm not\b(?! sure)|没有?|不是?|无|没)"
)
UNSURE = re.compile(r"\b(?:not sure|no idea|don't know(?! of any)|do not know(?! of any)|can't remember"
    r"|don't remember|maybe|perhaps"
                     r"|no se\b|no estoy segur\w)|不知道|不清楚|不确定")  # fmt: skip
_ASKS_OF_ALLERGY = re.compile(r"allerg|intoleran|\b(?:adverse|bad) (?:drug )?reactions?|reactions? to|alergi|过敏")
_ASKS_OF_MEDICINE = re.compile(
    r"\b(?:medic(?:ation|ine|amento)s?|meds?|drugs?|pills?|prescriptions?|over[- ]the[- ]counter)\b|药"
)
_ASKS_OF_TAKING = re.compile(
    r"\b(?:tak(?:e|es|ing)|us(?:e|ing)|appl(?:y|ying)|use to treat|on anything|treating|(?:been|are you|is (?:he|she)"
    r"|you're) on|tom[ao]s?|tomando)\b|[吃服]"
)
_TOPICAL = re.compile(r"\b(?:anything|else|sure|nothing|how about|what about|other|like)\b"
                      r"|^\W*\w+(?:\W+(?:or|and)\W+\w+)?\W*$|\b(?:i (?:can )?see|looks like|is also)\b")  # fmt: skip
_PRESCRIBES = re.compile(
    r"\b(?:prescri\w+|let me (?:add|write|give|start)|i(?:'d| would) like|i(?:'ll| will) (?:add|give|write|start|put"
    r"|order)|going to|recommend\w*|suggest\w*|you (?:should|could|can|may|might)|want you|consider|i am (?:adding"
    r"|starting)|don't take|do not take|avoid)\b"
)
OTHERS_ASKED = re.compile(
    r"\b(?:does|is|has|did|was|can|are|that|so|of) (?:he|she|the patient|patient|they)\b|\bpatient\b|\b(?:his|her) "
)
WHAT_HAPPENS = re.compile(r"\b(?:what (?:happens|happened|kind of reaction|sort of reaction|reaction|does it do"
    r"|type of reaction)"
                           r"|how (?:do|did) you react|how about with|que (?:le|te) pasa)\b|什么反应")  # fmt: skip
_PRESUMES = re.compile(r"\b(?:what|how|when|since|why|which|where)\b")
_TAGS = re.compile(r"\W*(?:right|correct|is that (?:right|correct|so|true)|yes|no|okay|ok|isn't it|aren't you)\W*$")
OPEN = re.compile(r"\b(?:you mean|what|which)\b.*\?\s*$|\?\s*$")
EITHER = re.compile(r"\b(?:or|o)\b|还是|或")


@dataclass(frozen=True)
class Asked:
    """What a doctor asked or said right before a message, as far as a patient's answer can make facts of it."""

    text: str
    today: date
    carried: Topic = ""

    @cached_property
    def message(self) -> Message:
        return Message(self.text, third_is_patient=True, you_is_patient=True)

    @cached_property
    def last(self) -> tuple[Clause, ...]:
        """The clauses of the last sentence; of the one before, if the last only asks whether it is right."""
        clauses = self.message.clauses
        number = clauses[-1].sentence if clauses else 0
        while clauses and number and _TAGS.match("".join(one.plain for one in clauses if one.sentence == number)):
            number -= 1
        return tuple(one for one in clauses if one.sentence == number)

    @cached_property
    def words(self) -> str:
        return "".join(one.plain for one in self.last)

    @property
    def asks(self) -> bool:
        return "?" in self.words or any(one.asks for one in self.last) or bool(re.search(r"[吗呢]", self.words))

    @cached_property
    def topic(self) -> Topic:
        """What it is about: allergies, medicines, or what was spoken of before if it only goes on."""
        own = self._topic_of(self.words)
        return own or self._topic_of(self.message.plain)

    def _topic_of(self, words: str) -> Topic:
        if _ASKS_OF_ALLERGY.search(words):
            return "allergy"
        if _ASKS_OF_TAKING.search(words) or (_ASKS_OF_MEDICINE.search(words) and self.carried != "allergy"):
            return "medicine"
        return self.carried if _TOPICAL.search(words) or _ASKS_OF_MEDICINE.search(words) else ""

    @cached_property
    def proposed(self) -> tuple[Told, ...]:
        """What a yes would affirm: of a question what its last sentence names, of statements all that they name."""
        found = read(self.message, self.today, self.topic)
        wanted = {one.sentence for one in (self.last if self.asks else self.message.clauses)}
        return tuple(
            one
            for one in found
            if one.clause.sentence in wanted and not _PRESCRIBES.search(self.message.sentence(one.clause.sentence))
        )

    @property
    def presumes(self) -> bool:
        """Whether it asks for more of what it takes for granted: `how long have you been on Accutane?`"""
        return bool(_PRESUMES.search(self.words)) and not WHAT_HAPPENS.search(self.words)

    def everything(self) -> tuple[Kind, str] | None:
        """What a no would deny as a whole: all allergies, all of drugs, all medicines."""
        if not self.topic or re.search(r"\belse\b|\bother\b|其他|别的", self.words) or not self.asks:
            return None
        if any(not one.negated for one in self.proposed if one.value not in (ANY, DRUGS)) or mentions(self.words):
            return None
        own = bool(
            _ASKS_OF_ALLERGY.search(self.words)
            or _ASKS_OF_MEDICINE.search(self.words)
            or _ASKS_OF_TAKING.search(self.words)
        )
        own = own or bool(re.search(r"\b(?:anything|any|nothing)\b", self.words))
        if not own or re.search(r"\bsure\b", self.words):
            return None
        if self.topic == "allergy":
            return (
                None
                if re.search(r"\b(?:family|season|symptom|medication for)\b", self.words)
                else ("allergy", scope(self.words))
            )
        narrowed = NARROWED.search(re.sub(r"\bfor me\b|\banything else at all\b", "", self.words))
        return None if narrowed or _PRESCRIBES.search(self.words) else ("medicine", ANY)


def read(message: Message, today: date, topic: Topic) -> list[Told]:
    """All that a message tells, allergies first: what one is allergic to is no medicine that one takes."""
    allergic = allergies(message, topic)
    taken = tuple((one.start, one.stop) for one in allergic if one.value != ANY)
    others = states(message, today, taken)
    measured = tuple((one.start, one.stop) for one in others if one.kind == "laboratory")
    taken_up = (*taken, *measured)
    return sorted([*allergic, *medicines(message, today, topic, taken_up), *others], key=lambda one: one.start)


def polarity(plain: str) -> Polarity:
    """Whether a message begins with a yes or a no."""
    if _YES.match(plain):
        return "yes"
    if NO.match(plain) and not UNSURE.search(plain[:60]):
        return "no"
    return "yes" if _SURELY.match(plain) else ""
