"""Evidence only: the passages' own sentences that best answer a question, in an order that reads well."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from primum.retrieval.duplicates import numbers
from primum.retrieval.search import Passage, Retriever
from primum.retrieval.table import ROW
from primum.safety.clinical import asserts
from primum.safety.contraindications import conditions_of
from primum.safety.lexicon import drugs, mentions, named
from primum.safety.person import read
from primum.safety.populations import populations
from primum.safety.remembered import remembered
from primum.safety.sentences import count_words, split_plain
from primum.safety.units import quantities, without_quantities
from primum.safety.validator import in_play
from primum.safety.words import Bag, claims, stem

LIKE = 0.55  # cosine from which a passage is about the question although it shares none of its words
RELATED = 0.30  # below it a passage is about something else, whatever words it shares
REPEAT = 0.86  # cosine of two sentences that say the same
NEAR = 0.12  # how far below the best sentence one may score and still be told
TOGETHER = 0.3  # for a sentence that names all medicines of a question about several
SENTENCES = 6
WORDS = 150
HELP = "When to get medical help"
# What a question wants to know, and the sections that tell it. The kinds are those by which consumers' questions are
# commonly sorted (symptoms, treatment, causes, prevention, dosage, safety, course).
_INTENTS = [
    (re.compile(asks, re.IGNORECASE), re.compile(headings, re.IGNORECASE))
    for asks, headings in (
        (r"symptom|sign of|signs of|how do i know", r"symptom|sign"),
        (r"side effect|adverse", r"side effect"),
        (r"\btreat|cure|therapy|what (?:can|should|do) \w+ (?:do|take|use|give)|how (?:do|can|to|should)\b|relie[fv]"
         r"|help with|\bmanage|first aid|what helps", r"treat|what to do now|what you can do|what to take|self-care"),
        (r"cause|\bwhy\b|risk factor", r"cause|risk|why"),
        (r"prevent|avoid getting|protect", r"prevent|protect|what you can do"),
        (r"dose|dosage|how much|how many|how often|maximum", r"how to take|how to use|dose|how much"),
        (r"contagious|catch|spread|how long|infectious", r"contagious|spread|how long|healing|recover|back to"),
        (r"diagnos|\btest|normal", r"diagnos|test|measur|check"),
        (r"interact|together|\bmix|alcohol|can i (?:take|drink|use)\b.*\b(?:with|and)\b",
         r"with other|other medicines|alcohol|food"),
        (r"pregnan|breast-?feed", r"pregnan|breastfeed|can i take"),
        (r"safe|who should(?:n't| not)|contraindicat", r"who should not|safe|pregnan"),
    )
]  # fmt: skip
# Of whom is asked and since when, not what.
_SPANS = frozenset(map(stem, "years months weeks days hours old aged age weigh weighs weight kg lb lbs pounds".split()))
_STATES = frozenset({"pregnancy", "breastfeeding"})
_YOUNG = frozenset({"infants", "children", "teenagers"})
_GROWN = frozenset({"adults", "older adults"}) | _STATES
_ADULTS = re.compile(r"\b(?<!older )adults?\b", re.IGNORECASE)
_ENDED = re.compile(r"[.!。！]['\"”’)]*$")
_BULLET = re.compile(r"[-*•–]\s+|\d{1,2}[.)]\s+")
_STATEMENT = re.compile(r"\?|\b(?:what|how|why|when|which|who|can|is|are|does|do|should)\b", re.IGNORECASE)
_DANGLING = re.compile(
    r"^(?:it|they|this|these|those|such|he|she|its|their|both|and|but|or|so|also|however|besides|then|for example)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Excerpt:
    """One sentence of a passage as it stands there, and the paragraph of the answer that it belongs to."""

    text: str
    passage: Passage
    paragraph: int


@dataclass(frozen=True)
class _Candidate:
    text: str
    position: int
    passage: Passage
    vector: Sequence[float]
    score: float


def relevant(question: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that are about the question: alike in meaning, and sharing half of its claiming words or more.

    Of a story with a question at its end, half of the words of either.
    """
    every, asking = _topics(question), _topics(asking_part(question))
    fitting: list[Passage] = []
    for passage in passages:
        bag = Bag.of([passage.title, passage.heading, passage.text, *_names(passage)])
        said = max(_share(every, bag, 1.0), _share(asking, bag, 0.0))
        about = passage.similarity >= LIKE or (passage.similarity >= RELATED and said >= 0.5)
        if about and not of_another(question, passage):
            fitting.append(passage)
    return fitting


