"""Whether a finding in a text is present, or negated, past, hypothetical or a relative's: a small ConText.

After Chapman 2007 (ConText) and Harkema 2009: cue words with a direction, a reach and terminators. A cue inside the
finding itself does not count, so "can't breathe" stays what it is. In doubt a finding is present.
"""

import re
import unicodedata
from bisect import bisect_left
from typing import Literal, NamedTuple

from primum.safety.literals import literals, may_match
from primum.safety.remembered import remembered

Status = Literal["present", "negated", "historical", "hypothetical", "family"]

_PLAIN = {
    "‘": "'", "’": "'", "‛": "'", "´": "'", "`": "'", "“": '"', "”": '"', "‐": "-", "‑": "-", "‒": "-",
    "–": "-", "—": "-", "−": "-", "₂": "2", "º": "°", "|": " ", "*": " ", "_": " ",
}  # fmt: skip
_SIMPLIFIED = dict(
    zip(
        "頭無沒嘔發燒暈嬰個歲腫藥殺臉說話視覺腦癲癇氣過懷腳體溫傷壓鐘難喉嚨嘴脹當邊側麼嗎痠軀燙農藥亂們煙紅綠顏"
        "將勁劇鐵間經醫聽語遠輕關緊張塊車禍電撐兒從樓漿誤飲還這裡術後產婦隻滿臟髒識復紫絲網聞斷鬱準備繼續膽陰睪",
        "头无没呕发烧晕婴个岁肿药杀脸说话视觉脑癫痫气过怀脚体温伤压钟难喉咙嘴胀当边侧么吗酸躯烫农药乱们烟红绿颜"
        "将劲剧铁间经医听语远轻关紧张块车祸电撑儿从楼浆误饮还这里术后产妇只满脏脏识复紫丝网闻断郁准备继续胆阴睾",
        strict=True,
    )
)
_TABLE = str.maketrans(_PLAIN | _SIMPLIFIED)
_DOTS = re.compile(r"\s*\.{2,}")
_SPACES = re.compile(r"[^\S\n]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_CONTRACTIONS = {
    "can not": "can't", "cannot": "can't", "cant": "can't", "could not": "can't", "couldn't": "can't",
    "couldnt": "can't", "unable to": "can't", "not able to": "can't", "will not": "won't", "wont": "won't",
    "is not": "isn't", "isnt": "isn't", "are not": "aren't", "arent": "aren't", "do not": "don't", "dont": "don't",
    "does not": "doesn't", "doesnt": "doesn't", "did not": "didn't", "didnt": "didn't", "have not": "haven't",
    "havent": "haven't", "has not": "hasn't", "hasnt": "hasn't", "i am": "i'm", "im": "i'm", "ive": "i've",
    "i have": "i've", "he is": "he's", "hes": "he's", "she is": "she's", "shes": "she's", "cant't": "can't",
    "was not": "wasn't", "wasnt": "wasn't",
}  # fmt: skip
_CONTRACTED = re.compile(r"\b(?:" + "|".join(sorted(_CONTRACTIONS, key=len, reverse=True)) + r")\b")

_END = re.compile(r"\.(?!\d)|[!?;\n。]")
_TURN = re.compile(
    r"\b(?:but|however|although|though|except|yet|nevertheless|apart from|other than|now|then|pero|sino|aunque"
    r"|excepto|salvo|ahora|desde)\b|但|不过|可是|然而|现在|除了|却"
)
# Where a negation ends besides: the next verb or a new statement.
_STOP = re.compile(
    r"\b(?:has|have|having|had|is|are|was|i'm|i've|he's|she's|it's|reports?|reporting|complain\w*|presents?|presenting"
    r"|feels?|feeling|started|began|developed|since|because|so|just|only|suddenly|who|which|when|while|after|until"
    r"|still|with|he|she|they|my|tiene|tengo|esta|siento|me duele|porque|desde|con|pues)\b|[:()\[\]{}]|有|突然|因为"
    r"|出现"
)
_LISTED = re.compile(r"\b(?:or|nor|ni|o)\b|、|或")
_AND = re.compile(r"\b(?:and|y|plus)\b|,")

