"""Understanding: how often the right page comes first for a question as it is asked, and as it is understood."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NotRequired

from sqlalchemy import text
from typing_extensions import TypedDict

from primum.evals.cases import Case, Report, ids, share
from primum.memory.session import Database
from primum.nodes.rewrite import searched, spelt
from primum.retrieval.embedder import Embedder
from primum.retrieval.ingest import Progress, ingest
from primum.retrieval.options import question_only
from primum.retrieval.search import Retriever
from primum.retrieval.starter import STARTER
from primum.safety.language import detect


class Row(TypedDict):
    """A question to the starter library, and the page that should come first."""

    id: NotRequired[str]
    question: str
    page: str
    language: NotRequired[Literal["en", "zh", "es"]]


async def run(
    cases: Sequence[Case], database: Database, embedder: Embedder, on_progress: Callable[[Progress], None] | None = None
) -> Report:
    """Shares of right first pages by language, before and after, and each miss; the starter library is ingested.

    Raises:
        ValueError: a case wants a page that the starter library does not have.
    """
    known = {path.stem for path in STARTER.glob("*.md")}
    if strange := [case for case in cases if case["page"] not in known]:
        raise ValueError(f"no page {strange[0]['page']!r} in the starter library (case {strange[0]['id']})")
    await ingest([STARTER], database, embedder, on_progress)
    library = Retriever(database, embedder)
    pages = await _pages(database)
    before, after, missed = [], [], []
    for case in cases:
        question = case["question"]
        asked = question_only(question)
        queries = searched(question, asked, [await spelt(asked, library)])["queries"]
        plain, found = [await _first(library, texts, pages) for texts in ([question], queries)]
        before += [case] if plain == case["page"] else []
        after += [case] if found == case["page"] else []
        if found != case["page"]:
            missed.append({"id": case["id"], "found": found, "wanted": case["page"], "queries": queries})
    lost = [name for name in ids(before) if name not in ids(after)]
    return {"n": len(cases), **_shares(cases, before, after), "missed": missed, "lost": lost}


async def _pages(database: Database) -> Mapping[int, str]:
    """The file's name of each page of the starter library."""
    async with database.begin() as connection:
        rows = await connection.execute(text("select id, uri from documents where replaced_at is null"))
        return {row.id: row.uri.rpartition("/")[2].rpartition(":")[2].removesuffix(".md") for row in rows}


async def _first(library: Retriever, queries: Sequence[str], pages: Mapping[int, str]) -> str:
    found = await library.search(queries, 1)
    return pages[found[0].document_id] if found else ""


def _shares(cases: Sequence[Case], before: Sequence[Case], after: Sequence[Case]) -> Report:
    """The share of right first pages, of all and by language."""

    def of(rows: Sequence[Case], language: str) -> list[Case]:
        return [case for case in rows if case.get("language", detect(case["question"])) == language]

    languages = [language for language in ("en", "es", "zh") if of(cases, language)]
    return {
        "before": share(len(before), len(cases)),
        "after": share(len(after), len(cases)),
        "by_language": {
            language: {
                "n": len(of(cases, language)),
                "before": share(len(of(before, language)), len(of(cases, language))),
                "after": share(len(of(after, language)), len(of(cases, language))),
            }
            for language in languages
        },
    }
