"""What a message says of medicines: taken, not taken, stopped; how much, how often, since and until when."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date

from primum.memory.allergies import NO_NAME
from primum.memory.clauses import EXCEPT, TAKES, Clause, Message, Place, Told, Topic, outside
from primum.memory.dates import When, began, dates, told_of
from primum.memory.facts import ANY
from primum.safety.dose_reader import read_doses
from primum.safety.dose_words import FREQUENCIES
from primum.safety.lexicon import Mention, mentions
from primum.safety.units import numbers
from primum.safety.unmeant import unmeant

# What is told of medicines.
_MINE = re.compile(
    r"\b(?:my|mi|mis|your|her|his)(?: (?:daily|regular|usual|morning|evening|own|current|prescribed|weekly|old|new))? $"
)
STOPS = re.compile(
    r"\b(?:stop(?:ped|ping)?|quit|no longer|not (?:\w+ ){0,4}?any ?more|came off|come off|went off|(?:am|i'm|been"
    r"|taken|took"
    r" me|got|me) off|discontinued|finished|completed|ended|gave up|used to (?:take|be on|use|smoke|drink)|(?:was"
    r"|were) on|had been on|ya no|dej(?:e|o|amos) de|deje|suspend\w+|tomaba|usaba)\b|停了?|停用|停药|不再|戒"
)
_STOPPED_IT = re.compile(
    r"\b(?:stopped|quit|came off|went off|finished|discontinued|no longer (?:take|use|need)|not (?:taking|using)"
    r"|am off|been off|i'm off|took me off|dej[eo](?: de)?|suspendi\w*)(?: (?:taking|using|with"
    r"|tomar(?:l[oa]s?)?))?(?: (?:it|them|that|this|those|both))?"
    r"(?: any ?more)?(?= *(?:$|[.,;!?]|(?:in|on|last|two|three|several|a few|a couple|a week|a month|a year|about"
    r"|because|after|when|since|this|yesterday|at|by|before|due|from|now|already|en|el|hace|porque|ayer|\d+)\b))|停了"
    r"|停用|停药|不再[吃服用]"
)
_STARTED_IT = re.compile(
    r"\b(?:(?:started|began|been) (?:(?:taking|on|using) )?(?:it|that|them|this)|(?:taken|take|taking|had) (?:it|that"
    r"|them)|since|lo tomo|la tomo|empece)\b|从|开始吃"
)
_AGAIN = re.compile(r"\b(?:every|daily|each|a day|per day|regularly|since|for (?:years|months))\b|每")
_ONCE = re.compile(r"\b(?:took|had|swallowed|used|tome|was given|gave me)\b|[吃服用]了")
_ONGOING = re.compile(
    r"\b(?:still|currently|been|every|daily|each|a day|per day|regularly|since|now|always)\b|每|一直|还在|仍"
)
_NOT_TAKING = re.compile(
    r"\b(?:don't|do not|dont|not|never|doesn't|isn't|aren't|haven't|have not|hasn't|didn't|without|no(?! problem)"
    r"|neither|nor|avoid\w*|nunca|sin|ni)\b(?! only| just| sure| working| help\w*| enough)|(?:没有?|不|未|从不"
    r"|从没)(?:在|有|再|曾)?(?=[吃服用打])"
)
_CANNOT = re.compile(r"\b(?:can't|cannot|can not|unable to|allergic|no puedo)\b")
_NO_MEDICINES = re.compile(
    r"\b(?:no|not|n't|never|don't|without|aren't|nor)\b[^.;,]{0,30}?\b(?:medic(?:ation|ine)s?|meds?|drugs|pills"
    r"|prescriptions?|tablets)\b(?P<rest>[^.;,]{0,25})|\b(?:don't|do not|not) (?:currently )?(?:take|taking|on|use"
    r"|using) (?:anything|any)\b"
    r"(?P<rest2>[^.;,]{0,25})|\bno tom(?:o|a) (?:ningun[ao]? )?(?:nada|medic\w+|pastillas"
    r"|remedios)(?P<rest3>[^.;,]{0,25})|\b(?:meds|medications?|medicines|medicacion|medicamentos) ?: (?:none|nil|no"
    r"|ningun[oa])\b"
    r"|(?:没有?|不|未)(?:在|有)?[吃服用](?:任何|什么|其他)?(?:的)?药物?"
)
NARROWED = re.compile(
    r"\b(?:herbal|over[- ]the[- ]counter|otc|other|else|like that|supplements?|vitamins?|for|pain|sleeping|new|more"
    r"|extra|recreational|street|illegal|illicit|allerg\w+|psych\w*|blood pressure|heart|diabet\w*|birth control"
    r"|today|yesterday|yet|work\w*|help\w*|list|with me|prescrib\w+|because|before|during|that|which|intoleran\w+"
    r"|reactions?)\b|其他|别的"
)
_FOOD = frozenset(
    "alcohol caffeine cannabis cocaine cranberry grapefruit licorice marmite mdma milk sauerkraut honey gelatin "
    "dairy".split()
) | {"soy sauce", "tobacco smoke", "vitamin k food"}
_REASON = re.compile(r"\b(?:instead of|rather than|like|such as|than|without|before|switched from|changed from|from"
    r"|replac\w+)"
                     r" (?:my |the )?$")  # fmt: skip
_NOT_IT = re.compile(r"[\s-]*(?:levels?|allerg\w+|overdose|poisoning|is (?:bad|dangerous|safe)|tests?)\b|过敏")
_MEASURED = frozenset({"potassium chloride", "calcium carbonate", "magnesium hydroxide", "zinc", "iron", "glucose"})
_NEW_NAME = re.compile(r"[A-Z][a-z]{3,}(?:-\d+)?")
_JOINT = re.compile(r"(?:,? (?:and|plus|also|y) |, ?| ?& ?)$")
_PRN = re.compile(
    r"\b(?:as needed|when needed|if needed|p\.?r\.?n|when i (?:have|get|need)|cuando (?:lo )?necesit\w+)\b|需要时"
    r"|必要时"
)


_NO_TO_BEGIN = re.compile(r"\W*no\b(?! (?:tom|us|beb|consum|me |he |est|ten))")  # not of "no tomo aspirina"
# `I switched from sertraline to escitalopram`, `my ramipril was replaced by losartan`.
_LEFT = re.compile(
    r"\b(?:switch(?:ed)?|chang(?:ed|e)|moved|swapped|transitioned|cambie|cambiaron|cambio)\b(?: (?:me|us|over"
    r"|my \w+))* (?:from|de|off) "
    r"(?:my |the |la |el )?$"
)
_REPLACED = re.compile(r" (?:was|were|has been|is) (?:replaced|switched|swapped|changed)(?: out)? (?:by|with|to|for)\b")
_NOW_INSTEAD = re.compile(r"\b(?:now|switched|changed|started)\b.* (?:instead of|rather than) (?:my |the )?$")
_AND_TAKES = re.compile(  # "I stopped lisinopril and take metformin", not "I stopped lisinopril and metformin"
    r"\b(?:and|but|then|y|pero) (?:(?:i|now|then|instead|ahora) )*"
    r"(?:take|started|began|use|(?:am (?:now )?)?on|am (?:now )?taking|tomo|uso|empece)\b"
)
_RESUMED = re.compile(
    r"\b(?:restarted|resumed|back on|(?:taking|take|using|use|on|started|begun) (?:it|them) again|otra vez"
    r"|de nuevo)\b|又[开吃]|重新"
)
_NEVER_TOOK = re.compile(
    r"\b(?:haven't|have not|hasn't|never|didn't|did not|not)(?: yet| even| actually)* (?:start\w*|took|take|taken"
    r"|us(?:e|ed)) (?:it|them|that)\b"
)
_CORRECTED = re.compile(r"\W*(?:(?:correction|sorry|i meant|i mean|quise decir|更正)\W*)+$")
_KEPT_READY = re.compile(r"\b(?:have|tengo|carry|keep)(?: (?:an?|my|un|una|mi))? (?:[\w-]+ ){0,3}$")
_DEVICE = re.compile(
    r"[\w -]{0,15}?\b(?:inhalers?|sprays?|patch(?:es)?|pumps?|pens?|auto-?injectors?|prescription|inhalador)\b"
)
_HAN_NO_MORE = re.compile(r"不再?[吃服用打][^,]{0,20}$")
_NEAR = 45  # characters before a name within which `took` is of it
_ONE_DAY = re.compile(r"\b(?:this|last|yesterday|tomorrow|today|tonight|since|so far|hoy|ayer)\b|今|昨")
_STILL = re.compile(r"(?:\b(?:never|not)|n't) (?:\w+ )?(?:stop|quit)\w*")
_ANY_MORE = re.compile(r"\bany ?(?:more|longer)\b")
_BEGINS = re.compile(
    r"\b(?:since|start\w*|began|begun|prescribed|switched|changed|moved|put|from|for|been|took|had|desde|hace|empece"
    r"|recet\w+)\b|从|自|开始|前"
)


def medicines(message: Message, today: date, topic: Topic = "", taken: tuple[Place, ...] = ()) -> list[Told]:
    """Medicines that are taken, were taken or are not; `taken` are places that mean something else."""
    free = outside(taken)
    named = [one for one in _mentions(message) if free(one.start, one.stop)]
    found = list(_no_medicines(message))
    last: Told | None = None
    for clause in message.clauses if named else ():
        here = [one for one in named if clause.start <= one.start < clause.stop]
        told = [one for mention in here if (one := _medicine(message, clause, mention, here, today, topic))]
        found += told
        last = told[-1] if told else last
        if last and not here and clause.sentence - last.clause.sentence <= 2:
            _went_on(message, clause, last, today)
    return found


def _mentions(message: Message) -> list[Mention]:
    """The drugs that are named, with unknown names that stand in one list with a known one."""
    known = [one for one in mentions(message.text) if one.name not in _FOOD and "vaccine" not in one.name]
    found, starts = list(known), [one.start for one in known]
    for match in _NEW_NAME.finditer(message.text) if known else ():
        after = bisect_left(starts, match.start())
        left, right = known[max(0, after - 1) : after], known[after : after + 1]
        gaps = [message.plain[one.stop : match.start()] for one in left if one.stop <= match.start()]
        gaps += [message.plain[match.end() : one.start] for one in right if one.start >= match.end()]
        free = len(gaps) == len(left) + len(right)
        if free and any(map(_JOINT.match, gaps)) and not NO_NAME.search(match.group().lower()):
            found.append(Mention(*match.span(), match.group(), match.group().lower()))
    return sorted(found, key=lambda one: one.start)


def _medicine(
    message: Message, clause: Clause, mention: Mention, named: Sequence[Mention], today: date, topic: Topic
) -> Told | None:
    """What a clause says of one of the drugs that it names; nothing if it only asks, supposes, wishes or warns."""
    before = clause.plain[: mention.start - clause.start]
    after = clause.plain[mention.stop - clause.start :]
    takes = [match.start() for match in TAKES.finditer(before)]
    stops = STOPS.search(before)
    mine = _MINE.search(before) if mention.name not in _MEASURED else None
    left = (
        _LEFT.search(before)
        or (before.endswith(("从", "把")) and after.startswith(("换", "改")))
        or _NOW_INSTEAD.search(before)
        or (mine and _REPLACED.match(after))
    )
    ready = _KEPT_READY.search(before) and _DEVICE.match(after)
    bare = topic == "medicine" and not re.search(r"\b(?:what|which)\b|\bthank", before)
    bare = bare or bool(_CORRECTED.match(before))
    han_after = re.match(r"[^,]{0,6}(?:每天|每日|一天|在[吃服用])", after)
    if (
        not (takes or stops or mine or bare or han_after or left or ready)
        or _CANNOT.search(before, max(0, takes[-1] - 12) if takes else 0)
        or _NOT_IT.match(after)
        or unmeant(before)
    ):
        return None
    if (_REASON.search(before) and not left) or (
        mine and not takes and message.whose(clause, mention.start)[0] != "patient"
    ):
        return None
    presumed = mine and clause.asks and not clause.supposes and not message.you_is_patient
    place = clause.start if _NOW_INSTEAD.search(before) else mention.start
    if not (message.states(clause, place) or (presumed and message.whose(clause, mention.start)[0] == "patient")):
        return None
    told = Told("medicine", mention.name, mention.start, mention.stop, clause)
    since_then = before[stops.end() :] if stops else ""
    gone = bool(stops) and not re.search(r"\b(?:only|just|except)\b", since_then) and not _AND_TAKES.search(since_then)
    no_more = bool(_ANY_MORE.search(after) and _NOT_TAKING.search(before))
    no_more = no_more or bool(_HAN_NO_MORE.search(before) and after.startswith("了"))
    over = gone or no_more or bool(left) or bool(_STOPPED_IT.search(after))
    days, lasts = _days(clause, mention, named, today)
    _time(told, clause, days, lasts, today, over)
    if _STILL.search(before):
        return told
    excepted = bool(EXCEPT.search(before)) or bool(re.search(r"\bjust\b|\bonly\b", before))
    if not told.until and not excepted and (no := [*_NOT_TAKING.finditer(before)]):
        told.negated = not (no[-1].group() == "no" and _NO_TO_BEGIN.match(before)) or len(no) > 1
    if not told.negated and not told.until:
        once = _ONCE.search(before[-_NEAR:])
        if once and not _ONGOING.search(before) and not _AGAIN.search(after) and not message.you_is_patient:
            day = next((when.day for when in days), today.isoformat())
            told.until = told.since = told.since or day
            told.details["once"] = True
    if not told.negated:
        told.details |= _dose(message, clause, mention)
        if "frequency" not in told.details and _PRN.search(before):
            told.details["frequency"] = "as needed"
    return told


def _days(
    clause: Clause, mention: Mention, named: Sequence[Mention], today: date
) -> tuple[Sequence[When], When | None]:
    """The dates that a clause tells of a drug, and since when it has been taken `for three years`."""
    places = [(one.start - clause.start, one.stop - clause.start) for one in named]
    own = (mention.start - clause.start, mention.stop - clause.start)
    lasts = began(clause.plain, today)
    since = told_of((lasts,), clause.plain, own, places) if lasts else ()
    return told_of(dates(clause.plain, today), clause.plain, own, places), next(iter(since), None)


def _time(told: Told, clause: Clause, named: Sequence[When], lasts: When | None, today: date, stopped: bool) -> None:
    """Since when, and till when if it ended."""
    if stopped and not _STILL.search(clause.plain):
        told.until = named[-1].day if named else today.isoformat()
        if len(named) > 1:
            told.since = named[0].day
    elif named and _BEGINS.search(clause.plain):
        told.since = named[0].day
    elif named and re.search(r"\b(?:until|till|hasta)\b|直到", clause.plain):
        told.until, told.since = named[-1].day, named[0].day if len(named) > 1 else None
    elif lasts:
        told.since = lasts.day


def _dose(message: Message, clause: Clause, mention: Mention) -> dict[str, str]:
    """The dose and how often, in the words of the message."""
    following = (one.start for one in mentions(message.text) if mention.stop <= one.start < clause.stop)
    stop = next(following, clause.stop)
    found = how_often(message, mention.stop, stop)
    if any(clause.start <= place < clause.stop for place in numbers(message.plain)):
        text = message.text[clause.start : clause.stop]
        own = [one for one in read_doses(text) if mention.written.lower() in (one.written.lower(), one.drug)]
        if own or (own := [one for one in read_doses(text) if one.drug == mention.name]):
            dose = text[own[0].start : own[0].stop]
            found |= {"dose": dose} if re.search(r"[^\W\d]", dose) else {}
    return found


def how_often(message: Message, start: int, stop: int) -> dict[str, str]:
    """The frequency that a part of a message tells, in its words."""
    part = message.plain[start:stop]
    often = [
        match.span()
        for kind, _, finder in FREQUENCIES
        if kind not in ("cap", "split", "same", "today")
        for match in finder.finditer(part)
        if not _ONE_DAY.search(match.group())
    ]
    if often:
        a, b = min(often, key=lambda place: (place[0], -place[1]))
        return {"frequency": message.text[start + a : start + b].strip()}
    return {"frequency": "as needed"} if _PRN.search(part) else {}


def _no_medicines(message: Message) -> Iterator[Told]:
    for match in _NO_MEDICINES.finditer(message.plain):
        clause = message.clause_at(match.start())
        if clause is None or "allerg" in clause.plain or not message.states(clause, match.start()):
            continue
        rest = message.plain[match.start() : max(clause.stop, match.end())]
        if not NARROWED.search(rest) and not EXCEPT.search(rest) and not mentions(match.group()):
            clause = clause._replace(stop=max(clause.stop, match.end()))
            yield Told("medicine", ANY, *match.span(), clause, negated=True)


def _went_on(message: Message, clause: Clause, last: Told, today: date) -> None:
    """`I was on metoprolol. I stopped it in May.`: what a later clause without a name says of the last one named."""
    stops = _STOPPED_IT.search(clause.plain)
    if _RESUMED.search(clause.plain) and message.states(clause, clause.stop):
        last.until, last.negated = None, False
        last.details.pop("once", None)
    elif _NEVER_TOOK.search(clause.plain) and message.states(clause, clause.start):
        last.since = last.until = None
        last.negated, last.details = True, {}
    elif stops and message.states(clause, clause.start + stops.start()) and not last.negated:
        until = last.until
        _time(last, clause, dates(clause.plain, today), None, today, stopped=True)
        last.until = until if until and last.until == today.isoformat() else last.until
        last.details.pop("once", None)
    elif _STARTED_IT.search(clause.plain) and message.states(clause, clause.start) and not last.since:
        named = dates(clause.plain, today)
        last.since = named[0].day if named else None
    else:
        return
    last.also = ((clause.start, clause.stop),)
