"""Rows made of a library's own pages by code: the prompt of `draft`, and the passages' own sentences as its answer.

What such a row teaches is the form and the honesty of an answer: its sentences are proven by the passages that they
cite, and where the passages answer something else, it says so.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from primum.finetune.cleaning import estimated_tokens
from primum.finetune.datasets import Unusable
from primum.finetune.item import LIBRARY, Item
from primum.finetune.questions import asked_of, beside, subject
from primum.finetune.splits import DEFAULT, Shares, split_of
from primum.graph.errors import BadInput
from primum.graph.state import State
from primum.memory.extract import extract
from primum.memory.facts import profile_of
from primum.nodes.evidence import judge
from primum.nodes.prompts import render
from primum.retrieval.chunking import chunk
from primum.retrieval.excerpts import HELP, in_one_line, statements
from primum.retrieval.loaders import STARTER, Source, load
from primum.retrieval.search import Passage
from primum.safety.profile import Profile
from primum.safety.sentences import Sentence, count_words, split_answer
from primum.safety.validator import examine
from primum.safety.words import Bag, claims

LICENCE = "Apache-2.0"  # of the starter library, which is part of Primum
PASSAGES = (2, 4)  # in a prompt, at least and at most
SENTENCES = (2, 4)  # of an answer
WORDS = (60, 100, 150, 200)  # that an answer is allowed
CLINICIANS, WITH_FACTS, LATER = 0.2, 0.2, 0.15  # shares of the rows
NO_ANSWER = (
    "The passages do not answer this question.",
    "I can't answer this question from the passages.",
    "The passages that I have do not answer this question.",
)
# What people tell of themselves; the facts of a prompt are read out of it as the memory reads them.
_TOLD = (
    "I am 34 years old.",
    "I am 71 years old and take ramipril 5 mg once a day.",
    "I have asthma.",
    "I am allergic to penicillin.",
    "I take metformin 500 mg twice a day.",
    "I am 52 years old. I have high blood pressure.",
    "I have migraine and take no medicines.",
)
_TODAY = date(2026, 1, 1)


@dataclass(frozen=True)
class _Section:
    document: str
    name: str
    passage: Passage


class Library:
    """The pages of one split: a question of a page is only ever put beside passages of pages of the same split."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.sections = {source.uri: _sections(source) for source in sources}

    def others(self, source: Source, count: int, chosen: random.Random) -> list[Passage]:
        """Passages of other pages, of the same kind of page first."""
        pages = [one for one in self.sources if one.uri != source.uri and self.sections[one.uri]]
        chosen.shuffle(pages)
        pages.sort(key=lambda one: one.kind != source.kind)
        return [chosen.choice(self.sections[page.uri]).passage for page in pages[:count]]


def documents(folder: Path | None) -> list[Source]:
    """The documents of a folder, or of the starter library. Raises BadInput if none could be read."""
    found = sorted((one for one in load(folder or STARTER) if isinstance(one, Source)), key=lambda one: one.uri)
    if not found:
        raise BadInput(f"{folder}: no document in it that can be read.")
    return [replace(one, licence=LICENCE) for one in found] if folder is None else found


def digest(sources: Iterable[Source]) -> str:
    """A hash of all that these documents say."""
    return hashlib.sha256("".join(sorted(one.content_hash for one in sources)).encode()).hexdigest()


def items(sources: Sequence[Source], seed: int, shares: Shares = DEFAULT) -> Iterator[tuple[str, Item | Unusable]]:
    """The items of the documents; those that our own audit refuses are Unusable."""
    splits = {one.uri: split_of(group_of_document(one), seed, shares) for one in sources}
    libraries = {split: Library([one for one in sources if splits[one.uri] == split]) for split in set(splits.values())}
    for source in sources:
        yield from _of_document(source, libraries[splits[source.uri]], seed)


def group_of_document(source: Source) -> str:
    """The group of a document's rows: what it is called, wherever its file lies."""
    return f"document:{source.title.casefold()}"


def _sections(source: Source) -> list[_Section]:
    """The page's passages as the library would store them, each with its number in place of an identity."""
    name = subject(source)
    return [
        _Section(source.uri, name, _passage(source, one.heading, one.text, number))
        for number, one in enumerate(chunk(source, estimated_tokens), 1)
        if one.text.strip()
    ]


def _passage(source: Source, heading: str, text: str, number: int) -> Passage:
    return Passage(
        chunk_id=number,
        document_id=0,
        title=source.title,
        heading=heading,
        url=source.url,
        kind=source.kind,
        text=text,
        start=0,
        stop=len(text),
        page=None,
        sources=source.sources,
        reviewed=None,
        published=None,
        evidence=source.evidence,
        licence=source.licence,
        language=source.language,
        origin=source.origin,
        retracted=source.retracted,
        score=1.0,
        similarity=1.0,
        words=1.0,
    )


def _of_document(source: Source, library: Library, seed: int) -> Iterator[tuple[str, Item | Unusable]]:
    group, sections = group_of_document(source), library.sections[source.uri]
    for section in sections:
        ways = asked_of(section.name, section.passage.heading)
        chosen = random.Random(f"{seed} {group} {section.passage.chunk_id}")  # noqa: S311
        chosen.shuffle(ways)
        for number, question in enumerate(ways[:2], 1):
            place = f"{source.title}/{section.passage.heading or 'opening'}/{section.passage.chunk_id}.{number}"
            yield place, _answered(question, section, source, library, chosen)
    chosen = random.Random(f"{seed} {group} beside")  # noqa: S311
    if sections:
        yield f"{source.title}/no answer", _unanswered(source, library, chosen)


