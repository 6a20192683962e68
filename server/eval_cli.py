"""`primum eval`: every task measured on cases of one's own."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import print_json, run, say

if TYPE_CHECKING:
    from primum.evals.retrieval import Beir
    from primum.evals.second_look import SecondLook
    from primum.graph.settings import Settings
    from primum.memory.session import Database
    from primum.retrieval.embedder import Embedder
    from primum.retrieval.ingest import Progress

ON_A_LIBRARY = ("retrieval", "sufficiency")


def evaluate(
    task: Annotated[
        Literal[
            "triage",
            "interactions",
            "doses",
            "injection",
            "memory",
            "safety",
            "retrieval",
            "sufficiency",
            "understanding",
        ],
        typer.Argument(help="What."),
    ],
    data: Annotated[
        list[Path],
        typer.Option(help="Files of cases, in the task's own form (see the README); a folder for retrieval."),
    ],
    out: Annotated[Path | None, typer.Option(help="Where the report goes as well.", dir_okay=False)] = None,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="Triage and safety: without the second look by likeness.")
    ] = False,
    with_model: Annotated[
        bool, typer.Option("--with-model", help="Memory: with what the model finds besides, confirmed by code.")
    ] = False,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Retrieval: other documents in the same library.", exists=True)
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Retrieval: the report of another run to compare with.", exists=True)
    ] = None,
) -> None:
    """Measure what is found on cases of your own; prints the report as JSON."""
    from primum.evals.report import LOOKED_AT_TWICE, evaluate
    from primum.graph.rules import rules_in_use
    from primum.graph.settings import read_settings
    from primum.server.console import log_to_stderr

    missing = [str(path) for path in data if not (path.is_dir() if task in ON_A_LIBRARY else path.is_file())]
    if missing:
        raise BadInput(f"No such {'folder' if task in ON_A_LIBRARY else 'file'}: {', '.join(missing)}")
    settings = read_settings()
    log_to_stderr(settings.log_level)
    with rules_in_use(settings):
        look = _second_look(settings) if task in LOOKED_AT_TWICE and not rules_only else None
        try:
            if task in ON_A_LIBRARY:
                report = _on_a_library(task, data, beside or [], baseline, settings)
            elif task == "understanding":
                report = run(_understood(data, settings))
            else:
                report = run(_with_model(task, data)) if with_model else evaluate(task, data, look)
        except ValueError as error:
            raise BadInput(str(error)) from None
    if out is not None:
        out.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print_json(report)


async def _with_model(task: str, data: list[Path]) -> Any:
    from primum.evals.proposer import Proposer
    from primum.evals.report import evaluate
    from primum.graph.llm import Endpoint, open_client
    from primum.graph.settings import read_settings
    from primum.server.local import MODEL, embedded

    async with embedded(read_settings(), say, need=MODEL) as settings:
        key = settings.model_key.get_secret_value()
        async with open_client(str(settings.model_url), key) as http:
            endpoint = Endpoint.open(settings.router_model or settings.model_name, http)
            proposer = Proposer(endpoint, asyncio.get_running_loop())
            return await asyncio.to_thread(evaluate, task, data, None, proposer)


def _second_look(settings: "Settings") -> "SecondLook":
    from primum.evals.second_look import SecondLook
    from primum.graph.resources import embedder_of

    say("Loading the embedder and the examples")
    return SecondLook(embedder_of(settings), settings.cache)


def _on_a_library(
    task: str, data: list[Path], beside: list[Path], baseline: Path | None, settings: "Settings"
) -> dict[str, Any]:
    from primum.evals import retrieval

    if len(data) != 1:
        raise ValueError(f"{task}: give one BEIR folder, and other documents by --beside")
    before = json.loads(baseline.read_text(encoding="utf-8")) if baseline else None
    report = run(_searched(task, retrieval.read(data[0]), beside, settings))
    return {**report, "against_baseline": retrieval.compare(report, before)} if before else report


async def _understood(data: list[Path], settings: "Settings") -> Any:
    from primum.evals import cases, understanding

    rows = [case for path in data for case in cases.read(path, understanding.Row)]
    async with _library(settings, settings.cache / "understanding") as (database, embedder, advance):
        found = await understanding.run(rows, database, embedder, advance)
    return {"task": "understanding", "data": [str(path) for path in data], **found}


def _home(settings: "Settings", cases: "Beir", beside: list[Path]) -> Path:
    """A place for a library of these files alone, kept for the next time."""
    files = sorted(str(path.resolve()) for path in (cases.corpus, *beside))
    return settings.cache / f"retrieval-{hashlib.sha256(chr(10).join(files).encode()).hexdigest()[:12]}"


async def _searched(task: str, cases: "Beir", beside: list[Path], settings: "Settings") -> dict[str, Any]:
    from primum.evals import retrieval, sufficiency

    work = sufficiency.run if task == "sufficiency" else retrieval.run
    async with _library(settings, _home(settings, cases, beside)) as (database, embedder, advance):
        return await work(cases, beside, database, embedder, advance)


@asynccontextmanager
async def _library(
    settings: "Settings", home: Path
) -> AsyncIterator[tuple["Database", "Embedder", "Callable[[Progress], None]"]]:
    """A library of its own in a folder, the embedder, and what shows how far its ingestion is."""
    from primum.graph.resources import embedder_of
    from primum.memory.session import Database
    from primum.server.console import progress_bar
    from primum.server.local import DATABASE, embedded, url_of

    own = settings.model_copy(update={"home": home, "database_url": None})
    async with embedded(own, say, need=DATABASE) as ready:
        embedder = await asyncio.to_thread(embedder_of, settings)
        database = Database(url_of(ready), owner=True)
        try:
            with progress_bar("Ingesting") as advance:
                yield database, embedder, advance
        finally:
            await database.close()