def of_another(question: str, passage: Passage) -> bool:
    """Whether a passage is about another kind of the illness asked about, or names none of the medicines."""
    substances = drugs(question) & {one.name for one in in_play(question)}
    if _other_kind(question, passage.title):
        return True
    return bool(substances) and not substances & _names(passage) and passage.similarity < LIKE + 0.1


def _names(passage: Passage) -> frozenset[str]:
    return frozenset(drugs(f"{passage.title} {passage.heading} {passage.text}"))


@remembered(maxsize=1024)
def asking_part(question: str) -> str:
    """The sentences of a question that ask, without what is told of the person around them.

    All of it where they name nothing, and where the rest names a medicine or a condition that they may be about.
    """
    sentences = [question[a:b] for a, b in split_plain(question)]
    asking = [sentence for sentence in sentences if sentence.rstrip("\"'”’) ").endswith(("?", "？"))]
    story = [sentence for sentence in sentences if sentence not in asking]
    topics = in_play(" ".join(story)) or conditions_of(story) - conditions_of(asking) - _STATES
    return question if topics or not _topics(" ".join(asking)) else " ".join(asking)


@remembered(maxsize=1024)
def _topics(question: str) -> tuple[str, ...]:
    """The claiming words of a question: substances in place of brands; no ages, weights and spans of time."""
    plain = without_quantities(question).lower()
    for written, name in named(question).items():
        plain = re.sub(rf"\b{re.escape(written)}\b", name, plain)
    return tuple(word for word in claims(plain) if stem(word) not in _SPANS)


def _share(words: Sequence[str], bag: Bag, of_none: float) -> float:
    """The share of the words that the bag says."""
    return sum(map(bag.says, words)) / len(words) if words else of_none


@remembered(maxsize=1024)
def _asked_groups(question: str) -> frozenset[str]:
    """The groups of people that a question is about, the ages that it tells among them."""
    groups = set(_groups(question))
    for age in read(question).ages:
        groups |= {"adults"} if age >= 18 else {"children"}
        groups |= {"infants"} if age < 1 else {"teenagers"} if 12 <= age < 18 else set()
    return frozenset(groups)


def _groups(text: str) -> frozenset[str]:
    return populations(text) | ({"adults"} if _ADULTS.search(text) else frozenset())


def _misled(text: str, asked: frozenset[str]) -> float:
    """How much less a sentence counts for being of a group that was not asked about, above all of another age."""
    said = _groups(text)
    young, grown = asked & _YOUNG, asked & _GROWN
    others = _GROWN if young and not grown else _YOUNG if grown and not young | asked & _STATES else frozenset()
    if said & others and not said & asked:
        return 0.3
    return 0.1 * bool(said - asked - {"adults"})


def _other_kind(question: str, title: str) -> bool:
    """Type 1 is not type 2: the title numbers its subject otherwise than the question does."""
    asked = {q.value for q in quantities(question) if q.unit == "type"}
    titled = {q.value for q in quantities(title) if q.unit == "type"}
    return bool(asked and titled and not asked & titled)


