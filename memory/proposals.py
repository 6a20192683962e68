"""The second extractor: what a model finds in a patient's words that the rules did not read, confirmed by code.

Two readers must agree. The model names a thing and copies the words that say it; the words themselves, read by looser
rules than the extractor's, must say it of the patient. What they don't plainly say is dropped.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from primum.memory.allergies import NO_NAME, REACTION, reaction_told
from primum.memory.clauses import Clause, Message, Told, Whose
from primum.memory.dates import dates
from primum.memory.extract import extract
from primum.memory.facts import ANY, DRUGS, FOODS, Fact, Quote, proven
from primum.memory.medicines import STOPS, how_often
from primum.memory.questions import read
from primum.safety.context import status
from primum.safety.dose_words import AMOUNT
from primum.safety.lexicon import mentions
from primum.safety.units import level

ProposedKind = Literal["allergy", "medicine", "condition", "procedure", "family_history", "smoking", "alcohol"]

MOST = 12


class Proposal(BaseModel):
    """One fact as a model proposes it, in words copied from the message; first the words, then what they are."""

    quote: str = Field(max_length=300)
    value: str = Field(max_length=80)
    kind: ProposedKind
    dose: str | None = Field(None, max_length=40)
    frequency: str | None = Field(None, max_length=40)
    reaction: str | None = Field(None, max_length=60)
    relative: str | None = Field(None, max_length=30)
    negated: bool = False
    ended: bool = False


class Proposals(BaseModel):
    """What a model proposes of one message."""

    facts: list[Proposal] = Field(max_length=MOST)


# The plainest statement of each kind. What the rules read of it is the canonical value; nothing: they don't know it.
_PLAINLY: dict[ProposedKind, str] = {
    "allergy": "{} gives me hives.",
    "medicine": "I take {}.",
    "condition": "I have {}.",
    "procedure": "I had {}.",
    "family_history": "My mother has {}.",
}
# Words with which a clause states nothing for certain, or nothing of what is.
_UNSURE = re.compile(
    r"\b(?:want\w*|plan(?:s|ned|ning)?|going to|gonna|think\w*|thought|consider\w*|should|could|would|might|may|must"
    r"|will|hop(?:e|ing)|suggest\w*|recommend\w*|advis\w+|offer\w*|try(?:ing)? to|about to|schedul\w+|booked|upcoming"
    r"|cancel\w*|afraid|worr\w+|fear\w*|scared|wonder\w*|suspect\w*|test(?:s|ed|ing)?|maybe|perhaps|possibly|probably"
    r"|not sure|if|like i|as if|almost like|feels? like|rul\w+ out|risk|prevent\w*|avoid getting|read|heard|says?|said"
    r"|leaflet|label|article|creo|quizas?|podria|debo|quiero)\b|可能|想|怀疑|担心|如果|建议"
)
_NOT = re.compile(
    r"\b(?:no|not|never|without|neither|nor|none|denies|sin|nunca|ni)\b|\b(?!ca)\w*n't\b|没|无|未|否认|不(?!过)"
)
_PLAIN_WORD = (
    r"(?!(?:in|after|for|to|from|of|with|without|on|at|and|about|by|when|while|because|since|than|instead|like|before"
    r"|until|but|not|is|are|was|were|has|have|made|makes?|takes?|taking|use|using|lot|difficulty|trouble)\b|\w+ing\b)"
    r"[\w'-]+"
)
_LIST = rf"(?:(?:,? (?:and|or|plus|as well as|y) |, ?| )?{_PLAIN_WORD})*"
_JOINED = r"(?:,? (?:and|or|plus|as well as|y) |, ?| )$"

_HAS = re.compile(
    r"(?:\b(?:(?:i|we) (?:\w+ )?(?:have|had|got|get)|i(?:'ve| have) (?:\w+ )?(?:got|had)|have|suffer\w* (?:from|with)"
    r"|diagnos\w+ (?:me )?(?:with|as)|history of|liv(?:e|ing) with|tengo|tuve|padezco(?: de)?|sufro de"
    rf"|diagnosticaron)\b{_LIST}{_JOINED})|(?:我有|患有?|得了|确诊(?:为|是)?|诊断(?:为|出))$"
)
_HAS_AFTER = re.compile(r" (?:is|was) what i (?:have|was diagnosed with)\b| (?:sufferer|survivor|here)\b")
_PASSING = re.compile(  # symptoms, and what passes by itself: true of today, not of the patient
    r"ache|\b(?:pains?|cough\w*|fevers?|colds?|flu|nausea|vomit\w*|diarrh\w*|fatigue|tired\w*|rash\w*|itch\w*|hives"
    r"|swell\w*|swollen|dizz\w*|sore\w*|cramp\w*|bleed\w*|constipat\w*|bruis\w*|burns?|bites?|sweat\w*|weak\w*|numb\w*"
    r"|chills|breath\w*|wounds?|blisters?|trauma|noticed|experienc\w*|symptoms?|questions?|problems?|appointments?"
    r"|doctors?|surger\w+|operations?|biops\w+|abortions?|medic\w+|allerg\w+|healthy?|pregnan\w*|family|child\w*"
    r"|tests?|results?|sleep\w*|stress\w*|weight|blood pressure)\b"
)

_ILL = re.compile(  # for a first look: what somebody has
    r"\b(?:have|had|has|got|suffer\w* from|diagnos\w+ (?:me )?with|history of|living with|tengo|padezco)[ ,]+"
    r"(?:(?:an?|the|some|severe|mild|chronic|really|very|bad|also|both|had|got|been diagnosed with|and|or)[ ,]+)*+"
    r"(?P<name>(?!(?:been|this|that|these|those|never|always|just|only|started|not|to|no|any|it|two|three|four|five"
    r"|years?|taken|done|used|gone|made|lost|gained|become|seen|tried|felt|my|his|her|me|takes?|feels?|wants?|needs?"
    r"|know|what|which|with|from|since|when|while|because|after|before|about|during|until|trouble|difficulty)\b)"
    r"(?!\w+(?:ing|ed)\b)[a-z][\w'-]{3,}(?: [\w'-]{3,}){0,2})|(?:我有|患有?|得了|确诊)[一-鿿]"
)

_ENDS = re.compile(  # after a whole name: "memory" alone is none in "memory loss"
    r"\W*$| ?[^\w\s]| (?:and|or|but|for|since|in|on|at|with|which|that|when|from|as|too|also|now|again|so|because|by"
    r"|years|diagnosed|is|are|was|has|who|growing|like|after|before|back|until|y|desde|hace)\b"
)

_TAKEN = re.compile(
    r"(?:\bi (?:\w+ ){0,2}?(?:swallow|pop|inhale|puff|chew|dissolve)|\b(?:i|i'm|i've|my [\w ]{1,30}?) (?:am |is |are"
    r" |was |were |been |being |get |have been |has been )+(?:treated|controlled|managed) (?:with|by)"
    r"|\bi (?:treat|control|manage) (?:\w+ ){1,4}?with|\b(?:have|has|had|got|keeps?|put) me (?:\w+ )?on|\bi (?:get|have"
    r"|do|give myself) (?:[\w-]+ ){0,3}?(?:shots?|injections?|infusions?|puffs?|drops?) of)"
    rf"\b{_LIST}{_JOINED}"
)
_TAKEN_AFTER = re.compile(
    r",? (?:(?:is|are) )?(?:(?:what|which|that) )?i(?:'m| am|'ve been| have been)? (?:(?:still|currently|also"
    r"|always|now|usually|only|just) )*(?:take|taking|use|using|on|swallow)\b"
    r"| (?:\w+ ){0,2}?(?:keeps?|controls?|holds?) (?:\w+ )?my\b"
)
_LISTED = re.compile(
    r"\W*(?:(?:and|also|plus|then|my|now|currently|current|daily|med(?:ication|icine)?s?|list|are|is|include|i'm"
    r"|tablets?|pills?|an?|one|the|yes|well|hi|hello)\W+)*"
)
_NO_LIST = re.compile(
    r"\b(?:max\w*|usual\w*|safe\w*|limit|can|side effects?|interact\w*|overdos\w*|dosage|prescri\w+|instead|vs|versus"
    r"|or)\b"
)
_PAST_INTAKE = re.compile(r"\b(?:took|had|was|were|used|gave|given|tried|been (?:treated|given))\b")

_CAUSES = re.compile(
    r",? (?:\w+ |\w+n't ){0,3}?(?:gives?|gave|giving|makes?|made|caus\w+|brings?|brought|sends?|sent|puts?|put|leaves?"
    r"|left|sets?|trigger\w*|turns?|nearly|almost|kills?|killed)\b(?P<what>.*\bm[ey]\b.*)"
)
_CAUSED = re.compile(
    r"(?P<what>.*)\b(?:from|to|with|after|on|(?P<when>when(?:ever)?|each time|every time|any time) i"
    r" (?:\w+|am near|come near))"
    r"(?: (?:an?|the|some|any|my|even|eating|taking|touching|wearing|having|using|being|given|near|of|to|with|bit))* $"
)
_ALLERGIC_TO_IT = re.compile(r"[^.;]{0,30}?\b(?:i'm|i am|im) (?:\w+ )?(?:allergic|intolerant) to\W*$")
_GRAVE = re.compile(
    r"\b(?:killed me|hospital|emergency|a&e|allerg\w+|anaphyla\w+|epipen|bad reaction|react\w*|puff\w* up|in spots"
    r"|(?:lips?|tongue|throat|mouth|face|eyes?) (?:\w+ ){0,2}?(?:swell\w*|swollen|clos\w+|itch\w*|tingl\w*|puff\w*))\b"
)
_EASED = re.compile(
    r"\b(?:better|away|down|clear\w*|reliev\w+|stop\w*|less|settle\w*|disappear\w*|gone|go|off|eas\w+|help\w*)\b"
)
_CLEARLY = re.compile(
    r"allerg|anaphyla|\bhives\b|\bwelts\b|(?:lips?|tongue|throat|mouth) (?:\w+ ){0,2}?(?:swell|swollen|clos|itch|tingl"
    r"|puff)"
)

_HAD = re.compile(
    r"\b(?:had|underwent|undergone|status post|did|(?:after|since) my)(?:,? (?:my|an?|the|emergency|recent|successful"
    r"|and|also|some|[\w-]+(?:ectomy|plasty|scopy|surgery),?))* $"
)
_OPERATION = re.compile(
    r"\b\w+(?:ectomy|plasty|otomy|ostomy|oscopy|pexy|desis)\b|\b(?:(?!(?:my|an?|the|had|have|has|this|that|any|some|to"
    r"|no|after|since|of|and|or|in|for|last|first|second|third|fourth|fifth|next|another|major|minor|recent|big|same"
    r"|one|more|open|previous|past|several|two|three|many|other|your|his|her|actually|need|about|before)\b)[\w-]+ )"
    r"{1,3}(?:surgery|operation|transplant|replacement|repair|bypass|implants?|biopsy|removal)\b"
)
_FAMILY_HAS = re.compile(
    r"\b(?:has|have|had|with|died|got|suffer\w*|diagnos\w+|was|were|is|are|runs|history|tiene|tuvo)\b|有|得|患"
)
_HABITS: dict[ProposedKind, re.Pattern[str]] = {
    "smoking": re.compile(
        r"\b(?:packs?|cigars?|cigarillos?|pipes?|roll-?ups?|snus|nicotine|tobacco|hookah|shisha|smok\w+|vap\w+)\b"
    ),
    "alcohol": re.compile(
        r"\b(?:wine|beers?|lagers?|ciders?|gin|rum|tequila|bourbon|scotch|whiske?y|vodka|sake|prosecco|champagne|red"
        r"|ales?|booze|brandy|spirits|drinks?|drinking|alcohol|pints?|cocktails?)\b"
    ),
}
_INDULGES = re.compile(
    r"\bi(?:'m|'ve|'ll)? (?:\w+ ){0,3}?(?:have|drink\w*|enjoy|like|get through|go through|knock back|put away|puff"
    r"|light up|chew|use|smoke|vape|sip)\b"
)
_HABITUAL = re.compile(
    r"\b(?:every|each|an? (?:day|night|week)|per (?:day|week)|daily|weekly|most|nightly|with (?:dinner|lunch|meals)"
    r"|at weekends|on (?:the )?weekends?|sometimes|now and then|occasional\w*|socially|usually|evenings?)\b"
)
_AROUND = " \t\r\n,;:.!?\"'"


@dataclass(frozen=True)
class _Spot:
    """Words of a message in the clause that holds them."""

    message: Message
    clause: Clause
    start: int
    stop: int

    @property
    def words(self) -> str:
        return self.message.plain[self.start : self.stop]

    @property
    def before(self) -> str:
        return self.message.plain[self.clause.start : self.start]

    @property
    def after(self) -> str:
        return self.message.plain[self.stop : self.clause.stop]

    @property
    def whose(self) -> tuple[Whose, str]:
        return self.message.whose(self.clause, self.start)

    def narrowed(self, words: str) -> "_Spot":
        """The first place of some of its words."""
        start = self.start + max(0, self.words.find(level(words)))
        return replace(self, start=start, stop=start + len(words))


def worth_asking(message: str) -> bool:
    """Whether a patient's message may tell of its writer what the rules did not read; most questions tell nothing."""
    whole = Message(message)
    told = read(whole, date.today(), "")
    return any(_may_tell(whole, clause, told) for clause in whole.clauses if not _open(clause))


