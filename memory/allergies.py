"""What a message says of allergies: to what, how it showed, and what is denied."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from primum.memory.clauses import EXCEPT, TAKES, Clause, Message, Place, Told, Topic
from primum.memory.facts import ANY, DRUGS, FOODS
from primum.safety.allergies import reaction_of
from primum.safety.lexicon import canonical, members, mentions
from primum.safety.phrases import Phrases
from primum.safety.remembered import remembered
from primum.safety.tables import read_table
from primum.safety.units import level

# What is told of allergies. LIST is what follows.
_ALLERGIC_TO = re.compile(
    r"\b(?:allergic (?:reactions? )?(?:to|against)|allerg(?:y|ies) (?:to|are|is|include\w*)|(?:bad |adverse |severe "
    r"|anaphylactic )?reactions? to|anaphyla\w+ (?:to|from|after|with)|react(?:ed|s)? (?:\w+ly )?to|(?:intoleran\w+"
    r"|hypersensitiv\w+) (?:to|of)|alergic[oa]s? (?:al?|con)|alergias? (?:al?|:)|reaccion(?:es)? al?)\b:?"
    r"|\b(?:allergies|alergias) ?:|过敏(?:的是|原是|史?[::])"
)
_HAN_ALLERGIC = re.compile(
    r"对(?P<list>[^,。;!?对]{1,30}?)(?:已经?|现在)*(?P<not>不再?|没有?|无)?(?:会|也|都|有|严重|药物)*过敏"
)
_NAME = (
    r"\b(?!(?:i|i'm|i've|have|has|had|having|got|with|an?|the|my|and|or|also|severe|bad|mild|known|new|any|no|do|does"
    r"|you|other|some|of|to|is|are|was|his|her|your|developed|been|very|serious|slight|lifelong|what|how|about"
    r"|seasonal|family|drug|food|medicine|medication|about|get|getting|from|for|many|several|all|these|those|this"
    r"|that)\b)[a-z][\w'-]*"
)
_ALLERGY_OF = re.compile(
    rf"(?P<list>(?:{_NAME}(?:,? (?:and|or) |, | )){{0,3}}?{_NAME}) allerg(?:y|ies)\b(?! (?:to|season|tests?|clinic"
    rf"|shots?"
    r"|medic\w+|pills?|tablets?|specialist|doctor|nurse|symptoms?))"
)
_HAVE_ALLERGY = re.compile(r"\b(?:have|having|had|has|got|with|my|i've|and|developed|known|diagnosed|a|an|the)\b")
_CANNOT_TAKE = re.compile(r"\b(?:can't|cannot|can not|not able to|unable to|not supposed to) (?:take|have|tolerate)\b")
_GIVES_REACTION = re.compile(
    r"(?:gives?|gave|giving|makes?|made|causes?|caused|brings?|brought|me da|me dan|me dio|me produce\w*"
    r"|me provoc\w*)\b"
)
_REACTED = re.compile(
    r"\b(?:get|got|have|had|develop(?:ed)?|come out in|came out in|broke out in|break out in|(?:went|go) into"
    r"|me sal\w+|tuve)\b[^,.;]{0,50}?\b(?:from|to|with|after|when(?:ever)? i (?:take|took|have|had|eat|ate|use|used)"
    r"|if i (?:take|have|eat|use)|on|con|cuando tomo|al tomar)\b"
)
_HAN_REACTED = re.compile(r"[吃服用打](?P<list>[^,。;]{1,15}?)(?:以后|之后|后|会|就|时|的时候)+")
_TO_ME = re.compile(r"\bm[ey]\b|\bmi\b")
_RELIEVED = re.compile(
    r"\b(?:go(?:es)? away|went away|better|improv\w*|less|fewer|clear\w*|disappear\w*|eas(?:e|es|ed|ier)|calm\w*)\b"
)
REACTION = re.compile(
    r"\b(?:anaphyla\w+|(?:bad |severe |terrible |mild |itchy |skin |full[- ]body )*(?:rash(?:es)?|hives|itch\w*"
    r"|welts)|swelling(?: of (?:the|my) \w+)?|(?:throat|tongue|face|lips?) (?:\w+ ){0,2}?(?:swell\w*|swollen|clos\w+"
    r"|swelled)|swell(?:s|ed)?(?: up)?|swollen \w+|blisters?|angioedema|wheez\w+|trouble breathing|can't breathe"
    r"|difficulty breathing|short(?:ness)? of breath|nausea|vomit\w*|throw(?:ing)? up|threw up|diarrh\w+"
    r"|stomach (?:upset|pain|ache)|upset stomach|headaches?|dizz\w+|cough|steven'?s[- ]johnson\w*|ronchas|urticaria"
    r"|sarpullido|erupcion|hinchazon|anafila\w+|picazon|nauseas|vomitos)\b|皮疹|荨麻疹|起疹子?|休克|呼吸困难|瘙痒"
    r"|发痒|水肿|呕吐|恶心|腹泻"
)
_GRAVE = re.compile(r"\b(?:severe\w*|life[- ]threatening|grave|deathly|almost (?:died|killed))\b|严重")
_SLIGHT = re.compile(r"\b(?:mild\w*|slight\w*|leve|minor)\b|轻微|轻度")
_SEVERITIES = {"skin-severe": "severe", "severe": "severe", "mild": "mild", "intolerance": "intolerance"}
_NO_ALLERGY = re.compile(
    r"(?:\b(?:no|not|without|nil|zero|denies|deny|any|never had)|n't)\b(?P<mid>[^.;,]{0,30}?)\b(?:(?:drug|medication"
    r"|medicine|food)s? )?"
    r"(?:allerg(?:y|ies)|allergic(?: reactions?)?|intolerances?)\b(?: history)?(?P<rest>(?: (?:that )?(?:to|at all|of"
    r"|i know)\b[^.;,]{0,40})?)|\bnk[df]?a\b|\bno (?:soy|tengo|sufro"
    r"|conozco)[^.;,]{0,25}alergi\w+(?P<rest_es>[^.;,]{0,30})|\bsin alergias[^.;,]{0,25}"
    r"|\bninguna alergia[^.;,]{0,25}|(?:没有?|无|否认|未发现)(?:任何|已知|什么|其他|对)*(?:药物|食物|药"
    r"|东西)*(?:和食物|、食物)*的?过敏史?|(?<!对)(?:什么|任何东西)?都?不过敏"
)
_OF_ONE = re.compile(
    r"\b(?:to|a|al) (?!any|all|drugs?|medic\w+|meds|foods?|nothing|the best|my knowledge|nada|ningun|be\b)[a-z]"
)
_OF_ALLERGY = re.compile(f"allerg|alergi|过敏|react|anaphyl|intoleran|hypersens|\\bnk[df]?a\\b|{REACTION.pattern}")
_DENIED_ALLERGY = re.compile(
    r"\b(?:no|not|n't|never|neither|without|isn't|nothing|don't|do not|am not|ni|sin|denies)\b|n't\b"
)
_DRUG_WORD = re.compile(r"\b(?:drugs?|medic\w+|meds?|antibiotics?|farmacos?|pills?)\b|药")
_FOOD_WORD = re.compile(r"\b(?:foods?|comidas?|alimentos?)\b|食物")
_LIST_ENDS = re.compile(
    r"\b(?:which|that|otherwise|because|since|when|whenever|if|so|but|it|they|and (?:i|my|it|they|we|she|he|have|had"
    r"|get|take"
    r"|now|am|can|also (?:take|have))|causes?|gives?|gave|makes?|made|with|for|from|as|where|can|could|i|is|are|was"
    r"|were|has|have|had|by|after|before|during|pero|porque|cuando|desde|que|me|y (?:tomo|tengo|soy|estoy|me)"
    r"|in (?:my|(?:19|20)\d\d)|last (?:week|month|year))\b"
    r"|[.;!?。]"
)
_LIST_PARTS = re.compile(
    r"[(\[][^)\]]*[)\]]?|,|/|、|;|\b(?:and|or|nor|plus|as well as|y|e|o|ni|also)\b|&|和|及|跟"
    r"|或|还有"
)
_ITEM_LEAD = re.compile(
    r"(?:(?:an?|the|my|some|any|all|most|certain|perhaps|maybe|possibly|probably|also|only|just|both|either|mainly"
    r"|the drug|known|severe|severely|mild|bad|um|uh|like|called|la|el|los|las|un|una|unos|have|having|had|has|got"
    r"|with|yes|i|of|to|a|al|slight|terrible|serious|documented|life[- ]threatening|medications?|drugs?"
    r"|medicines?)\W+)+"
)
_ITEM_TAIL = re.compile(
    r"(?:\s+(?:drugs?|medicines?|medications?|meds|antibiotics?|products?|too|as well|though|actually|currently"
    r"|anymore|since childhood|myself|tambien|especially|please|doctor|allergy|allergies))+$"
)
NO_NAME = re.compile(
    r"^soy (?!milk|sauce|beans?|products?|protein)\w|^(?:it|them|this|that|these|those|anything|nothing|everything"
    r"|something|things?|stuff|none|any|all|some|others?"
    r"|else|one|any ?one|me|you|him|her|us|work|life|drugs?|medic\w+|meds?|foods?|pills?|the|a|an|my|your|i|no|not"
    r"|yes|know\w*|what|which|who|being|having|taking|doing|getting|ok|okay|nada|algo|eso|esto|ningun.*|know of|food"
    r"|drug|many|several|few|lots?|list|quite.*|more|again|far|really|very|so|allerg\w+|bad|severe|mild|season"
    r"|seasonal|other|do|does|did|are|you|your|how|about|when|with|for|on|in|at|is|was|were|there|have|has|new"
    r"|adverse|past|history|reactions?|him|family|two|three|also|什么|任何|东西|药物?|食物|其他)\b|\b(?:few|several"
    r"|many|lots?|number|list|anything|medicines?|medications?|any|nothing|take|taking|eat|don't|not|know|think"
    r"|thank\w*|sure|sorry)\b"
)
# What takes an allergy back that was told before.
_TAKEN_BACK = re.compile(r"\b(?:no longer|any ?(?:more|longer)|after all|ya no)\b|不再")
_TESTED = re.compile(
    r"\btested negative (?:for|to) (?:(?:an?|any|the|my) )?(?P<for>[^.;]{2,40})"
    r"|\b(?:tests?|challenge) (?:for|to|with) (?P<of>[^.;,]{2,40}?) (?:was|were|came back|is) negative"
    rf"|\bmy (?P<own>(?:{_NAME} )?{_NAME}) (?:allergy|skin) (?:tests?|challenge) (?:was|were|came back|is) negative"
)
_OUTGREW = re.compile(
    r"\b(?:outgr[eo]wn?|gr[eo]wn? out of) (?:an?|my|the|his|her) (?P<list>[^.;,]{2,40}?)(?: (?:allerg|intoleran)\w+|$)"
)
_OUTGREW_IT = re.compile(
    r"\b(?:outgr[eo]wn?|gr[eo]wn? out of) (?:it|that|them)\b|\b(?:no longer|not) allergic(?: any ?more)?\W*$"
)
_BUT_NOT = re.compile(
    r"\W{1,3}(?:(?:and|but|pero|y)\b\W*)?(?:(?:not|no)\b|不是|[但并]?(?:不是)?对?不是)\W*(?:(?:to|a|al|the|la"
    r"|el)\b\W*)*"
    r"(?P<list>[^.;,。?!]{2,40})"
)
_OTHERWISE = re.compile(r"\b(?:other|otherwise|else|(?:apart|besides|aside)(?: from)? (?:that|this))\b|其他|别的")
_IN_BRACKETS = re.compile(r" ?[(\[][^)\]]*[)\]]")
_BROAD = frozenset({"environment"})  # groups that say less than the words: cats and pollen
_I_AM = re.compile(r"\bno soy\b")  # which is no bean
_LETTER = re.compile(r"[a-z\u4e00-\u9fff]")


@cache
def _allergens() -> Phrases:
    """The groups of allergens that safety knows, by their names."""
    rows = (*read_table("allergies.csv"), *read_table("excipients.csv"))
    return Phrases({name: row["id"] for row in rows for name in row["names"].split("|") if name})


@remembered(maxsize=4096)
def allergen(written: str) -> str:
    """The canonical name of an allergen: a substance or class of the lexicon, else a group of a table, else as said."""
    name = canonical(written)
    if name != written.lower():
        return name
    found = mentions(written)
    if len(found) == 1 and found[0].stop - found[0].start >= 0.6 * len(written):
        return found[0].name
    plain = level(written).strip()
    group = _allergens().meanings.get(plain) or _allergens().meanings.get(plain.removesuffix("s"))
    if group and group not in _BROAD:
        name = canonical(group)  # a class has one name, wherever it is listed
        return name if members(name) else group
    return plain.removesuffix("s") if len(plain) > 4 and not plain.endswith("ss") else plain


def scope(words: str) -> str:
    """What a denial denies: all drugs, all foods, or all."""
    if _DRUG_WORD.search(words):
        return DRUGS
    return FOODS if _FOOD_WORD.search(words) else ANY


def allergies(message: Message, topic: Topic = "") -> list[Told]:
    """Allergies told and denied, each with its reaction; under a question about allergies a bare name is one."""
    found: list[Told] = []
    if topic != "allergy" and not _OF_ALLERGY.search(message.plain):
        return found
    near: list[Told] = []  # what may reach into a clause, and what was named in the one before
    before: list[Told] = []
    for clause in message.clauses:
        told = [*_denials(message, clause), *_lists(message, clause, topic)]
        told += _others_denied(message, told)
        near = [one for one in near if one.stop > clause.start]
        if not told:
            _late_reaction(message, clause, before)
            _late_end(message, clause, before)
        before = []
        for one in told:
            if all(one.stop <= other.start or one.start >= other.stop for other in near):
                near.append(one)
                before += [] if one.negated else [one]
                found.append(one)
    return found


def _denials(message: Message, clause: Clause) -> Iterator[Told]:
    for match in _NO_ALLERGY.finditer(clause.plain):
        start = clause.start + match.start()
        whose = message.whose(clause, clause.start + match.start())[0] == "patient"
        if whose and not clause.supposes and (message.you_is_patient or not clause.asks):
            if match.group().split()[0] == "any" and not message.you_is_patient:
                continue
            if _OTHERWISE.search(clause.plain, 0, match.end()):
                continue
            named = _known(_I_AM.sub(" ", match.group())) or _OF_ONE.search(match.group()) or _han_named(clause)
            if not named and not EXCEPT.search(message.sentence(clause.sentence)):
                value = scope(match.group())
                yield Told("allergy", value, start, clause.start + match.end(), clause, negated=True)


def _han_named(clause: Clause) -> bool:
    """Whether `对…不过敏` names what is no allergy."""
    match = _HAN_ALLERGIC.search(clause.plain)
    return match is not None and not re.search("什么|任何|东西", match["list"])


def _lists(message: Message, clause: Clause, topic: Topic) -> Iterator[Told]:
    """The allergens of a clause, by the words that stand before or after them."""
    text = clause.plain
    if back := [*_taken_back(message, clause)]:
        yield from back
        return
    seen = False
    for match in _ALLERGIC_TO.finditer(text):
        seen = True
        yield from _each(message, clause, clause.start + match.end(), clause.stop, clause.start + match.start())
    for match in _HAN_ALLERGIC.finditer(text):
        seen = True
        a, b = (clause.start + at for at in match.span("list"))
        denied = bool(match["not"]) or bool(re.search(r"(?:不|没有?|无)$", text[: match.start()]))
        for start, stop, written in _items(message, a, b):
            if message.states(clause, clause.start + match.start()):
                yield _allergy(message, clause, start, stop, written, denied)
    if seen:
        return
    if (other := EXCEPT.search(text)) and (topic == "allergy" or _NO_ALLERGY.search(message.sentence(clause.sentence))):
        after = clause.start + other.end()
        yield from _each(message, clause, after, clause.stop, after, False)
        return
    for match in _ALLERGY_OF.finditer(text):
        before = text[: match.start("list")]
        if _HAVE_ALLERGY.search(text[: match.end("list")]) or not before.strip():
            a, b = (clause.start + at for at in match.span("list"))
            for start, stop, written in _items(message, a, b):
                if message.states(clause, start) and (_known(written) or not _DRUG_WORD.search(written)):
                    yield _allergy(message, clause, start, stop, written, bool(_DENIED_ALLERGY.search(before)))
            return
    yield from _by_reaction(message, clause, topic)


def _taken_back(message: Message, clause: Clause) -> Iterator[Told]:
    """`I outgrew my egg allergy`, `I tested negative for penicillin`: an allergy that is none, or no longer."""
    for match in (*_TESTED.finditer(clause.plain), *_OUTGREW.finditer(clause.plain)):
        group = match.lastgroup or 0
        a, b = (clause.start + at for at in match.span(group))
        for start, stop, written in (
            _items(message, a, b) if message.states(clause, clause.start + match.start()) else ()
        ):
            if _known(written):
                told = _allergy(message, clause, start, stop, written, True)
                told.corrects = True
                yield told


def _others_denied(message: Message, told: list[Told]) -> list[Told]:
    """`I'm allergic to amoxicillin, not penicillin`: what it is not after all."""
    last = next((one for one in reversed(told) if not one.negated), None)
    match = _BUT_NOT.match(message.plain, last.stop) if last else None
    if last is None or match is None:
        return []
    clause = last.clause._replace(stop=max(last.clause.stop, match.end()))
    items = [one for one in _items(message, *match.span("list")) if _known(one[2])]
    return [Told("allergy", allergen(written), a, b, clause, negated=True, corrects=True) for a, b, written in items]


def _by_reaction(message: Message, clause: Clause, topic: Topic) -> Iterator[Told]:
    """`penicillin gives me a rash`, `I get hives from latex`; under the topic what can't be taken or is but named."""
    text = clause.plain
    reaction = REACTION.search(text)
    if reaction and (match := _REACTED.search(text)):
        a = clause.start + match.end()
        for start, stop, written in _items(message, a, clause.stop):
            if _known(written) and not clause.asks and message.whose(clause, a)[0] == "patient":
                yield _allergy(message, clause, start, stop, written, _denied(text, match.start()))
        return
    if reaction and (match := _HAN_REACTED.search(text)) and match.end() <= reaction.start():
        a, b = (clause.start + at for at in match.span("list"))
        denied = bool(re.search("不|没", text[: reaction.start()]))
        for start, stop, written in _items(message, a, b) if message.states(clause, a) else ():
            if _known(written):
                yield _allergy(message, clause, start, stop, written, denied)
        return
    if reaction and (match := _GIVES_REACTION.search(text)) and match.start() < reaction.start():
        own = message.whose(clause, clause.start + reaction.start())[0] == "patient" and _TO_ME.search(text)
        if not own or clause.asks or clause.supposes or _RELIEVED.search(text, match.end()):
            return
        for start, stop, written in _items(message, clause.start, clause.start + match.start()):
            if _known(written):
                yield _allergy(message, clause, start, stop, written, _denied(text, match.start()))
        return
    can_not = _CANNOT_TAKE.search(text)
    if can_not and (topic == "allergy" or reaction):
        yield from _each(
            message, clause, clause.start + can_not.end(), clause.stop, clause.start + can_not.start(), False
        )
    elif topic == "allergy" and not TAKES.search(text) and not re.search(r"\bthank|\bdoctor\b|\?", text):
        for start, stop, written in _items(message, clause.start, clause.stop):
            if _known(written) and message.states(clause, start):
                yield _allergy(message, clause, start, stop, written, _denied(text, start - clause.start))