async def excerpts(
    question: str,
    passages: Sequence[Passage],
    library: Retriever,
    max_words: int,
    allowed: Callable[[str], bool] = lambda _: True,
) -> list[Excerpt]:
    """The answer's sentences, best first; then the rest in the order of their documents; then when to get help.

    Help comes first where the search itself put that section on top: the question describes an emergency.

    Args:
        passages: those that are `relevant`, best first; at least one.
        max_words: of the whole; 150 at most, since quotes are dense.
        allowed: whether a quote may be told to this reader; the answer is empty if none may.
    """
    every = await _candidates(question, await _whole_first(passages, library), library)
    candidates = [candidate for candidate in every if allowed(candidate.text)]
    if every and not candidates:
        return []
    if not candidates:
        first = passages[0]
        return [
            Excerpt(first.text[a:b], first, 0)
            for a, b in statements(first.text)[:2] or split_plain(first.text)[:2]
            if allowed(first.text[a:b])
        ]
    chosen = _choose(candidates, min(max_words, WORDS))
    lead = chosen[0]
    urgent = passages[0].heading == HELP and passages[0].document_id == lead.passage.document_id
    rank = {title: number for number, title in enumerate(dict.fromkeys(c.passage.title for c in chosen))}
    section = lead.passage.chunk_id
    rest = sorted(
        chosen[1:],
        key=lambda c: (
            rank[c.passage.title],
            c.passage.chunk_id != section,
            c.passage.document_id,
            c.passage.start,
            c.position,
        ),
    )
    paragraphs = {lead.passage.title: 1}
    told = [Excerpt(lead.text, lead.passage, 1)]
    for candidate in rest:
        paragraph = paragraphs.setdefault(candidate.passage.title, len(paragraphs) + 1)
        told.append(Excerpt(candidate.text, candidate.passage, paragraph))
    told.sort(key=lambda excerpt: excerpt.paragraph)
    room = max_words - sum(count_words(excerpt.text) for excerpt in told)
    seek_help = await _help(lead.passage, 0 if urgent else len(paragraphs) + 1, library, room)
    seek_help = [excerpt for excerpt in seek_help if allowed(excerpt.text)]
    return seek_help + told if urgent else told + seek_help


def statements(text: str) -> list[tuple[int, int]]:
    """Start and stop of what can be quoted alone: whole sentences, and a list together with the line that opens it.

    A list's item, or a heading, says little alone and may mislead; lists of over 80 words are left out. A table's row
    repeats its headings, and says all by itself.
    """
    spans = split_plain(text)
    found: list[tuple[int, int]] = []
    position = 0
    while position < len(spans):
        start, stop = spans[position]
        position += 1
        if text[start:stop].endswith(":"):
            while position < len(spans) and _is_item(text, *spans[position]):
                stop = spans[position][1]
                position += 1
            if "\n" in text[start:stop] and count_words(text[start:stop]) <= 80:
                found.append((start, stop))
        elif ROW.fullmatch(text[start:stop]) or (
            _ENDED.search(text[start:stop]) and not _BULLET.match(text[start:stop]) and asserts(text[start:stop])
        ):
            found.append((start, stop))
    return found


def _under_headings(passage: Passage) -> list[tuple[str, int, int, int]]:
    """Each statement with its heading, its place under it, start and stop; a line that asks is a heading too."""
    found: list[tuple[str, int, int, int]] = []
    heading, place = passage.heading, 0
    for start, stop in statements(passage.text):
        asking = [line.strip() for line in passage.text[:start].splitlines() if line.strip().endswith("?")]
        if asking and asking[-1] != heading:
            heading, place = asking[-1], 0
        found.append((heading, place, start, stop))
        place += 1
    return found


def _is_item(text: str, start: int, stop: int) -> bool:
    """Whether a span opens its line and is a list's item: marked as one, or without a closing stop, or a short line."""
    before, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", stop)
    if text[before:start].strip() or text[start:stop].endswith((":", "?")):
        return False
    alone = not text[stop : line_end if line_end >= 0 else len(text)].strip()
    short = alone and text[:before].endswith("\n") and len(text[start:stop].split()) <= 15
    return bool(_BULLET.match(text[start:stop]) or not _ENDED.search(text[start:stop]) or short)


def in_one_line(quote: str) -> str:
    """A quote as it is told in running text: a list's items one after the other, between semicolons."""
    lead, *items = quote.splitlines()
    told = [_BULLET.sub("", item.strip()).rstrip(" .;") for item in items if item.strip()]
    return " ".join(f"{lead} {'; '.join(told)}.".split()) if told else lead.strip()