def confirmed(
    proposals: Proposals,
    message: str,
    *,
    message_id: str,
    today: date,
    knows_condition: Callable[[str], bool],
) -> list[Fact]:
    """The facts among a model's proposals that the message proves, but for those that the rules read of it.

    Args:
        knows_condition: whether a name that our vocabulary lacks is one of a condition, by the titles of a library.
    """
    whole = Message(message)
    told = read(whole, today, "")
    read_already = {fact.key for fact in extract(message, today=today)}
    found: dict[tuple[str, ...], Fact] = {}
    for proposal in proposals.facts:
        gate = _Gate(proposal, whole, told, message_id, today, knows_condition)
        fact = next(gate.facts(), None)
        if fact is not None and fact.key not in read_already:
            found.setdefault(fact.key, fact)
    return list(found.values())


def _may_tell(whole: Message, clause: Clause, told: Sequence[Told]) -> bool:
    """Whether a clause may say what none of the facts that were read in it says."""
    here = [one for one in told if clause.start <= one.start < clause.stop]
    kinds = {one.kind for one in here}
    plain = clause.plain
    for one in sorted(here, key=lambda one: -one.start):
        plain = plain[: one.start - clause.start] + plain[one.stop - clause.start :]
    ill = any(not _PASSING.search(match["name"] or "") for match in _ILL.finditer(plain))
    if whole.whose(clause, clause.stop)[0] == "relative":
        return ill
    unread = (
        _Spot(whole, clause, one.start, one.stop)
        for one in mentions(whole.text)
        if clause.start <= one.start < clause.stop and all(one.stop <= a.start or a.stop <= one.start for a in here)
    )
    return whole.states(clause, clause.stop) and (
        any(_takes(spot) or _reacts(spot) for spot in unread)
        or (bool(_CLEARLY.search(plain)) and "allergy" not in kinds)
        or ill
        or bool(_HAS_AFTER.search(plain) or _OPERATION.search(plain))
        or any(bool(words.search(plain)) and _indulges(clause) for kind, words in _HABITS.items() if kind not in kinds)
    )


