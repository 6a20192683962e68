"""Looking something up outside: all services at once, within one deadline, as one ranked list of documents.

Whatever fails is told with its reason and stops nothing else. Only what `deidentify` leaves of a question goes out.
"""

import asyncio
import time
import traceback
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import Field

from primum.graph.errors import LookUpFailed, MemoryUnavailable
from primum.retrieval.loaders import Source
from primum.safety import injection
from primum.tools.deidentify import Query, deidentify
from primum.tools.fetched import Fetched, Kept
from primum.tools.levels import WEIGHTS
from primum.tools.paper import identities, same, settled
from primum.tools.safety import told_wrong
from primum.tools.service import Service

_FUSION = 60  # of reciprocal rank fusion
_TOLD = 2_000  # characters of a document that a tool gives
NOTHING_LEAVES = (
    "The question has no medical word that may leave the house, so no service was asked. "
    "Ask with the names of conditions, medicines or symptoms."
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Report:
    """How one service fared. `stale`: it failed, and an answer past its time stands in; `reason` says why."""

    service: str
    state: Literal["answered", "cached", "stale", "failed"]
    documents: int
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """What was found: the words that left, the documents in the order of their worth, and how each service fared."""

    query: str
    documents: tuple[Source, ...] = ()
    reports: tuple[Report, ...] = ()
    reason: str = ""


async def look_up(
    question: str,
    services: Sequence[Service],
    cache: Fetched | None = None,
    *,
    seconds: float = 8,
    limit: int = 8,
) -> Found:
    """Asks all services at once; after so many seconds what is there is given, and the others are told as too slow."""
    deadline = asyncio.get_running_loop().time() + seconds
    query = await asyncio.to_thread(deidentify, question)  # its first call reads tables for seconds
    if query is None:
        return Found("", reason=NOTHING_LEAVES)
    answers = await asyncio.gather(*(_answer(one, query, cache, deadline, seconds, limit) for one in services))
    documents = ranked(merged([found for found, _ in answers]))
    return Found(query.text, tuple(documents), tuple(report for _, report in answers))


async def _answer(
    service: Service, query: Query, cache: Fetched | None, deadline: float, seconds: float, limit: int
) -> tuple[list[Source], Report]:
    """One service's documents, and how it fared; nothing is raised."""
    started = time.monotonic()
    kept: Kept | None = None
    found: list[Source] | None = None
    asked, reason = False, ""
    try:
        async with asyncio.timeout_at(deadline):
            kept = await _read(cache, service, query, limit)
            if kept is None or not kept.fresh:
                asked = True
                found = await _search(service, query, limit)
                await _keep(cache, service, query, limit, found)
    except TimeoutError:
        reason = f"{service.label} took longer than {seconds:g} seconds."
        if asked and found is None:
            service.breaker.failed()
    except LookUpFailed as error:
        reason = str(error)
    except Exception as error:  # a fault of ours in one service must not cost the answers of the others
        # Neither its text nor a traceback, which may hold what was asked.
        log.error("a service broke", service=service.name, error=type(error).__name__, at=_place(error))
        reason = f"{service.label} could not be used ({type(error).__name__})."
    took = round(time.monotonic() - started, 3)
    if found is not None:
        return found, Report(service.name, "answered", len(found), took)
    if kept is not None:
        state: Literal["cached", "stale"] = "cached" if kept.fresh else "stale"
        since = f"{reason} This is its answer of {kept.fetched_at:%Y-%m-%d}." if reason else ""
        return kept.documents, Report(service.name, state, len(kept.documents), took, since)
    log.warning("look up failed", service=service.name, reason=reason)
    return [], Report(service.name, "failed", 0, took, reason)


def _place(error: Exception) -> str:
    """The line in which an error was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


async def _search(service: Service, query: Query, limit: int) -> list[Source]:
    """What a service finds, with fewer words if all of them together find nothing."""
    found = await service.search(query, limit)
    shorter = query.shorter()
    if found or shorter is None or service.words(shorter) == service.words(query):
        return found
    return await service.search(shorter, limit)


async def _read(cache: Fetched | None, service: Service, query: Query, limit: int) -> Kept | None:
    try:
        return await cache.read(service.name, query, limit) if cache else None
    except MemoryUnavailable as error:
        log.warning("cache not read", service=service.name, reason=str(error))
        return None


async def _keep(cache: Fetched | None, service: Service, query: Query, limit: int, found: list[Source]) -> None:
    try:
        if cache:
            await cache.keep(service.name, query, limit, found)
    except MemoryUnavailable as error:
        log.warning("answer not kept", service=service.name, reason=str(error))


def merged(answers: Iterable[Sequence[Source]]) -> list[tuple[Source, float]]:
    """The documents of all services, each work once, with what its places in their lists are worth."""
    works: dict[int, tuple[Source, float]] = {}
    known: dict[str, int] = {}
    for documents in answers:
        for place, document in enumerate(documents, 1):
            worth = 1 / (_FUSION + place)
            for number in sorted({known[name] for name in identities(document) if name in known}):
                other, earlier = works.pop(number)
                document, worth = same(other, document), worth + earlier
            works[number := len(known) + len(works)] = (document, worth)
            known |= dict.fromkeys((*identities(document), document.uri), number)
    return [(settled(document), worth) for document, worth in works.values()]


def ranked(works: Iterable[tuple[Source, float]]) -> list[Source]:
    """The documents by their worth and their level of evidence; what was withdrawn comes last."""

    def rank(work: tuple[Source, float]) -> tuple[bool, float]:
        document, worth = work
        return document.retracted, -worth * WEIGHTS.get(document.evidence, 1.0)

    return [document for document, _ in sorted(works, key=rank)]


Question = Annotated[
    str,
    Field(
        min_length=2,
        max_length=2_000,
        description="what to look up, in medical words: 'metformin chronic kidney disease'; nothing else leaves",
    ),
]
Limit = Annotated[int, Field(ge=1, le=20, description="how many documents of each service")]

_TOOLS: dict[str, tuple[tuple[str, ...], str]] = {
    "search_literature": (
        ("pubmed", "europepmc", "medlineplus"),
        "Find papers (PubMed, Europe PMC) and health topics for patients (MedlinePlus). Each document has its level of "
        "evidence (guideline, review, trial, case), and whether it was retracted: then it must not be relied on.",
    ),
    "search_trials": (
        ("ctgov",),
        "Find clinical trials on ClinicalTrials.gov: what is or was tried, in whom, and whether results are posted. "
        "A trial without results shows nothing of what works.",
    ),
    "search_labels": (
        ("openfda",),
        "Find the labels of medicines (openFDA, United States): uses, doses, warnings, interactions, pregnancy. "
        "The question must name a medicine.",
    ),
    "search_web": (
        ("web",),
        "Find pages of health authorities and guideline makers on the web, from a fixed list of sites alone.",
    ),
}


def literature_tools(
    services: Sequence[Service], cache: Fetched | None = None, seconds: float = 8
) -> tuple[BaseTool, ...]:
    """`search_literature`, `search_trials`, `search_labels` and `search_web`, as far as their services are there."""
    return tuple(
        _tool(name, description, [one for one in services if one.name in names], cache, seconds)
        for name, (names, description) in _TOOLS.items()
        if any(one.name in names for one in services)
    )


def _tool(name: str, description: str, services: Sequence[Service], cache: Fetched | None, seconds: float) -> BaseTool:
    async def run(question: Question, limit: Limit = 5) -> dict[str, Any]:
        found = await look_up(question, services, cache, seconds=seconds, limit=limit)
        if found.reason:
            raise ToolException(found.reason)
        if not found.documents and all(one.state == "failed" for one in found.reports):
            raise ToolException(" ".join(one.reason for one in found.reports))
        return told(found)

    made = StructuredTool.from_function(coroutine=run, name=name, description=description)
    made.handle_tool_error = True
    made.handle_validation_error = told_wrong
    return made


def told(found: Found) -> dict[str, Any]:
    """What was found as plain JSON, long texts cut; what speaks to a model and not to a reader is but named."""
    documents = [_told(document) for document in found.documents]
    speaking = [one["uri"] for one in documents if injection.suspicious(f"{one['title']}\n{one['text']}")]
    return {
        "asked": found.query,
        "documents": [one for one in documents if one["uri"] not in speaking],
        "withheld": speaking,
        "services": [asdict(report) for report in found.reports],
    }


def _told(document: Source) -> dict[str, Any]:
    about: dict[str, str] = document.sources[0] if document.sources else {}
    kept: Collection[str] = ("publisher", "year", "authors", "notice", "status", "phase")
    cut = len(document.text) > _TOLD
    return {
        "uri": document.uri,
        "title": document.title,
        "url": document.url,
        "evidence": document.evidence,
        "retracted": document.retracted,
        "published": document.published.isoformat() if document.published else None,
        **{name: about[name] for name in kept if about.get(name)},
        "text": document.text[:_TOLD] + (" …" if cut else ""),
    }
