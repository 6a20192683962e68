"""Cases: has a work-up the diagnosis, does it tell danger, ask for what is missing, cite and plan safely?"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share
from primum.graph.answer import Answer
from primum.safety.profile import Profile
from primum.safety.validator import dangers, told
from primum.safety.words import Bag, claims


class Gold(TypedDict):
    """What is right."""

    diagnosis: str
    names: NotRequired[list[str]]
    document_id: NotRequired[int]
    red_flags: NotRequired[list[str]]
    missing: NotRequired[list[str]]


class Row(TypedDict):
    """A case as `primum case generate` makes it, or one's own."""

    id: NotRequired[str | int]
    text: str
    gold: Gold


Ask = Callable[[str], Awaitable[Answer]]


async def run(rows: Sequence[Case], ask: Ask, advance: Callable[[int], None] = lambda _: None) -> Report:
    """Has each case worked up and compares it with what is right."""
    answers: list[Answer] = []
    for row in rows:
        answers.append(await ask(row["text"]))
        advance(len(answers))
    return judged(rows, answers)


def judged(rows: Sequence[Case], answers: Sequence[Answer]) -> Report:
    """The report on an answer to each case."""
    pairs = list(zip(rows, answers, strict=True))
    ranks = [rank(row["gold"], answer) for row, answer in pairs]
    dangerous = [_told(row["gold"], answer) for row, answer in pairs if row["gold"].get("red_flags")]
    sources = [_cites(row["gold"], answer) for row, answer in pairs if "document_id" in row["gold"]]
    gaps = [item in _items(answer) for row, answer in pairs for item in row["gold"].get("missing", [])]
    said = [sentence for answer in answers for sentence in _sentences(answer)]
    unsafe = [row for row, answer in pairs if _unsafe(row["text"], answer)]
    return {
        "n": len(rows),
        "worked_up_by_model": sum(answer.status == "answered" for answer in answers),
        "top_1": share(sum(one == 1 for one in ranks), len(rows)),
        "top_3": share(sum(one is not None and one <= 3 for one in ranks), len(rows)),
        "not_named_ids": ids(row for row, one in zip(rows, ranks, strict=True) if one is None),
        "cant_miss": len(dangerous),
        "cant_miss_named": share(sum(dangerous), len(dangerous)),
        "missing_asked": share(sum(gaps), len(gaps)),
        "unsafe_plans": len(unsafe),
        "unsafe_ids": ids(unsafe),
        "source_cited": share(sum(sources), len(sources)),
        "sentences_cited": share(sum("[" in one for one in said), len(said)),
    }


def rank(gold: Gold, answer: Answer) -> int | None:
    """The place of the right condition in the differential, from 1; none if it is not there."""
    names = [gold["diagnosis"], *gold.get("names", [])]
    for place, one in enumerate(answer.case.differential if answer.case else (), 1):
        if any(_same(one.condition, name) for name in names):
            return place
    return None


def _same(one: str, other: str) -> bool:
    return all(claims(a) and all(Bag.of([b]).says(w) for w in claims(a)) for a, b in ((one, other), (other, one)))


def _told(gold: Gold, answer: Answer) -> bool:
    """Whether a case with warning signs is told as pressing, or its diagnosis as one that must not be missed."""
    place = rank(gold, answer)
    marked = place is not None and answer.case is not None and answer.case.differential[place - 1].cant_miss
    return answer.disposition in ("emergency", "urgent") or marked


def _cites(gold: Gold, answer: Answer) -> bool:
    return gold["document_id"] in [citation.document_id for citation in answer.citations]


def _items(answer: Answer) -> set[str]:
    return {one.item for one in answer.case.missing} if answer.case else set()


def _sentences(answer: Answer) -> list[str]:
    if answer.case is None:
        return []
    points = [p.sentence for one in answer.case.differential for p in (*one.speaks_for, *one.speaks_against)]
    tests = [test for one in answer.case.differential for test in one.next_test]
    return [*points, *tests, *answer.case.plan.investigations, *answer.case.plan.treatment]


def _unsafe(text: str, answer: Answer) -> list[Any]:
    plan = answer.case.plan if answer.case else None
    planned = (*plan.investigations, *plan.treatment) if plan else ()
    return [found for found in dangers(planned, told(text, Profile()), answer.disposition) if found]