def _open(clause: Clause) -> bool:
    """Whether a clause asks, supposes or is unsure."""
    return clause.asks or clause.supposes or bool(_UNSURE.search(clause.plain))


@dataclass(frozen=True)
class _Gate:
    """What lets a proposal pass, and makes a fact of it."""

    proposal: Proposal
    message: Message
    told: Sequence[Told]
    message_id: str
    today: date
    knows_condition: Callable[[str], bool]

    def facts(self) -> Iterator[Fact]:
        """A fact for each place of the message at which the words say what is proposed."""
        kind = self.proposal.kind
        if any(one.kind == kind and one.negated and one.value in (ANY, DRUGS, FOODS) for one in self.told):
            return  # the patient has just denied all of them
        if kind == "allergy" and self.proposal.negated:
            return  # that nothing happened once denies no allergy
        for a, b in _places(self.message.plain, self.proposal.quote, 0, len(self.message.text)):
            for start, stop in _places(self.message.plain, self.proposal.value, a, b):
                clause = self.message.clause_at(start)
                if clause is None or stop > clause.stop:
                    continue
                named = self._named(_Spot(self.message, clause, start, stop))
                if named and (fact := self._fact(*named, (min(a, clause.start), max(b, clause.stop)))):
                    yield fact

    def _named(self, spot: _Spot) -> tuple[str, _Spot] | None:
        """The canonical value, as the extractor writes it, and the very words for it; None for what isn't known."""
        kind, words = self.proposal.kind, self.message.text[spot.start : spot.stop]
        if kind in _HABITS:
            return ("former" if self.proposal.ended else "yes", spot) if _HABITS[kind].search(spot.words) else None
        plainly = _PLAINLY[kind].format(words)
        facts = [fact for fact in extract(plainly, today=self.today) if fact.kind == kind and not fact.negated]
        if len(facts) == 1:
            return facts[0].value, spot.narrowed(facts[0].written)
        name = " ".join(spot.words.split())
        if facts or mentions(words):
            return None
        if kind == "allergy":
            return (name, spot) if _strange(spot) else None
        if kind == "procedure":
            return (name, spot) if _OPERATION.fullmatch(spot.words) else None
        known = kind != "medicine" and not _PASSING.search(name) and self.knows_condition(self.proposal.value)
        return (name, spot) if known else None

    def _fact(self, value: str, spot: _Spot, proof: tuple[int, int]) -> Fact | None:
        """The fact, if its clause says so, in the same sense and of the patient."""
        kind = self.proposal.kind
        family = kind == "family_history"
        read_already = any(one.start < spot.stop and spot.start < one.stop for one in self.told)
        if read_already or _open(spot.clause) or family != (spot.whose[0] == "relative"):
            return None
        if not family and not self.message.states(spot.clause, spot.start):
            return None
        if not _SAYS[kind](spot) or not self._same_sense(spot):
            return None
        named = dates(spot.clause.plain, self.today)
        day = named[-1].day if named else None
        ended = self.proposal.ended and kind not in _HABITS
        fact = Fact(
            kind=kind,
            value=value,
            written=self.message.text[spot.start : spot.stop],
            negated=self.proposal.negated,
            valid_from=day if kind == "procedure" else None,
            valid_until=(day or self.today.isoformat()) if ended else None,
            said=self.today,
            quotes=(self._quote(*proof),),
            **{} if self.proposal.negated else self._details(spot),
        )
        return proven(fact, {self.message_id: self.message.text})

    def _same_sense(self, spot: _Spot) -> bool:
        """Whether the clause denies, and tells of the past, just as the proposal does."""
        kind, text = self.proposal.kind, spot.clause.plain
        state = status(self.message.plain, spot.start, spot.stop)
        denied = state == "negated" or bool(_NOT.search(STOPS.sub(" ", text)))
        over = bool(STOPS.search(text)) or state == "historical"
        if kind == "medicine":
            over = over or bool(_PAST_INTAKE.search(text))
        past = over and kind not in ("procedure", "allergy", "family_history")
        kin, quote = level(self.proposal.relative or ""), level(self.proposal.quote)
        if any(_places(quote, kin, 0, len(quote))) and spot.whose[1] not in kin:
            return False  # it is of another relative
        return state != "hypothetical" and denied == self.proposal.negated and past == self.proposal.ended

    def _quote(self, start: int, stop: int) -> Quote:
        text = self.message.text[start:stop]
        start += len(text) - len(text.lstrip(_AROUND))
        text = text.strip(_AROUND)
        return Quote(role="patient", message=self.message_id, start=start, stop=start + len(text), text=text)

    def _details(self, spot: _Spot) -> dict[str, Any]:
        """What else is told, in the message's own words."""
        if self.proposal.kind == "allergy":
            details = reaction_told(spot.clause.plain)
            return details | {"reaction": details["reaction"] or self._own(self.proposal.reaction, spot)}
        if self.proposal.kind == "family_history":
            return {"relative": spot.whose[1]}
        if self.proposal.kind == "medicine":
            dose = self._own(self.proposal.dose, spot, near=True)
            often = self._own(self.proposal.frequency, spot, near=True)
            return {
                "dose": dose if dose and AMOUNT.search(level(dose)) else None,
                "frequency": often if often and how_often(Message(often), 0, len(often)) else None,
            }
        return {}

    def _own(self, words: str | None, spot: _Spot, *, near: bool = False) -> str | None:
        """The message's own words for a detail; `near`: between its medicine and the next."""
        start, stop = (spot.stop if near else spot.clause.start), spot.clause.stop
        if near:
            stop = min([stop, *(one.start for one in mentions(self.message.text) if one.start >= start)])
        place = next(_places(self.message.plain, words or "", start, stop), None)
        quote = level(self.proposal.quote)
        quoted = any(_places(quote, words or "", 0, len(quote)))
        return self.message.text[slice(*place)] if place and quoted else None