def _answered(
    question: str, section: _Section, source: Source, library: Library, chosen: random.Random
) -> Item | Unusable:
    """The section among others, and its first statements as the answer; then when to get help, if that is there."""
    own = [one.passage for one in library.sections[source.uri] if one is not section]
    count = chosen.randint(*PASSAGES) - 1
    beside_it = chosen.sample(own, min(len(own), chosen.randint(0, count)))
    shown = [section.passage, *beside_it, *library.others(source, count - len(beside_it), chosen)]
    chosen.shuffle(shown)
    passages = dict(enumerate(shown, 1))
    limit = chosen.choice(WORDS)
    told = _told(section.passage, shown.index(section.passage) + 1, chosen.randint(*SENTENCES), limit)
    for number, passage in passages.items():
        room = limit - sum(count_words(one.text) for one in told)
        if told and passage is not section.passage and passage in own and passage.heading == HELP:
            told += _told(passage, number, 1, room)
    if not told:
        return Unusable("section without a sentence to quote")
    answer = " ".join(one.marked() for one in told)
    return _row(question, answer, passages, limit, source, library, chosen)


def _told(passage: Passage, number: int, count: int, room: int) -> list[Sentence]:
    """The passage's first statements, as many as are wanted and as there is room for."""
    told: list[Sentence] = []
    for start, stop in statements(passage.text):
        quote = in_one_line(passage.text[start:stop])
        room -= count_words(quote)
        if len(told) == count or room < 0:
            break
        told.append(Sentence(quote, (number,)))
    return told


def _unanswered(source: Source, library: Library, chosen: random.Random) -> Item | Unusable:
    """A question that none of its passages answers: of a page that leaves it out, or with other pages' passages."""
    name, sections = subject(source), library.sections[source.uri]
    left_out = beside(source, name)
    count = chosen.randint(*PASSAGES)
    if left_out and chosen.random() < 0.5:
        question, own = chosen.choice(left_out), [one.passage for one in sections]
        shown = chosen.sample(own, min(len(own), count))
    else:
        section = chosen.choice(sections)
        question = chosen.choice(asked_of(name, section.passage.heading))
        others = library.others(source, count * 5, chosen)
        shown = [passage for passage in others if not _speaks_of(passage, name)][:count]
    if not shown:
        return Unusable("no passages that leave the question open")
    passages = dict(enumerate(shown, 1))
    return _row(question, chosen.choice(NO_ANSWER), passages, chosen.choice(WORDS), source, library, chosen, open_=True)


def _speaks_of(passage: Passage, name: str) -> bool:
    """Whether a passage says any claiming word of a name."""
    bag = Bag.of([passage.title, passage.heading, passage.text])
    return any(bag.says(word) for word in claims(name))


def _row(
    question: str,
    answer: str,
    passages: dict[int, Passage],
    limit: int,
    source: Source,
    library: Library,
    chosen: random.Random,
    *,
    open_: bool = False,
) -> Item | Unusable:
    """The row, if our own audit lets the answer stand for this person."""
    facts, profile = _person(chosen.choice(_TOLD)) if chosen.random() < WITH_FACTS else ([], Profile())
    report = examine(question, profile)
    # An emergency never gets to `draft` for a patient: it is answered by rules.
    clinician = report.disposition == "emergency" or chosen.random() < CLINICIANS
    state = State(question=question, profile=profile.model_dump(mode="json"), report=report.model_dump(mode="json"))
    if why := _refused(answer, passages, state, open_=open_):
        return Unusable(why)
    asked = render(
        "draft",
        passages=list(passages.items()),
        facts=facts,
        summary={},
        history=_history(source, library, chosen) if chosen.random() < LATER else [],
        question=question,
        warnings=report.warnings,
        max_words=limit,
    )
    system = render("system", audience="clinician" if clinician else "patient")
    return Item(
        id="",
        group=group_of_document(source),
        source="",
        licence=source.licence,
        question=question,
        answer=answer,
        kind="grounded",
        asked=asked,
        before=({"role": "system", "content": system},),
        reference=" ".join(f"[{number}]" for number in _markers(answer)),
        language=source.language,
    )


def _refused(answer: str, passages: dict[int, Passage], state: State, *, open_: bool) -> str:
    """Why the audit lets the answer not stand; nothing if it does."""
    verdicts = judge(answer, passages, state)
    clinical = [verdict for verdict in verdicts if verdict.clinical]
    if open_:
        return "audit: a claim in what should be none" if clinical else ""
    if not clinical:
        return "audit: nothing said"
    violations = [violation.rule for verdict in clinical for violation in verdict.violations]
    return f"audit: {violations[0]}" if violations else ""


def _markers(answer: str) -> list[int]:
    return sorted({number for sentence in split_answer(answer) for number in sentence.markers})


@cache
def _person(said: str) -> tuple[list[dict[str, Any]], Profile]:
    """The facts that somebody's words tell, as a prompt names them, and the profile that they make."""
    facts = extract(said, today=_TODAY)
    return [{"text": fact.words} for fact in facts], profile_of(facts, today=_TODAY)


def _history(source: Source, library: Library, chosen: random.Random) -> list[dict[str, str]]:
    """An earlier question about the same page, with the first sentence of what answers it."""
    section = chosen.choice(library.sections[source.uri])
    question = chosen.choice(asked_of(section.name, section.passage.heading))
    told = _told(section.passage, 1, 1, max(WORDS))
    return [{"question": question, "answer": told[0].marked()}] if told else []


def is_library(source: str) -> bool:
    """Whether a source is the starter library, or a folder of documents."""
    return source == LIBRARY or Path(source).is_dir()


def folder_of(source: str) -> Path | None:
    return None if source == LIBRARY else Path(source)