_NO = re.compile(
    r"\b(?:no (?:tiene|tengo|hay|presenta|siente|siento|ha tenido|me)|no|not|without|never(?: had| have)?|nor|neither"
    r"|(?:don't|doesn't|didn't|haven't|hasn't)"
    r"(?: really| currently)?(?: have| had| got| feel| get| experience| think| show)?|isn't|aren't|wasn't"
    r"|free of|negative for|absence of|lack of|no (?:sign|evidence|history|complaint)s? of|rul(?:ed|es|ing) out"
    r"|sin|niega|nunca|ningun[oa]?|tampoco|descart\w+)\b"
    r"|没有|没|无|不是|并非|未见|未出现|未|不(?=[^\s])"
)
_DENIES = re.compile(r"\b(?:den(?:ies|ied|y|ying)|negative for|no complaints? of|niega(?: tener)?)\b|否认|排除")
_NOT_A_NO = re.compile(
    r"(?:no|not|isn't|without|never|don't|doesn't|didn't|haven't|hasn't) (?:only|just|sure|certain|relieved|relief"
    r"|better"
    r"|improv\w*|getting|going|gone|helping|help|stop\w*|change|changes|worse|doubt|idea|matter|longer|able|one|warning"
    r"|obvious|reason"
    r"|known?(?! (?:[a-z]+ ){0,2}(?:allerg|intoleranc|history|disease|exposure|contact|trauma|injur))"
    r"|inhaler|again|well|right|making|make|good|enough|feel(?:ing)? (?:well|good|right|my)|sleep"
    r"|go(?:ing)? away|work\w*|normal|have (?:any )?(?:insurance|money|time|(?:a )?(?:car|phone))|want|let|like|much)\b"
    r"|no,|no (?:se|sabe|para|puedo|puede|mejora|cede|cesa|deja|responde|respira|despierta|aguanto|quiero|orina|come"
    r"|reacciona|habla|siente las|siento las|solo|estoy segur\w|es normal|aguanta|se (?:me )?(?:quita|pasa|le quita))\b"
    r"|nunca (?:antes|habia)|(?:没有?|无|不)(?:好转|缓解|改善|用|退|停|止|知|能|会|了|想|要|出|上|过来|省|对|法|力|清"
    r"|醒|动"
    r"|住|下|到|见|起|安|舒|断|吃|喝|尿|哭|理|应|反应|意识|呼吸|脉搏|知觉|感觉|敢|吸|肯|久|仅|只|同|可|得|适|整|明|足"
    r"|太|好)"
)
_NO_AFTER = re.compile(
    r"\s*(?:(?:is|was|has been|were|:|-|=)\s*)?(?:ruled out|denied|absent|negative|not present|excluded|descartad\w+"
    r"|none\b|no\b(?=\s*(?:$|[.,;\n)])))|\s*[:(]\s*(?:no|none|无|没有|-)(?=\W|$)|已?排除"
)

_PAST_BEFORE = re.compile(
    r"\b(?:(?:past |previous |prior |known |remote |medical |family |long )*(?:history|hx|h/o)(?: of)?|pmhx?|history:"
    r"|used to (?:have|get)|previous(?:ly)?(?! (?:fit|well|healthy|asymptomatic|independent|stable|normal|active))"
    r"|prior(?! to)|status post|s/p|survived|recovered from|antecedentes?(?: de)?"
    r"|historia de|tuve|solia|previ[oa]s?)\b|病史|曾经|以前|既往|曾有|曾患|得过|有过"
)
_PAST_AROUND = re.compile(
    r"\b(?:(?:back )?in (?:19|20)\d\d|last year|(?:\d+|a|two|three|four|five|six|ten|twenty|several|many|few|some"
    r"|couple of)"
    r" (?:years?|months?|decades?) ago|years ago|as a (?:child|kid|teenager|baby)|when i was (?:a |an )?(?:\d+|child"
    r"|kid"
    r"|young\w*|little|baby|teenager|pregnant with)|in (?:my|his|her) (?:childhood|twenties|teens|youth)|hace (?:\d+"
    r"|dos"
    r"|tres|muchos|varios|un|unos) (?:anos?|meses)|el ano pasado|en (?:19|20)\d\d|de (?:nino|nina|pequen[oa]))\b"
    r"|\d+年前|(?:19|20)\d\d年|去年|小时候|几年前|多年前|年前"
)
_ONGOING = re.compile(
    r"\b(?:started|began|begun|since|for the (?:past|last)|ongoing|still|continu\w+|now|right now|today|tonight|again"
    r"|currently|this (?:morning|afternoon|evening)|minutes? ago|hours? ago|just|suddenly|empezo|ahora|hoy|desde"
    r"|otra vez"
    r"|de nuevo|minutos|horas)\b|现在|今天|刚才|刚刚|正在|又|突然|开始|分钟|小时前"
)
_FAMILY = re.compile(
    r"\b(?:family history|fhx?|runs in (?:the|my|our) family|died (?:of|from)|passed away (?:of|from)|killed by"
    r"|antecedentes familiares|murio de|fallecio de)\b|家族史|死于"
)