async def _whole_first(passages: Sequence[Passage], library: Retriever) -> list[Passage]:
    """The passages, and the sections of the first one's document that the search left out."""
    first = passages[0]
    known = {passage.chunk_id for passage in passages}
    others = [p for p in await library.document(first.document_id) if p.chunk_id not in known]
    return [*passages, *(replace(p, similarity=first.similarity) for p in others)]


def _wanted(question: str, heading: str) -> bool:
    """Whether a section tells what the question wants to know; one who only complains wants to know what to do."""
    if not _STATEMENT.search(question):
        return bool(re.search(r"what to do now|what you can do|treat", heading, re.IGNORECASE))
    return any(asks.search(question) and headings.search(heading) for asks, headings in _INTENTS)


async def _candidates(question: str, passages: Sequence[Passage], library: Retriever) -> list[_Candidate]:
    """Every sentence fit to be quoted alone, scored by its own likeness, its section's and its words."""
    found = [
        (passage, heading, position, passage.text[start:stop])
        for passage in passages
        if passage.heading != HELP or len(passages) == 1
        for heading, position, start, stop in _under_headings(passage)
        if 5 <= len(passage.text[start:stop].split()) <= 80 and not _DANGLING.match(passage.text[start:stop])
    ]
    sections = list(dict.fromkeys(f"{passage.title}: {heading}" for passage, heading, _, _ in found))
    asking = asking_part(question)
    whole, part, *vectors = await library.embed([question, asking, *sections, *(text for *_, text in found)])
    asked, groups, substances = _topics(asking), _asked_groups(question), {one.name for one in in_play(question)}

    def likeness(vector: Sequence[float]) -> float:
        return (_dot(whole, vector) + _dot(part, vector)) / 2

    section_likeness = {section: likeness(vector) for section, vector in zip(sections, vectors, strict=False)}
    candidates = []
    for (passage, heading, position, text), vector in zip(found, vectors[len(sections) :], strict=True):
        names = {one.name for one in mentions(f"{passage.title}. {text}")}
        said = _share(asked, Bag.of([text, passage.title, *names]), 0.0)
        score = 0.4 * likeness(vector) + 0.4 * section_likeness[f"{passage.title}: {heading}"]
        # A section's first sentence answers what its heading asks.
        wanted = _wanted(question, heading)
        score += 0.2 * said + 0.08 * wanted + (0.06 + 0.04 * wanted if position == 0 else -0.015 * min(position, 4))
        # What holds for a group that was not asked about would mislead everyone else.
        score -= _misled(f"{passage.title}. {text}", groups)
        # Of several medicines, what speaks of them all answers.
        score += TOGETHER * (len(substances) > 1 and substances <= names)
        candidates.append(_Candidate(text, position, passage, vector, score))
    return sorted(candidates, key=lambda c: -c.score)


def _choose(candidates: Sequence[_Candidate], words: int) -> list[_Candidate]:
    """The best sentences that don't repeat one another, within the words."""
    chosen: list[_Candidate] = []
    for candidate in candidates:
        if len(chosen) == SENTENCES or candidate.score < candidates[0].score - NEAR - 0.1 * (
            candidate.passage.document_id == candidates[0].passage.document_id
        ):
            continue
        if any(_repeats(candidate, other) for other in chosen):
            continue
        if chosen and sum(count_words(c.text) for c in [*chosen, candidate]) > words:
            continue
        chosen.append(candidate)
    return chosen


def _repeats(one: _Candidate, other: _Candidate) -> bool:
    """Whether a sentence says what another says; the rows of a table that give other numbers do not."""
    return _dot(one.vector, other.vector) >= REPEAT and {*numbers(one.text)} <= {*numbers(other.text)}


async def _help(lead: Passage, paragraph: int, library: Retriever, room: int) -> list[Excerpt]:
    """The first sentences of the leading document's section on when to get help, as far as there is room."""
    found: list[Excerpt] = []
    for passage in await library.document(lead.document_id):
        if passage.heading == HELP:
            for start, stop in statements(passage.text)[:2]:
                room -= count_words(passage.text[start:stop])
                if room >= 0:
                    found.append(Excerpt(passage.text[start:stop], passage, paragraph))
    return found


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