def _each(
    message: Message, clause: Clause, start: int, stop: int, cue: int, denied: bool | None = None
) -> Iterator[Told]:
    """The allergens of a list; `cue` is where the words before it begin, by which it is the patient's and denied."""
    if not message.states(clause, cue):
        return
    negated = _denied(clause.plain, cue - clause.start) if denied is None else denied
    if negated and (other := EXCEPT.search(clause.plain, start - clause.start)):
        yield from _each(message, clause, clause.start + other.end(), stop, cue, False)
        return
    for a, b, written in _items(message, start, stop):
        yield _allergy(message, clause, a, b, written, negated)


def _denied(text: str, place: int) -> bool:
    before = text[max(0, place - 30) : place]
    return bool(_DENIED_ALLERGY.search(before)) and not re.search(r"\bnot (?:only|sure)\b|\bno,", before)


def _known(written: str) -> bool:
    """Whether the lexicon or the tables know it as something one can be allergic to."""
    return bool(mentions(written)) or bool(_allergens().places(level(written))) or canonical(written) != written.lower()


def _items(message: Message, start: int, stop: int) -> Iterator[tuple[int, int, str]]:
    """The parts of a list with their places, without what stands around the names."""
    lead = re.match(r"\W*(?:(?:an?|the|my|some|all|any|with|from|for|is|are)\b\W*)*", message.plain[start:stop])
    first = start + (lead.end() if lead else 0)
    if (end := _LIST_ENDS.search(message.plain, first, stop)) is not None:
        stop = end.start()
    at = start
    for part in [*_LIST_PARTS.finditer(message.plain, start, stop), None]:
        last = part.start() if part else stop
        a, b = _trimmed(message.plain, at, last)
        written = message.text[a:b]
        at = part.end() if part else stop
        if b - a < 2 or not _LETTER.search(message.plain[a:b]) or NO_NAME.search(message.plain[a:b]):
            continue
        if len(written.split()) <= 4:
            yield a, b, written