_IF = re.compile(
    r"\b(?:if (?:i|you|he|she|it|they|we|someone|somebody|anyone|a|an|the|my|your|there|we're|you're|they're|i'm|i've"
    r"|you've|he's|she's|having|experiencing|this)|in case (?:of|i|you|he|she)|in the event of|should (?:you|he|she) "
    r"(?:have|develop|get|experience)|whether (?:i|you|to)|what happens (?:if|when|after)|what if|unless"
    r"|si (?:tengo|tuviera|tiene|tuviese|alguien|mi|me|sufro|una persona|un|se|hay|noto)|en caso de|que pasa si)\b"
    r"|如果|假如|万一|要是|若是|倘若"
)
_REAL_IF = re.compile(
    r"(?:what (?:should|do|can|to|must) ?(?:i|we)? do |que (?:hago|debo hacer|puedo hacer) |not sure |don't know "
    r"|wondering )"
    r"(?:if|si) (?:\S+ ){1,3}(?:took|taken|swallowed|swallow|drank|drunk|ate|eaten|overdosed|inhaled|has|have|had|is"
    r"|i've|'s|collapsed|fell|passed|fainted|isn't|can't|won't|tomado|tragado|trago|tomo|bebio|esta|ha|no)\b"
)
_ABOUT = re.compile(
    r"\b(?:(?:symptoms?|signs?|causes?|treatments?|types?|stages|definition|diagnosis|management|complications|risk"
    r"|risks|chances?|prevention|prognosis|pathophysiology|cure|prevalence|outlook) (?:of|for|from)"
    r"|(?:can|could|may|might|does|do|will|would|to|known to|did) (?:\S+ ){0,5}?(?:cause|causes|lead to|trigger"
    r"|result in|bring on|mean|give you|make you|increase|prevent|treat|cure|relieve|reduce|stop you from)"
    r"|(?:how|when|where) (?:do|can|would|could|should|to) (?:\S+ ){0,3}?(?:recogni[sz]e|know|tell|spot|identify"
    r"|prevent"
    r"|avoid|treat|diagnose|detect|manage|handle)|first aid|side effects?|difference between|define|definition of"
    r"|tell me about|information (?:on|about)|learn (?:more )?about|read about|article about|guidelines? (?:on|for)"
    r"|(?:used|indicated|approved|given|prescribed) (?:for|to treat)|(?:medicine|medication|drug|remedy|vaccine)s? for"
    r"|afraid of getting|worried about getting|what (?:is|are|'s) (?:a|an|the)|what's (?:a|an)|at risk (?:of|for)"
    r"|look out for|watch (?:out )?for|que es|que son|cuales son|sintomas de|signos de|causas de|riesgo de"
    r"|tratamiento (?:de|para)|como (?:se )?(?:reconocer|reconoce|saber|prevenir|evitar|tratar|trata|identificar)"
    r"|(?:puede|pueden|podria) (?:\S+ ){0,3}?(?:causar|provocar|producir|dar)|diferencia entre|primeros auxilios"
    r"|explica\w*|efectos secundarios)\b|什么是|何为|怎么预防|如何预防|如何识别|怎么识别|如何判断|会不会引起|会引起"
    r"|会导致"
    r"|能导致|可能导致|风险|介绍|解释"
)
_ABOUT_AFTER = re.compile(
    r"^[^.!?;\n。]{0,12}?(?:是什么|有什么症状|有哪些症状|有哪些|的症状|的原因|的治疗|怎么治|怎么预防|如何预防"
    r"|吃什么药|是怎么回事)"
)
_TOPIC = re.compile(
    r"^(?: [\w'-]+){0,3}? (?:medications?|medicines?|drugs?|treatments?|prevention|training|symptoms?|signs?|risks?"
    r"|side effects"
    r"|research|statistics|hotlines?|definition|causes|prognosis|survivors?|rehab\w*|awareness|guidelines?|management"
    r"|tratamiento|sintomas|prevencion)\b"
)
_SHOWING = re.compile(
    r"(?:has|have|having|had|shows?|showing|showed|with|got|getting|experiencing|display\w*|i've|i'm|tiene|tengo|con"
    r"|presenta) (?:all |the |some |classic |many |any |every |los |las )*$"
)
_GOES_ON = re.compile(
    r"^ (?:\S+ ){0,2}?(?:gets?|getting|becomes?|doesn't|won't|isn't|keeps?|continues?|comes? back|persists?|lasts?"
    r"|worsens?)\b"
)
_ASKS = re.compile(
    r"\s*(?:[\"'(\-]\s*)*(?:(?:hi|hello|hey|please|ok|okay|so|and|also|doctor|doc|question|dear \w+|hola)[,:! ]+)*"
    r"(?:what(?:'s| is| are| does| do| causes?| happens| kind| type| were| was| would| can| could)|which|why (?:is"
    r"|are|do|does)"
    r"|who|when (?:is|are|do|does|should|can)|where"
    r"|how (?:is|are|do|does|can|to|long|often|much|many|common|serious|dangerous|likely|would|should|can't)"
    r"|can(?!')|could(?!n)|does(?!n)|do (?:you|people|most|all|any|babies|children|women|men)|is (?:a|an|there"
    r"|it (?:safe|ok|possible"
    r"|true|bad|dangerous|harmful|legal|contagious)|\w+)|are|will|would|has anyone|tell me|explain|define|describe|list"
    r"|give me (?:info|some|a list)|que (?:es|son|causa|significa|medic\w+)|cual|cuales|como|por que|puede|pueden"
    r"|cuanto\w*"
    r"|cuando|donde|es (?:peligros\w|normal|grave|contagios\w)|existe|explica\w*"
    r")\b"
)
_ASKS_FOR_HELP = re.compile(
    r"what (?:should|do|can|must|shall|to) (?:i|we)? ?do\b|how (?:do|can|should) (?:i|we) (?:stop|help|save|get)"
    r"|can you (?:help|come)"
    r"|que (?:hago|debo hacer|puedo hacer)|怎么办|help me|could this be|could it be|is this|is it (?:a|an|my)\b"
    r"|why (?:is|am|does) (?:my|i)"
)
_PERSONAL = re.compile(
    r"\b(?:my|i'm|i've|i had|i feel|i felt|i can't|i took|i just|i woke|i get|me|mine|he|he's|she|she's|his|her|him"
    r"|we|our"
    r"|they're|the patient|pt|now|currently|suddenly|today|tonight|this morning|help|emergency|\d+ ?-?(?:year|month"
    r"|week|day)s?"
    r"[ -]old|mi|mis|me|tengo|siento|estoy|tiene|hijo|hija|ayuda|ahora|hoy)\b|我|他|她|孩子|宝宝|爸|妈|老公|老婆|突然"
    r"|现在|刚"
)
_ZH_MARK = re.compile(r"[?吗么]|什么|哪些|如何|为什么")
_ZH_ASKS = re.compile(r"什么是|是什么|有哪些|什么症状|如何|怎么预防|怎样|为什么|吗")


