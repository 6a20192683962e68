"""The library over HTTP: what is in it, each document to be read, files put in, documents taken out."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path as Folder
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import FastAPI, File, Form, Path, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field

from primum.graph.errors import BadInput, UnknownDocument
from primum.memory.identity import Identity
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.ingest import IngestReport, take_in
from primum.retrieval.loaders import Source, Unreadable, load_as
from primum.server.access import Access, access_of, agent_of
from primum.server.openapi import form_example
from primum.server.problems import Responses

MAX_DOCUMENT = 32 * 1024 * 1024  # bytes; more is for `primum ingest`
_LONGEST_NAME = 200
_UNKNOWN = "There is no such document."


class Entry(BaseModel):
    """A document of the library."""

    id: int
    uri: str
    title: str
    private: bool = Field(description="The tenant's own.")
    kind: str
    origin: str
    url: str
    language: str
    audience: str
    licence: str
    evidence: str
    published: date | None
    reviewed: date | None
    retracted: bool
    stale: bool = Field(description="Neither published nor reviewed in the last years.")
    duplicate: bool = Field(description="It nearly repeats another, which is found in its place.")
    ingested_at: datetime
    expires_at: datetime | None


class Section(BaseModel):
    """A piece of a document, as answers cite it."""

    chunk_id: int
    heading: str
    text: str
    page: int | None


class Page(BaseModel):
    title: str
    url: str
    evidence: str
    licence: str
    published: str | None
    reviewed: str | None
    retracted: bool
    sections: list[Section]


class Skipped(BaseModel):
    name: str
    reason: str


class Taken(BaseModel):
    """What came of a file, in documents; `chunks` counts those that were written."""

    added: int
    replaced: int
    unchanged: int
    chunks: int
    skipped: list[Skipped]


def add_document_routes(app: FastAPI, errors: Responses) -> None:
    @app.get("/documents", responses=errors)
    async def documents(
        request: Request,
        like: Annotated[str, Query(max_length=200, description="Only with this in title or identity.")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> list[Entry]:
        """The newest documents: everyone's and the tenant's own."""
        access, agent = access_of(request), agent_of(request)
        access.need("ask", "library")
        rows = await agent.resources.copies.read(
            Identity(access.tenant, ""), lambda connection: index.listed(connection, access.tenant, like, limit)
        )
        return [Entry(**row, private=row["tenant"] != "") for row in rows]

    @app.get("/documents/{document}", responses=errors)
    async def document(request: Request, document: Annotated[int, Path(ge=1, lt=2**63)]) -> Page:
        """A document as the pieces that answers cite."""
        access = access_of(request)
        access.need("ask", "library")
        found = await agent_of(request).resources.library.of(access.tenant).document(document)
        if not found:
            raise UnknownDocument(_UNKNOWN)
        fields = ("title", "evidence", "licence", "published", "reviewed", "retracted")
        sections = [Section(chunk_id=p.chunk_id, heading=p.heading, text=p.text, page=p.page) for p in found]
        return Page(**{name: getattr(found[0], name) for name in fields}, url=found[0].address, sections=sections)

    @app.post("/documents", responses=errors, openapi_extra=form_example(file="# Gout\n\nColchicine treats gout."))
    async def put_in(
        request: Request,
        file: Annotated[UploadFile, File(description="What `primum ingest` reads, 32 MB at most.")],
        everyones: Annotated[bool, Form(description="For all tenants, which takes the scope operate.")] = False,
    ) -> Taken:
        """Puts a file into the library; one of the same name is replaced."""
        access = access_of(request)
        _may_change(access, everyones)
        name, content = _name(file.filename or ""), await file.read()
        report = IngestReport()
        agent, writer, tenant = agent_of(request), _writer(request), "" if everyones else access.tenant
        with tempfile.TemporaryDirectory() as folder:
            items = _items(Folder(folder), name, content)
            await take_in(items, writer, agent.resources.library.embedder, tenant, report)
        if report.changed:
            async with writer.begin() as connection:
                await index.finish(connection)
            agent.resources.copies.written()
        counts = {key: value for key, value in asdict(report).items() if key != "skipped"}
        await agent.resources.audit.note(Identity(access.tenant, ""), access.actor, "add documents", counts)
        skipped = [Skipped(name=one, reason=reason) for one, reason in report.skipped]
        if skipped and not report.changed and not report.unchanged:
            raise BadInput(f"The file can't be read: {skipped[0].reason}.")
        return Taken(**{key: counts[key] for key in ("added", "replaced", "unchanged", "chunks")}, skipped=skipped)

    @app.delete("/documents/{document}", status_code=204, responses=errors)
    async def take_out(request: Request, document: Annotated[int, Path(ge=1, lt=2**63)]) -> Response:
        """Takes a document out with all its versions; no answer rests on it any more."""
        access, writer = access_of(request), _writer(request)
        access.need("library")
        async with writer.begin() as connection:
            await index.lock(connection)
            found = await index.identity_of(connection, document, access.tenant)
            if found is None:
                raise UnknownDocument(_UNKNOWN)
            uri, tenant = found
            _may_change(access, tenant == "")
            await index.remove(connection, [uri], tenant)
            await index.finish(connection)
        agent = agent_of(request)
        agent.resources.copies.written()
        await agent.resources.audit.note(Identity(access.tenant, ""), access.actor, "remove document", {"id": document})
        return Response(status_code=204)


def _may_change(access: Access, everyones: bool) -> None:
    access.need("library")
    if everyones:
        access.need("operate")


def _writer(request: Request) -> Database:
    writer: Database = request.app.state.writer
    return writer


def _name(given: str) -> str:
    """A file's own name, without the folders that a client may put before it. Raises BadInput."""
    name = PurePosixPath(given.replace("\\", "/")).name
    if not name or name.startswith(".") or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadInput(f"The file needs a name of 1 to {_LONGEST_NAME} printable characters, with its ending.")
    return name


def _items(folder: Folder, name: str, content: bytes) -> Iterator[Source | Unreadable]:
    """The documents of an uploaded file, under an identity that does not depend on where it is read."""
    file = folder / f"file{PurePosixPath(name).suffix}"
    file.write_bytes(content)
    return load_as(file, f"upload:{name}", name)
