"""`primum ingest`, `primum search`, `primum documents`: the library."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    from primum.memory.session import Database
    from primum.retrieval.embedder import Embedder


class Kind(StrEnum):
    """Of an index of vectors."""

    HALFVEC = "halfvec"
    BINARY = "binary"
    NONE = "none"


documents = typer.Typer(help="What is in the library.", no_args_is_help=True)


@dataclass(frozen=True)
class _Library:
    database: "Database"
    embedder: "Embedder"
    tenant: str


def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files or folders (.md .txt .html .pdf .docx .pptx .csv .xml .json .jsonl[.gz] .zip), addresses such "
            "as s3://bucket/folder, or a source: medlineplus, medquad, dailymed:DRUG, 'pubmed:QUERY'."
        ),
    ],
    private: Annotated[bool, typer.Option("--private", help="For PRIMUM_TENANT alone, not for everyone.")] = False,
    on_ray: Annotated[bool, typer.Option("--ray", help="On the cluster of RAY_ADDRESS, or all cores here.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Embedders at once, with --ray. Else all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put documents into the library. What is unchanged is left alone."""
    from primum.graph.literature import pubmed_origin
    from primum.graph.settings import read_settings
    from primum.retrieval.origins import ORIGINS, is_origin
    from primum.retrieval.remote import is_remote

    ORIGINS["pubmed"] = pubmed_origin(read_settings())
    missing = [path for path in paths if not (is_origin(path) or is_remote(path) or Path(path).exists())]
    if workers and not on_ray:
        raise BadInput("--workers goes with --ray.")
    if missing:
        raise BadInput(f"No such file, folder or source: {', '.join(missing)}")

    async def work() -> Any:
        from primum.retrieval.cluster import ingest_on_workers
        from primum.retrieval.ingest import ingest
        from primum.server.console import progress_bar

        if on_ray:
            async with _database() as (database, own):
                with progress_bar("Ingesting") as advance:
                    tenant = own if private else ""
                    return await ingest_on_workers(paths, database, _embedder_loader(), workers, advance, tenant)
        async with _library() as library:
            with progress_bar("Ingesting") as advance:
                tenant = library.tenant if private else ""
                return await ingest(paths, library.database, library.embedder, advance, tenant)

    report = run(work())
    if as_json:
        print_json({**vars(report), "skipped": [{"name": name, "reason": reason} for name, reason in report.skipped]})
    else:
        counts = (f"{getattr(report, name)} {name}" for name in ("added", "replaced", "unchanged", "removed"))
        typer.echo(f"Documents: {', '.join(counts)}, {len(report.skipped)} skipped")
    for name, reason in report.skipped:
        say(f"Skipped {name}: {reason}")
    if report.skipped:
        raise typer.Exit(1)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Passages to show.")] = 10,
    kind: Annotated[list[str] | None, typer.Option(help="Only documents of this kind.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only in this language: en, es, …")] = None,
    audience: Annotated[list[str] | None, typer.Option(help="Only for patient or clinician.")] = None,
    origin: Annotated[list[str] | None, typer.Option(help="Only from this source: medlineplus, pubmed, …")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only published since.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search the library, as the agent does."""
    from primum.graph.request import check_text
    from primum.retrieval.search import Filter

    query = check_text(query, "query")
    only = Filter(
        kinds=tuple(kind or ()),
        languages=tuple(language or ()),
        audiences=tuple(audience or ()),
        origins=tuple(origin or ()),
        published_since=since.date() if since else None,
    )

    async def work() -> Any:
        from primum.retrieval.search import Retriever

        async with _library() as library:
            return await Retriever(library.database, library.embedder, library.tenant).search([query], k, only)

    found = run(work())
    if as_json:
        names = ("score", "title", "heading", "url", "text", "page", "evidence", "published", "document_id", "chunk_id")
        print_json([{"rank": i, **{name: getattr(p, name) for name in names}} for i, p in enumerate(found, 1)])
    else:
        from primum.server.console import show_passages

        show_passages(found)


def reembed(as_json: AsJson = False) -> None:
    """Change the library over to the embedder of PRIMUM_EMBEDDER. Until that is done it is used as before."""

    async def work() -> int:
        from primum.retrieval.ingest import Progress
        from primum.retrieval.reembed import reembed
        from primum.server.console import progress_bar

        async with _library() as library:
            with progress_bar("Embedding") as advance:
                return await reembed(
                    library.database, library.embedder, lambda done, total: advance(Progress(done, total, ""))
                )

    done = run(work())
    if as_json:
        print_json({"chunks": done})
    else:
        typer.echo(f"Embedded anew: {done:,} chunks" if done else "The library is this embedder's already.")


def vector_index(
    kind: Annotated[
        Kind,
        typer.Argument(help="halfvec: exact; binary: a quarter of the memory or less; none: before a large ingest."),
    ],
) -> None:
    """Change the kind of the index of the library's vectors. Until it is built the library is used as before."""
    from primum.retrieval import index

    async def work() -> bool:
        async with _database() as (database, _):
            return await index.change_vector_index(database, kind.value)

    changed = run(work())
    typer.echo(f"The index of the vectors is {kind.value} now." if changed else f"It is {kind.value} already.")


@documents.command("list", epilog="Example: primum documents list --like gout")
def list_documents(
    like: Annotated[str, typer.Option(help="Only with this in the title or the identity.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Documents to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show documents, the newest first: everyone's, and those of PRIMUM_TENANT."""
    from primum.retrieval import index

    async def work() -> Any:
        async with _database() as (database, tenant), database.begin() as connection:
            return await index.listed(connection, tenant, like, limit)

    found = run(work())
    if as_json:
        print_json(found)
        return
    for one in found:
        notes = [one["kind"], f"{one['chunks']} chunks", *(["private"] if one["tenant"] else [])]
        notes += [name for name in ("duplicate", "retracted", "stale") if one[name]]
        typer.echo(f"{one['uri']}\n    {one['title']} ({', '.join(notes)})")
    if not found:
        say("No such document.")


@documents.command("remove", epilog="Example: primum documents remove file:/srv/leaflets/old.pdf")
def remove_documents(
    uris: Annotated[list[str], typer.Argument(help="Their identities, as `primum documents list` shows them.")],
    private: Annotated[bool, typer.Option("--private", help="Of PRIMUM_TENANT, not everyone's.")] = False,
) -> None:
    """Take documents out of the library, with all their versions: no answer rests on them from then on."""
    from primum.retrieval import index

    async def work() -> int:
        async with _database() as (database, tenant), database.begin() as connection:
            await index.lock(connection)
            removed = await index.remove(connection, uris, tenant if private else "")
            await index.finish(connection)
            return removed

    removed = run(work())
    typer.echo(f"Removed: {removed}")
    if removed < len(set(uris)):
        raise BadInput("Not all of them are in the library: `primum documents list` shows what is.")


@asynccontextmanager
async def _database() -> AsyncIterator[tuple["Database", str]]:
    """The library's database, as its owner, and the tenant; no embedder is loaded."""
    from primum.graph.settings import read_settings
    from primum.memory.session import Database
    from primum.server.local import DATABASE, embedded, url_of

    async with embedded(read_settings(), say, need=DATABASE) as settings:
        database = Database(url_of(settings), settings.database_pool, owner=True)
        try:
            yield database, settings.tenant
        finally:
            await database.close()


def _embedder_loader() -> "Callable[[], Embedder]":
    """What loads the embedder of the settings in another process, which is given no other setting and no other key."""
    from primum.graph.settings import read_settings
    from primum.retrieval.embedder import load_embedder

    settings = read_settings()
    return partial(load_embedder, settings.embedder, settings.embedder_url, settings.embedder_key.get_secret_value())


@asynccontextmanager
async def _library() -> AsyncIterator[_Library]:
    """The database and the embedder; no model server is started."""
    from primum.graph.resources import embedder_of
    from primum.graph.settings import read_settings

    async with _database() as (database, tenant):
        say("Loading the embedder")
        yield _Library(database, await asyncio.to_thread(embedder_of, read_settings()), tenant)