@remembered(maxsize=8)
def normalise(text: str) -> str:
    """Lower case, NFKC, plain quotes and dashes, no accents, simplified characters, one spelling of `can't` etc."""
    plain = unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE).lower()
    plain = _SPACES.sub(" ", _DOTS.sub(", ", _NOT_ASCII.sub(_without_accents, plain)))
    return _CONTRACTED.sub(lambda match: _CONTRACTIONS[match.group()], plain)


def _without_accents(run: re.Match[str]) -> str:
    letters = (c for c in unicodedata.normalize("NFD", run.group()) if not unicodedata.combining(c) and c != "\u200b")
    return unicodedata.normalize("NFC", "".join(letters))


@remembered(maxsize=4)
def _ends(text: str) -> list[int]:
    return [match.end() for match in _END.finditer(text)]


@remembered(maxsize=4)
def _turns(text: str) -> list[int]:
    return [match.start() for match in _TURN.finditer(text)]


def _last_before(places: list[int], limit: int, otherwise: int) -> int:
    number = bisect_left(places, limit)
    return places[number - 1] if number else otherwise


def _first_from(places: list[int], limit: int, otherwise: int) -> int:
    number = bisect_left(places, limit)
    return places[number] if number < len(places) else otherwise


# Words of an exam, a story or a course, and words of someone who is ill now: with these it is a report all the same.
_TOLD = re.compile(
    r"\b(?:mcqs?|osces?|usmle|plab|(?:exam|practice|revision|quiz|test) question|vignettes?|case stud(?:y|ies)|homework"
    r"|essay|flashcards?|(?:our|my) (?:tutor|lecturer|teacher) ask\w*|(?:mock|hypothetical|imaginary) (?:patient|case)"
    r"|(?:crime |detective )?novel|screenplay|short story|(?:in|for) my (?:story|book|play|script)|thriller|d&d"
    r"|(?:in|on) (?:the|a) (?:film|movie|book|series)|(?:watching|saw) a (?:film|movie|show)|lyrics?|podcast"
    r"|(?:first[ -]aid|cpr|bls|als|lifeguard|paramedic|rescue) (?:course|class|courses|refresher|training|assessment"
    r"|lesson)|training course|teaching (?:scouts|kids|students)|novela|cuento|pelicula|curso de)\b"
    r"|小说|电影|剧本|考试题|培训|课程"
)
_REPORTED = re.compile(
    r"\b(?:i've|i'm (?!writing|teaching|studying|doing|revising|watching|reading)|i (?:feel|can't|took|just|had)"
    r"|my (?:son|daughter|wife|husband|mum|mom|dad|father|mother|baby|child|kid|partner|friend|neighbour|boyfriend"
    r"|girlfriend|gran\w*|brother|sister|chest|head|heart|arm|leg|lips?|throat|face|stomach|belly)|right now|help me"
    r"|please help|ambulance|really happening|me duele|tengo|ahora mismo)\b|我(?!的?小说)(?:胸|头|妈|爸|老|孩)|救命"
)


