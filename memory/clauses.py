"""The clauses of a message: whose they are, and whether they state, ask or only suppose."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Literal, NamedTuple

from primum.memory.facts import Kind
from primum.safety.context import status
from primum.safety.units import level

Topic = Literal["", "allergy", "medicine"]
Whose = Literal["patient", "relative", "other"]
Subject = Literal["patient", "other", "both"]
Place = tuple[int, int]

_SENTENCE = re.compile(r"[.!](?=\s|$|[\"')])(?<!\bdr\.)(?<!\bmr\.)(?<!\bmrs\.)(?<!\bvs\.)|[?;。!?](?!\d)|\n+|…")
_SUBJECT = (
    r"(?:i|i'm|i've|i'd|my|he|he's|she|she's|they|we|you|it|it's|that|there|nobody|the|his|her|mi|mis|yo|el|ella|soy"
    r"|tengo|tomo|estoy|puedo|no|我|他|她|mother|father|mom|mum|dad)\b"
)
_OPENER = (
    r"(?:can|could|may|might|should|shall|would|will|is|are|am|do|does|did|have you|has (?:he|she|anyone|it)|what"
    r"|which|how|why|who|ok|okay|right|correct|any (?:risk|problem|chance|idea)|or (?:should|can|is)|puedo|debo"
    r"|podria|que|cual|es (?:seguro|peligroso|malo))\b"
)
_CUT = re.compile(
    rf",\s*(?=(?:and |but |so |or |also |y |pero )?(?:{_SUBJECT}|{_OPENER}))"
    r"|\s*\b(?=(?:but|although|though|however|whereas|because|since (?:i|i'm|my)\b|as i\b|given that|considering"
    r"|now that|so (?=i |can |is |what |should )|pero|aunque|porque|ya que)\b)"
    rf"|\s(?=(?:and|or|y) (?:{_SUBJECT}|can|is|am|do|should|has|had|takes)\b)"
    r"|(?<!\bin)(?<!\bsince)(?<!\blast)\s(?=may (?:i|he|she|we)\b)"
    r"|\s(?=(?:can|could|should|shall) (?:i|he|she|we)\b|is (?:it|that|this) (?:safe|ok|okay|fine|bad|alright)\b"
    r"|(?:what|which|how) (?:can|should|do|about|is|are|much|many)\b|puedo\b)|\s(?=(?:if|whether|unless|in case"
    r"|what if|who|whose|even though|while) )|(?<=[\u4e00-\u9fff]),|,(?=[\u4e00-\u9fff])|\s-+\s|(?=如果|要是|万一"
    r"|假如|可以|能不能|能吃|但是|但|不过(?!敏))"
)
_ASKS = re.compile(
    rf"\W*(?:(?:and|so|but|also|or|then|please|y|well|hi|hello|doctor|dr)[, ]+)*(?:{_OPENER})|.*(?:可以|能不能|能吃"
    rf"|能喝|能用|是否|会不会|怎么|什么|哪|吗)"
)
_ASKS_PLAINLY = re.compile(
    r"\W*(?:(?:and|so|but|also|or|then|please|y|well|hi|hello|doctor|dr)[, ]+)*(?:(?:can|could|may|should|shall|would"
    r"|will|am|do|did|does|is|are) (?:i|he|she|we|it|you|that|this|my|there)\b|(?:what|how|which) (?:is|are|about|can"
    r"|should|do|does|much|many|if|would)\b|puedo|debo|es seguro|可以|能不能|能吃)|.*(?:可以.*吗|能.*吗|能不能"
    r"|可不可以)"
)
_GROUND = re.compile(
    r"\W*(?:because|since|as i\b|given that|considering|now that|porque|ya que|although|even though)\b"
)
_SUPPOSES = re.compile(
    r"^\W*(?:and |but |so |or )?(?:(?:if|whether|unless|in case|what if|suppose|imagine|si(?!,)|en caso)\b|如果|要是"
    r"|万一|假如)|\b(?:wonder(?:ing)? (?:if|whether|about)|don't know (?:if|whether)|not sure (?:if|whether|about)"
    r"|may be|might be|could be|would be|what if|no se si|quizas?|tal vez)\b"
)
# Of 7,700 sentences of patients the longest had 381 characters, and 99.9% of their clauses fewer than 160.
_LONGEST_SENTENCE, _LONGEST_CLAUSE = 500, 300
_KIN = (
    r"(?:step|half[- ]|grand|great[- ]grand)?(?:mother|mom|mum|mummy|mommy|mama|father|dad|daddy|papa|parents?"
    r"|sisters?|brothers?|siblings?|twin|sons?|daughters?|child(?:ren)?|kids?|baby|toddler|aunts?|uncles?|cousins?"
    r"|nieces?|nephews?|ma|pa|grandparents?|granny|gran|nana|madre|padre|padres|herman[oa]s?|hij[oa]s?|abuel[oa]s?"
    r"|ti[oa]s?|prim[oa]s?|bebe)"
)
_IN_LAW = (
    r"(?:wife|husband|spouse|partner|girlfriend|boyfriend|fiancee?|friends?|neighbou?rs?|boss|colleagues?|coworkers?"
    r"|room-?mates?|flat-?mates?|dogs?|cats?|pets?|mother-in-law|father-in-law|ex|espos[oa]|marido|mujer|novi[oa]"
    r"|amig[oa]s?|perr[oa]|gat[oa]|suegr[oa])"
)
_HAN_KIN = (
    "妈妈?|母亲|爸爸?|父亲|哥哥?|弟弟?|姐姐?|妹妹?|儿子|女儿|孩子|宝宝|奶奶|爷爷|外婆|外公|姥姥|姥爷|姑姑"
    "|叔叔|舅舅|阿姨"
)
_BETWEEN = r"(?!(?:and|but|or|i|is|was|has|had|to|for|from|of|in|with|on|my|says?|told|medic\w+)\b)"
_MARK = re.compile(
    rf"(?P<other>\b(?:an?|another|the|my) (?:patient|client)s?\b(?: of (?:mine|ours))?"
    rf"|\b(?:of|in|for|about) an? (?:[\w-]+ ){{0,2}}?\d{{1,3}}[- ]?(?:year|yr)s?[- ]olds?\b|\b(?:my|our|his|her|a|the"
    rf"|this|mi|un"
    rf"|una) (?:[\w-]+ ){{0,1}}?{_IN_LAW}\b(?:'s)?(?: of mine)?"
    r"|\b(?:someone|somebody|people|everyone|everybody|most|patients|nobody|you|your|we|our|they)\b|我?的?(?:老公"
    r"|老婆|丈夫|妻子|朋友|同事|邻居)|你|您)"
    rf"|(?P<relative>\b(?:my|our|his|her|mi|mis|su) (?:{_BETWEEN}[\w-]+ ){{0,4}}?(?P<kin>{_KIN})\b(?!-in-law"
    rf"|'s? side)(?: on (?:my|his|her) \w+'?s? side)?"
    r"|\bmy (?:\d+|one|two|three|four|five|six|seven|eight|nine|ten)[- ](?:day|week|month|year|yr|mo)s?[- ]olds?\b"
    rf"|^\W*(?:and |but )?(?P<bare>mother|mom|mum|dad|father|grandma|grandpa)\b(?!,)|我?的?(?P<han>{_HAN_KIN})"
    r"|(?P<family>\bfamily history\b|\bruns in (?:my|the|our) family\b|\bin (?:my|the|our) family\b"
    r"|antecedentes familiares|家族史|家族))|(?P<third>\b(?:he|he's|she|she's|his|her|him|hers|el (?=tom|tiene|es"
    r"|esta)|ella)\b|他|她)|(?P<self>\b(?:i|i'm|im|i've|ive|i'd|i'll|me|my|mine|myself|yo|mi|mis|soy|tengo|(?<!se )tomo"
    r"|estoy|me)\b|我|本人)"
)
_NOBODY = frozenset(
    "you your we our they people someone somebody everyone everybody most nobody patients 你 您".split()
)
_THIRD_VERB = re.compile(r"\W*(?:takes|has|is|was|had|died|uses|suffers|smokes|drinks|tiene|toma|murio)\b")
_DEATH = re.compile(r"\b(?:died|passed away|murio|fallecio)\b|去世")
# Words that take back what was said before, and those that may only be polite: "Sorry to bother you".
_CORRECTS = re.compile(
    r"\b(?:correction|i (?:was|am) wrong|i'm wrong|i meant|i mean,? not|my mistake|i misspoke|i made a mistake|typo"
    r"|was a mistake|not (?:\w+ ){1,3}but|quise decir|me equivoque|fue un error|it turns? out|turned out"
    r"|tested negative)\b|更正|[说搞弄写]错|记错"
)
_SHORT = 40  # characters of a sentence that only takes back: "Sorry, my mistake."
_PERHAPS_CORRECTS = re.compile(
    r"\b(?:actually|in fact|sorry(?=\W+(?:i|i'm|i've|no|not|it's|that|my)\b)|en realidad|perdon(?=\W+(?:no|soy|tengo"
    r"|mi|tomo"
    r"|peso|es)\b))\b|其实"
)
# What the clause before told is over: "I had a milk allergy but I outgrew it".
_GOES_AWAY = re.compile(
    r"\W*(?:(?:and|but|now|which|luckily|thankfully|fortunately|then|pero|y|ya)\b\W*)*(?:(?:it|that|this|they"
    r"|which)(?:'s| is"
    r"| has| was| have| are)? (?:(?:all|now|since|completely|been|finally) )*(?:gone|resolved|cured|went away|gone away"
    r"|cleared up|healed|outgrown|disappeared)\b|i(?:'ve| have)? (?:(?:since|now|finally) )*(?:outgr\w+|grew out of"
    r"|grown out of"
    r"|got over|gotten over|recovered from|been cured of) (?:it|that|them)\b|se me (?:paso|quito|fue)\b"
    r"|(?:它|现在|已经|后来)*(?:治?好了|痊愈|没有?了))"
)
# A statement of what somebody wants, plans, is told or has read, not of what is.
_UNREAL = re.compile(
    r"\b(?:want(?:s|ed)?|like|going|plan\w*|think(?:ing)? (?:about|of)|consider\w*|need|hop(?:e|ing)|wonder\w*"
    r"|advis\w+|told|recommend\w*|suggest\w*|afraid|worr\w+|scared|heard|read|tr(?:y|ying)|should|could|would|might"
    r"|(?<!in )(?<!since )(?<!until )(?<!last )(?<!of )(?<!this )may"
    r"|refus\w+|about|supposed|offered|instead|considering|rather|quiero|quisiera|pienso|puedo|debo|podria"
    r"|deberia|recomend\w+)"
    r"(?: \w+){0,2}? (?:to |about |of |on |me )?(?:stop(?:ping)? )?(?:start(?:ing)? |tak(?:e|ing) |us(?:e|ing) "
    r"|having |have |tomar |usar )?$|(?:想|打算|准备|建议|要不要|可以|能|应该)[^,]{0,4}$"
)

# What is excepted from what is denied, and that something is taken.
EXCEPT = re.compile(r"\b(?:except(?: for| to)?|other than|apart from|besides|aside from|but for|salvo|excepto)\b|除了")
TAKES = re.compile(
    r"\b(?:takes?|taking|took|taken|uses?|using|used|appl(?:y|ies|ying)|inject(?:ing)?|been having|put (?:me|him"
    r"|her) on|(?:am|i'm|im|is|are|be|been|was|were|you're|he's|she's|i've|still|currently|now|back|not|maintained"
    r"|also|stay\w*|me|him|her|started|only|mostly|usually) on|started|start(?:ing)?(?= (?:taking|on))|began"
    r"|restarted|resumed|prescribed|(?:switched|changed|moved|swapped|replaced) (?:[\w-]+ ){0,5}?(?:to|by|with)"
    r"|(?:cambie|cambiaron) (?:[\w-]+ ){0,5}?a|my (?:current |daily "
    r"|regular |other )?(?:meds?|medications?|medicines?|prescriptions?|pills)(?: list)?(?: are| is| include\w*"
    r"| consist of)|gave me|given|rely on|depend on|injections? of|empece (?:a tomar|con)|tom[oa]|tomamos|tomando"
    r"|tomaba|uso|usando|usaba"
    r"|me inyecto|estoy con|me (?:recet\w+|dieron|mandaron)|recetad[oa]|tratamiento con)\b|\b(?:medications?"
    r"|medicines?|meds|pills) ?:|[吃服用打喷]着?了?|注射|口服|开了|[换改]成"
)


def outside(taken: Iterable[Place]) -> Callable[[int, int], bool]:
    """Whether a place has nothing in common with those that are taken."""
    places = sorted(taken)
    starts, reach = [start for start, _ in places], [*accumulate((stop for _, stop in places), max)]

    def free(start: int, stop: int) -> bool:
        before = bisect_left(starts, stop)
        return before == 0 or reach[before - 1] <= start

    return free


class Clause(NamedTuple):
    """A part of a message, in small letters without accents, with what holds of it as a whole."""

    start: int
    stop: int
    plain: str
    sentence: int
    asks: bool
    supposes: bool
    marks: tuple[tuple[int, Whose, str], ...]
    before: tuple[Whose, str]


@dataclass
class Told:
    """What a clause tells, before it is a fact: the words of the value stand at `start:stop` of the message."""

    kind: Kind
    value: str
    start: int
    stop: int
    clause: Clause
    negated: bool = False
    since: str | None = None
    until: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    also: tuple[Place, ...] = ()
    corrects: bool = False


@dataclass(frozen=True)
class Message:
    """A message that is read. `third_is_patient`: it says `he` or `she` of the patient; `you_is_patient`: `you`."""

    text: str
    third_is_patient: bool = False
    you_is_patient: bool = False

    @cached_property
    def plain(self) -> str:
        return level(self.text)

    @cached_property
    def corrects(self) -> bool:
        """Whether it takes something back that was said before."""
        return bool(_CORRECTS.search(self.plain) or _PERHAPS_CORRECTS.search(self.plain))

    def corrects_at(self, clause: Clause, surely: bool = False) -> bool:
        """Whether a clause does: its sentence says so, or a short one before it. `surely`: not by `actually` alone."""
        found, perhaps = self._corrected[clause.sentence]
        return found or (perhaps and not surely)

    def sentence(self, number: int) -> str:
        """The words of a sentence; of none before the first and after the last."""
        return self.plain[slice(*self._sentences[number][:2])] if 0 <= number < len(self._sentences) else ""

    @cached_property
    def _sentences(self) -> tuple[tuple[int, int, bool], ...]:
        return tuple(_sentences(self.plain))

    @cached_property
    def _corrected(self) -> tuple[tuple[bool, bool], ...]:
        """Of each sentence, whether it takes something back for sure, and whether it may."""
        found: list[tuple[bool, bool]] = []
        for number in range(len(self._sentences)):
            before, words = self.sentence(number - 1), self.sentence(number)
            near = f"{before} {words}" if len(before) <= _SHORT else words
            found.append((bool(_CORRECTS.search(near)), bool(_PERHAPS_CORRECTS.search(near))))
        return tuple(found)

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        return tuple(self._clauses())

    @cached_property
    def _starts(self) -> list[int]:
        return [clause.start for clause in self.clauses]

    def clause_at(self, place: int) -> Clause | None:
        """The clause in which a place lies."""
        number = bisect_right(self._starts, place) - 1
        return self.clauses[number] if number >= 0 and place < self.clauses[number].stop else None

    def _clauses(self) -> Iterator[Clause]:
        before: tuple[Whose, str] = ("patient", "")
        third: tuple[Whose, str] = ("patient", "") if self.third_is_patient else ("other", "")
        for number, (start, stop, asked) in enumerate(self._sentences):
            places = _cut(self.plain, start, stop)
            opened = [bool(_ASKS.match(self.plain, a, b)) for a, b in places]
            supposed = False
            if not _THIRD_VERB.match(self.plain, start, stop):
                before = ("patient", "")
            for place, (a, b) in enumerate(places):
                part = self.plain[a:b]
                ground = bool(_GROUND.match(part))
                supposed = not ground and (supposed or bool(_SUPPOSES.search(part)))
                states = not any(opened) or place < opened.index(True)
                asks = not ground and (bool(_ASKS_PLAINLY.match(part)) or (asked and (not any(opened) or not states)))
                marks = []
                for at, whose, relative, named in self._marks(part, third):
                    marks.append((a + at, whose, relative))
                    if named:
                        third = (whose, relative)
                yield Clause(a, b, part, number, asks, supposed, tuple(marks), before)
                before = marks[-1][1:] if marks else before

    def _marks(self, part: str, third: tuple[Whose, str]) -> Iterator[tuple[int, Whose, str, bool]]:
        """Who is named where, and whether `he` or `she` may mean them from there on."""
        for match in _MARK.finditer(part):
            if match["relative"]:
                kin = match["kin"] or match["bare"] or match["han"] or ("family" if match["family"] else "child")
                third = ("relative", kin)
                yield match.start(), "relative", kin, not match["family"]
            elif match["third"]:
                yield match.start(), *third, False
            elif match["other"]:
                of_patient = self.you_is_patient and match["other"].startswith(("you", "你", "您", "the patient"))
                if not of_patient:
                    third = ("other", "") if not match["other"].startswith(("you", "we", "our", "they")) else third
                yield match.start(), "patient" if of_patient else "other", "", False
            elif not self.you_is_patient:
                yield match.start(), "patient", "", False

    def whose(self, clause: Clause, place: int) -> tuple[Whose, str]:
        """Whom the words at a place are about: the last one named before it, else whom the sentence is about."""
        named = [mark for mark in clause.marks if mark[0] <= place]
        if named:
            return named[-1][1:]
        later = next((mark for mark in clause.marks if mark[1] != "patient" and mark[2]), None)
        return later[1:] if later and later[2] == "family" else clause.before

    def states(self, clause: Clause, place: int) -> bool:
        """Whether the words at a place are stated of the patient: not asked, supposed, wished or of somebody else."""
        if clause.supposes or (clause.asks and not self.you_is_patient):
            return False
        before = clause.plain[: place - clause.start]
        if _UNREAL.search(before) and not re.search(r"\b(?:how|what) about (?:with )?$", before):
            return False
        return self.whose(clause, place)[0] == "patient"

    def gone(self, clause: Clause) -> Place | None:
        """Where the clause after it says that what it tells is over."""
        after = bisect_right(self._starts, clause.start)
        found = self.clauses[after] if after < len(self.clauses) else None
        return (found.start, found.stop) if found and _GOES_AWAY.match(found.plain) else None

    def status(self, start: int, stop: int) -> str:
        """Whether what stands at a place is present, negated, past … by the words of its sentence."""
        clause = self.clause_at(start)
        first, last = self._sentences[clause.sentence][:2] if clause else (0, len(self.plain))
        return status(self.plain[first : max(last, stop)], start - first, stop - first)


def subject_of(text: str) -> Subject:
    """Whom a message is about: the one who writes it, somebody else (`can I give my son ibuprofen?`), or both.

    Of each clause it is the person that it names last; a message that names nobody is about its writer.
    """
    found: set[str] = set()
    for clause in Message(text).clauses:
        named = [
            "patient" if match["self"] else "other"
            for match in _MARK.finditer(clause.plain)
            if match["family"] is None and (match["other"] or "") not in _NOBODY
        ]
        found.update(named[-1:])
    return "both" if len(found) == 2 else "other" if "other" in found else "patient"


def _sentences(plain: str) -> Iterator[tuple[int, int, bool]]:
    """Start, stop, and whether a question mark ends it."""
    start = 0
    for match in _SENTENCE.finditer(plain):
        for a, b in _parts(plain, start, match.end(), _LONGEST_SENTENCE):
            if plain[a : min(b, match.start())].strip():
                yield a, b, match.group().startswith(("?", "?"))
        start = match.end()
    for a, b in _parts(plain, start, len(plain), _LONGEST_SENTENCE):
        if plain[a:b].strip():
            yield a, b, bool(re.search(r"[吗呢]\W*$", plain[a:b]))


def _cut(plain: str, start: int, stop: int) -> list[Place]:
    """The clauses of a sentence."""
    bounds = [start]
    for match in _CUT.finditer(plain, start, stop):
        if match.end() > bounds[-1] and plain[bounds[-1] : match.end()].strip(" ,"):
            bounds.append(match.end())
    bounds.append(stop)
    places = (part for a, b in pairwise(bounds) for part in _parts(plain, a, b, _LONGEST_CLAUSE))
    return [(a, b) for a, b in places if plain[a:b].strip(" ,.?!")]


def _parts(plain: str, start: int, stop: int, longest: int) -> Iterator[Place]:
    """A sentence or clause that is too long to be one, cut at blanks: the time to read it grows with its length."""
    while stop - start > longest:
        at = plain.rfind(" ", start, start + longest) + 1 or start + longest
        yield start, at
        start = at
    yield start, stop