def _places(plain: str, words: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where words stand in a text, but for case and blanks; never inside a longer word."""
    parts = level(words).strip(_AROUND).split()
    if parts:
        pattern = r"(?<![a-z0-9])" + r"\s+".join(map(re.escape, parts)) + r"(?![a-z0-9])"
        for match in re.compile(pattern).finditer(plain, start, stop):
            yield match.span()


def _of_oneself(spot: _Spot) -> bool:
    """Whether the message speaks of its writer at all: a bare list may be of anybody."""
    return any(whose == "patient" for clause in spot.message.clauses for _, whose, _ in clause.marks)


def _has(spot: _Spot) -> bool:
    """Whether the clause says that the patient has it."""
    if _HAS_AFTER.match(spot.after):
        return _of_oneself(spot)
    return bool(_HAS.search(spot.before) and _ENDS.match(spot.after))


def _takes(spot: _Spot) -> bool:
    """Whether the clause says, in words that the rules don't read, that it is taken."""
    if _TAKEN.search(spot.before) or _TAKEN_AFTER.match(spot.after):
        return True
    lead = re.split(r"[,;:]|\band\b|\bplus\b", spot.before)[-1]
    near = spot.after[:25]
    dosed = AMOUNT.search(near) or how_often(Message(near), 0, len(near))
    return bool(
        dosed and _LISTED.fullmatch(lead + " ") and not _NO_LIST.search(spot.clause.plain) and _of_oneself(spot)
    )


def _reacts(spot: _Spot) -> bool:
    """Whether the clause says that the patient reacts to it."""
    if _ALLERGIC_TO_IT.match(spot.after):
        return True
    if any(whose != "patient" for _, whose, _ in spot.clause.marks):
        return False  # "it gives my son hives"
    after, before = _CAUSES.match(spot.after), _CAUSED.fullmatch(spot.before)
    what = after["what"] if after else before["what"] + (spot.after if before["when"] else "") if before else ""
    return bool((REACTION.search(what) or _GRAVE.search(what)) and not _EASED.search(spot.clause.plain))


def _strange(spot: _Spot) -> bool:
    """Whether what no table knows can be an allergen all the same: the clause is plainly of an allergy to it."""
    plain = spot.words
    no_thing = NO_NAME.search(plain) or REACTION.search(plain) or _PASSING.search(plain) or plain.endswith("ing")
    return not no_thing and bool(_CLEARLY.search(spot.before + " " + spot.after))


def _had(spot: _Spot) -> bool:
    return bool(_HAD.search(spot.before))


def _in_family(spot: _Spot) -> bool:
    return bool(_FAMILY_HAS.search(spot.clause.plain) and _ENDS.match(spot.after))


def _drinks_or_smokes(spot: _Spot) -> bool:
    return _indulges(spot.clause)


def _indulges(clause: Clause) -> bool:
    """Whether a clause tells of a habit, not of one glass."""
    plain = clause.plain
    return bool(_INDULGES.search(plain)) and bool(_HABITUAL.search(plain) or STOPS.search(plain))


_SAYS: dict[ProposedKind, Callable[[_Spot], bool]] = {
    "allergy": _reacts,
    "medicine": _takes,
    "condition": _has,
    "procedure": _had,
    "family_history": _in_family,
    "smoking": _drinks_or_smokes,
    "alcohol": _drinks_or_smokes,
}