class _Cues(NamedTuple):
    """Which kinds of cue words a text can hold at all: whether their literals stand in it."""

    denies: bool
    past_before: bool
    past_around: bool
    family: bool
    conditional: bool
    about: bool
    told: bool


_LITERALS = [literals(cue.pattern) for cue in (_DENIES, _PAST_BEFORE, _PAST_AROUND, _FAMILY, _IF, _ABOUT, _TOLD)]


@remembered(maxsize=4)
def _cues(text: str) -> _Cues:
    return _Cues(*(may_match(known, text) for known in _LITERALS))


def status(text: str, start: int, stop: int, *, measured: bool = False) -> Status:
    """What the words around `text[start:stop]` say of it. The text is one that `normalise` gave.

    Args:
        measured: it is a value, which a history does not take in beyond a comma: "PMH asthma, SpO2 91%".
    """
    cues, ends, turns = _cues(text), _ends(text), _turns(text)
    first, last = _last_before(ends, start + 1, 0), _first_from(ends, start + 1, len(text))
    left, right = max(first, _last_before(turns, start, 0)), min(last, _first_from(turns, stop, last))
    before, clause = text[left:start], text[left:right]
    if _negated(before, text[start:stop], text[stop:right], cues):
        return "negated"
    if cues.family and _FAMILY.search(clause):
        return "family"
    past = before.rpartition(",")[2] if measured else before
    if ((cues.past_around and _dated(clause)) or (cues.past_before and _past(past))) and not _ongoing(clause):
        return "historical"
    if _hypothetical(text[first:last], text[first:start], text[stop:last], cues):
        return "hypothetical"
    return "present"


