"""`primum eval`: every task measured on cases of one's own."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import print_json, run, say

if TYPE_CHECKING:
    from primum.evals.cases import Case
    from primum.evals.retrieval import Beir
    from primum.evals.second_look import SecondLook
    from primum.graph.answer import Answer
    from primum.graph.settings import Settings
    from primum.memory.session import Database
    from primum.retrieval.embedder import Embedder, Model
    from primum.retrieval.ingest import Progress

ON_A_LIBRARY = ("retrieval", "sufficiency")
OF_A_MODEL = ("mcq", "answers", "audit", "rubric")
HOW: dict[str, Any] = {"audience": "clinician", "form": "case"}  # a case is given to the agent
PARTS = ".rows.jsonl"  # of a run that was broken off, beside its report
TAKEN_BY = {
    "--rules-only": ("triage", "safety"),
    "--with-model": ("memory",),
    "--beside": ON_A_LIBRARY,
    "--baseline": ("retrieval", *OF_A_MODEL),
    **dict.fromkeys(("--url", "--model", "--folder", "--base", "--limit", "--at-once", "--max-tokens"), OF_A_MODEL),
    "--ray": (*OF_A_MODEL, "cases"),
    "--evidence": ("mcq",),
    "--installed": ("mcq",),
    "--bert-model": ("answers",),
    "--judge-url": ("rubric",),
    "--judge-model": ("rubric",),
}


def evaluate(
    task: Annotated[
        Literal[
            "triage",
            "interactions",
            "doses",
            "calculations",
            "injection",
            "memory",
            "safety",
            "advice",
            "retrieval",
            "sufficiency",
            "understanding",
            "phi",
            "cases",
            "mcq",
            "answers",
            "audit",
            "rubric",
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
        list[Path] | None,
        typer.Option(help="Retrieval and sufficiency: other documents in the same library.", exists=True),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="The report of another run to compare with.", exists=True)
    ] = None,
    url: Annotated[str | None, typer.Option(help="An OpenAI-compatible endpoint.  [default: PRIMUM_MODEL_URL]")] = None,
    model: Annotated[str | None, typer.Option(help="The model's name there.  [default: PRIMUM_MODEL_NAME]")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="A Hugging Face folder, or an adapter's, loaded here instead.", exists=True)
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="The adapter's base, if its note of it is old.", exists=True)
    ] = None,
    evidence: Annotated[
        list[Path] | None, typer.Option(help="Mcq: once more with what is found in these.", exists=True)
    ] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Mcq: evidence from the installed library.")] = False,
    bert_model: Annotated[
        Path | None, typer.Option(help="Answers: folder of the model that BERTScore uses.", exists=True)
    ] = None,
    judge_url: Annotated[str | None, typer.Option(help="Rubric: the judge's endpoint.  [default: the model's]")] = None,
    judge_model: Annotated[str | None, typer.Option(help="Rubric: the judge's name.  [default: the model's]")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many rows, drawn by --seed.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    at_once: Annotated[int | None, typer.Option(min=1, max=512, help="Requests at a time.  [default: 8]")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of an answer.")] = None,
    on_ray: Annotated[
        bool, typer.Option("--ray", help="Asked by many workers: on the cluster of RAY_ADDRESS, or all cores here.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Of them, with --ray. Else all.")] = None,
) -> None:
    """Measure what is found on cases of your own; prints the report as JSON."""
    from primum.evals.report import LOOKED_AT_TWICE, evaluate, write
    from primum.graph.rules import rules_in_use
    from primum.graph.settings import read_settings
    from primum.server.console import log_to_stderr
    from primum.server.model_eval_cli import Asked, measure

    given = {
        "--rules-only": rules_only,
        "--with-model": with_model,
        "--beside": beside,
        "--baseline": baseline,
        "--url": url,
        "--model": model,
        "--folder": folder,
        "--base": base,
        "--evidence": evidence,
        "--installed": installed,
        "--bert-model": bert_model,
        "--judge-url": judge_url,
        "--judge-model": judge_model,
        "--limit": limit,
        "--at-once": at_once,
        "--max-tokens": max_tokens,
        "--ray": on_ray,
    }
    _check_options(task, [name for name, value in given.items() if value])
    if workers and not on_ray:
        raise BadInput("--workers goes with --ray.")
    missing = [str(path) for path in data if not (path.is_dir() if task in ON_A_LIBRARY else path.is_file())]
    if missing:
        raise BadInput(f"No such {'folder' if task in ON_A_LIBRARY else 'file'}: {', '.join(missing)}")
    settings = read_settings()
    log_to_stderr(settings.log_level)
    with rules_in_use(settings):
        look = _second_look(settings) if task in LOOKED_AT_TWICE and not rules_only else None
        try:
            if task in OF_A_MODEL:
                asked = Asked(
                    url=url,
                    model=model,
                    folder=folder,
                    base=base,
                    judge_url=judge_url,
                    judge_model=judge_model,
                    evidence=evidence or (),
                    installed=installed,
                    bert_model=bert_model,
                    limit=limit,
                    seed=seed,
                    at_once=at_once or 8,
                    max_tokens=max_tokens,
                    kept=out.with_suffix(PARTS) if out else None,
                    on_ray=on_ray,
                    workers=workers,
                )
                report = run(measure(task, data, asked, settings, baseline))
            elif task in ON_A_LIBRARY:
                report = _on_a_library(task, data, beside or [], baseline, settings)
            elif task == "understanding":
                report = run(_understood(data, settings))
            elif task == "cases":
                report = run(_worked_up(data, settings, on_ray, workers))
            else:
                report = run(_with_model(task, data)) if with_model else evaluate(task, data, look)
        except ValueError as error:
            raise BadInput(str(error)) from None
    if out is not None:
        write(report, out)
        out.with_suffix(PARTS).unlink(missing_ok=True)  # a model trained anew may have the same name
    print_json(report)


def _check_options(task: str, given: list[str]) -> None:
    """Raises BadInput for an option that the task would ignore."""
    for name in given:
        if task not in TAKEN_BY[name]:
            raise BadInput(f"{name} goes with {' or '.join(TAKEN_BY[name])}, not with {task}. Leave it out.")


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
    async with library(settings, "understanding", []) as (database, embedder, advance):
        found = await understanding.run(rows, database, embedder, advance)
    return {"task": "understanding", "data": [str(path) for path in data], **found}


async def _worked_up(data: list[Path], settings: "Settings", on_ray: bool, workers: int | None) -> Any:
    from primum import open_agent
    from primum.evals import cases, work_ups

    rows = [case for path in data for case in cases.read(path, work_ups.Row)]

    def told(done: int) -> None:
        say(f"{done} of {len(rows)} cases")

    if on_ray:
        found = work_ups.judged(rows, await _worked_up_on_workers(rows, settings, workers, told))
    else:
        async with open_agent(settings, work=False) as agent:
            found = await work_ups.run(rows, lambda text: agent.ask(text, **HOW), told)
    return {"task": "cases", "data": [str(path) for path in data], **found}


async def _worked_up_on_workers(
    rows: "Sequence[Case]", settings: "Settings", workers: int | None, told: "Callable[[int], None]"
) -> "list[Answer]":
    """An answer to each case, by an agent in each worker; all of them on one database."""
    from functools import partial

    from primum.evals.cluster import Agents, spread
    from primum.retrieval.workers import need_ray, room, started
    from primum.server.agent import opened

    need_ray("An evaluation")
    answers: list[Answer] = []
    async with opened(settings) as resources:
        make = partial(Agents, resources.settings, **HOW)
        with started():
            number, _ = room(workers, gpus=False)
            async for answer in spread([row["text"] for row in rows], make, number, 1):
                answers.append(answer)
                told(len(answers))
    return answers


async def _searched(task: str, cases: "Beir", beside: list[Path], settings: "Settings") -> dict[str, Any]:
    from primum.evals import retrieval, sufficiency

    work = sufficiency.run if task == "sufficiency" else retrieval.run
    async with library(settings, "retrieval", [cases.corpus, *beside]) as (database, embedder, advance):
        return await work(cases, beside, database, embedder, advance)


def library_key(paths: Sequence[Path], embedder: "Model") -> str:
    """What tells a library of these files or folders, as they are now, and this embedder from all others."""
    from primum.retrieval.loaders import files

    found = sorted({file.resolve() for path in paths for file in files(path)})
    told = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in found]
    return hashlib.sha256(json.dumps([embedder.name, embedder.fingerprint, told]).encode()).hexdigest()[:12]


@asynccontextmanager
async def library(
    settings: "Settings", name: str, paths: Sequence[Path]
) -> AsyncIterator[tuple["Database", "Embedder", "Callable[[Progress], None]"]]:
    """A library of these files alone, kept for the next time; the embedder, and what shows how far its ingestion is."""
    from primum.graph.resources import embedder_of
    from primum.memory.session import Database
    from primum.server.console import progress_bar
    from primum.server.local import DATABASE, embedded, url_of

    embedder = await asyncio.to_thread(embedder_of, settings)
    home = settings.cache / f"{name}-{library_key(paths, embedder)}"
    own = settings.model_copy(update={"home": home, "database_url": None})
    async with embedded(own, say, need=DATABASE) as ready:
        database = Database(url_of(ready), owner=True)
        try:
            with progress_bar("Ingesting") as advance:
                yield database, embedder, advance
        finally:
            await database.close()


@asynccontextmanager
async def installed_library(
    settings: "Settings",
) -> AsyncIterator[tuple["Database", "Embedder", "Callable[[Progress], None]"]]:
    """The library of this installation, as `library` gives one."""
    from primum.graph.resources import embedder_of
    from primum.memory.session import Database
    from primum.server.console import progress_bar
    from primum.server.local import DATABASE, embedded, url_of

    embedder = await asyncio.to_thread(embedder_of, settings)
    async with embedded(settings, say, need=DATABASE) as ready:
        database = Database(url_of(ready))
        try:
            with progress_bar("Searching") as advance:
                yield database, embedder, advance
        finally:
            await database.close()