def _trimmed(plain: str, start: int, stop: int) -> Place:
    """A part of a list without the small words around its name."""
    while start < stop and not plain[start].isalnum():
        start += 1
    while start < stop and not (plain[stop - 1].isalnum()):
        stop -= 1
    if lead := _ITEM_LEAD.match(plain, start, stop):
        return _trimmed(plain, lead.end(), stop)
    tail = _ITEM_TAIL.search(plain[start:stop])
    return (start, start + tail.start()) if tail else (start, stop)


def _allergy(message: Message, clause: Clause, start: int, stop: int, written: str, negated: bool) -> Told:
    told = Told("allergy", allergen(written), start, stop, clause, negated=negated)
    if negated:
        told.corrects = bool(_TAKEN_BACK.search(clause.plain))
    else:
        own = _IN_BRACKETS.match(message.plain, stop, clause.stop)
        told.details = reaction_told(own.group() if own else re.sub(_IN_BRACKETS.pattern, " ", clause.plain))
    return told


def reaction_told(plain: str) -> dict[str, Any]:
    """How an allergy shows, and how gravely."""
    reaction, severity = _reaction(plain)
    return {"reaction": reaction, "severity": severity}


@remembered(maxsize=64)
def _reaction(plain: str) -> tuple[str | None, str | None]:
    match = REACTION.search(plain)
    severity = _SEVERITIES.get(reaction_of(match.group())) if match else None
    if _GRAVE.search(plain):
        severity = "severe"
    elif _SLIGHT.search(plain) and severity is None:
        severity = "mild"
    return match.group() if match else None, severity


def _late_reaction(message: Message, clause: Clause, before: list[Told]) -> None:
    """`I'm allergic to penicillin. It gives me hives.`: the reaction of what was named in the clause before."""
    last = [one for one in before if not one.details.get("reaction")]
    refers = re.match(
        r"\W*(?:it|they|that|which|my (?:throat|face|lips?|tongue|eyes?|skin)|i (?:get|got|had|have|break|broke"
        r"|come|came|swell\w*)|me)\b",
        clause.plain,
    )
    if last and refers and REACTION.search(clause.plain) and message.states(clause, clause.stop):
        for one in last:
            one.details = reaction_told(clause.plain)
            one.also = ((clause.start, clause.stop),)


def _late_end(message: Message, clause: Clause, before: list[Told]) -> None:
    """`I had a milk allergy. I outgrew it.`: the end of what was named in the clause before."""
    if before and _OUTGREW_IT.search(clause.plain) and message.states(clause, clause.stop):
        for one in before:
            one.negated = one.corrects = True
            one.details, one.also = {}, ((clause.start, clause.stop),)