def _negated(before: str, said: str, after: str, cues: _Cues) -> bool:
    if _NO_AFTER.match(after):
        return True
    false: list[tuple[int, int]] | None = None
    for cue in _NO.finditer(before):
        if false is None:
            false = [match.span() for match in _NOT_A_NO.finditer(before + said + after[:20])]
        if any(a <= cue.start() < b for a, b in false):
            continue
        gap = before[cue.end() :]
        if _STOP.search(gap) or _too_far(gap, cue.group()):
            continue
        if not _AND.search(gap):
            return True
        rest = gap[gap.rfind(",") + 1 :] if "," in gap else ""
        if "," in gap and not re.search(r"\b(?:and|y|plus)\b", gap):
            # The last of a list may be said in one with the one before: "no fever, cough or haemoptysis".
            tail = (said + after).split(",")[0] if not _LISTED.search(rest) else ""
            if _LISTED.search(rest) or _LISTED.search(tail) or re.match(r"[^.]*, *(?:or|nor|ni|o) ", after):
                return True
    for cue in _DENIES.finditer(before) if cues.denies else ():
        gap = before[cue.end() :]
        if not _STOP.search(gap) and gap.count(" ") <= 14 and len(gap) <= 120:
            return True
    return False


def _too_far(gap: str, cue: str) -> bool:
    """Further than a negation reaches: 3 words after `not`, 6 after `no`, 8 characters in Chinese (lists apart)."""
    if re.search(r"[\u4e00-\u9fff]", cue):
        return "," in gap or ("、" not in gap and "或" not in gap and len(gap) > (3 if cue == "不" else 8))
    return gap.count(" ") > (4 if cue in ("not", "isn't", "aren't", "wasn't") else 12 if "," in gap else 7)


def _past(before: str) -> bool:
    for cue in _PAST_BEFORE.finditer(before):
        gap = before[cue.end() :]
        if gap.count(" ") <= 8 and not re.search(
            r"\b(?:with|presents?|presenting|has|i've|is|i'm|comes?|having)\b|\)", gap
        ):
            return True
    return False


@remembered(maxsize=64)
def _dated(clause: str) -> bool:
    return bool(_PAST_AROUND.search(clause))


@remembered(maxsize=64)
def _ongoing(clause: str) -> bool:
    return bool(_ONGOING.search(clause))


def _hypothetical(sentence: str, before: str, after: str, cues: _Cues) -> bool:
    if cues.told and _of_nobody(sentence):
        return True
    if _GOES_ON.match(after):
        return False
    for cue in _IF.finditer(before) if cues.conditional else ():
        if not _REAL_IF.search(sentence) and not re.search(r"(?:right now|现在|ahora)", sentence):
            return before.count(",", cue.end()) < 2
    for cue in _ABOUT.finditer(before) if cues.about else ():
        gap = before[cue.end() :]
        if gap.count(" ") <= 10 and not _SHOWING.search(before[: cue.start()]) and not _PERSONAL.search(gap):
            return True
    if _TOPIC.match(after) and not _personal(sentence):
        return True
    if _ABOUT_AFTER.match(after) and not _PERSONAL.search(before):
        return True
    return _asks(sentence) and not _personal(sentence)


@remembered(maxsize=64)
def _of_nobody(sentence: str) -> bool:
    """Whether a sentence is of an exam, a story or a course and tells of nobody who is ill now."""
    return bool(_TOLD.search(sentence)) and not _REPORTED.search(sentence)


@remembered(maxsize=64)
def _personal(sentence: str) -> bool:
    return bool(_PERSONAL.search(sentence))


@remembered(maxsize=64)
def _asks(sentence: str) -> bool:
    """Whether a sentence asks a question, but not for help."""
    asks = _ASKS.match(sentence) or (_ZH_ASKS.search(sentence) and _ZH_MARK.search(sentence))
    return bool(asks) and not _ASKS_FOR_HELP.search(sentence)
