"""`primum eval mcq|answers|audit|rubric`: a model's answers measured, asked of an endpoint or of a folder."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from primum.graph.errors import BadInput
from primum.server.terminal import quiet_libraries, say

if TYPE_CHECKING:
    from primum.evals.cluster import Workers
    from primum.evals.endpoint import Progress, Writer
    from primum.evals.mcq import Search
    from primum.graph.settings import Settings


@dataclass(frozen=True)
class Asked:
    """Who is asked, and how much: the options of the command line."""

    url: str | None = None
    model: str | None = None
    folder: Path | None = None
    base: Path | None = None
    judge_url: str | None = None
    judge_model: str | None = None
    evidence: Sequence[Path] = ()
    installed: bool = False
    bert_model: Path | None = None
    limit: int | None = None
    seed: int = 0
    at_once: int = 8
    max_tokens: int | None = None
    kept: Path | None = None
    on_ray: bool = False
    workers: int | None = None


async def measure(task: str, data: Sequence[Path], asked: Asked, settings: "Settings", baseline: Path | None) -> Any:
    """The report of a task; with a baseline, how it differs from it, row by row.

    Raises:
        BadInput: an option or a file can't be used.
        ModelUnavailable: the model gives no answers.
    """
    if task == "answers" and asked.folder is not None and asked.on_ray:
        raise BadInput(
            "Answers: --ray tells no likelihoods, which are measured of a --folder. Leave it out, or serve it."
        )
    before = _report(baseline) if baseline else None
    work: Callable[..., Any] = {"mcq": _mcq, "answers": _answers, "audit": _audit, "rubric": _rubric}[task]
    async with writer_of(asked, settings) as (writer, ready):
        report = {"task": task, "data": [str(path) for path in data], **await work(data, asked, writer, ready)}
    if before is not None:
        report["against_baseline"] = _compared(task, before, report)
    return report


def _report(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise BadInput(f"{path} is no report of `primum eval`.") from None


def _compared(task: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
    from primum.evals import comparison

    if before.get("task") != task:
        raise BadInput(f"The baseline is a report of {before.get('task')!r}, not of {task}.")
    return comparison.compare(before, after)


@asynccontextmanager
async def writer_of(asked: Asked, settings: "Settings") -> AsyncIterator[tuple["Writer", "Settings"]]:
    """The model that is asked: a folder's, an endpoint's, else the settings' or the embedded one."""
    from primum.evals.endpoint import Endpoint, Kept
    from primum.server.local import MODEL, embedded

    if asked.folder is not None:
        from primum.evals.folder import Folder

        folder = partial(Folder, asked.folder.resolve(), asked.base and asked.base.resolve())
        quiet_libraries()
        if asked.on_ray:
            with _on_workers() as workers:
                yield (
                    workers(asked.folder.name, lambda _: folder(), asked.workers, asked.at_once, on_gpus=True),
                    settings,
                )
            return
        say(f"Loading {asked.folder}")
        yield folder(), settings
        return
    own = settings.model_copy(update={"model_url": asked.url}) if asked.url else settings
    async with embedded(own, say, need=MODEL) as ready:
        url, key = str(ready.model_url), ready.model_key.get_secret_value()
        name, kept = asked.model or ready.model_name, Kept(asked.kept)
        if asked.on_ray:

            def endpoint(at_once: int) -> Endpoint:
                return Endpoint(url, name, key, at_once=at_once)

            with _on_workers() as workers:
                yield workers(name, endpoint, asked.workers, asked.at_once, url=url, kept=kept), ready
            return
        yield Endpoint(url, name, key, at_once=asked.at_once, kept=kept), ready


@contextmanager
def _on_workers() -> Iterator["type[Workers]"]:
    """What makes a model that many workers ask, on one Ray for all that it is asked."""
    from primum.evals.cluster import Workers
    from primum.retrieval.workers import need_ray, started

    need_ray("An evaluation")
    with started():
        yield Workers


def progress(words: str) -> "Progress":
    """Tells each tenth of what is done, on stderr."""
    last = -1

    def told(done: int, of: int) -> None:
        nonlocal last
        if (part := done * 10 // of) != last:
            last = part
            say(f"{words}: {done} of {of}")

    return told


async def _mcq(data: Sequence[Path], asked: Asked, writer: "Writer", settings: "Settings") -> Any:
    from primum.evals import choices, mcq

    questions = mcq.sampled(choices.read(data), asked.limit, asked.seed)
    tokens = asked.max_tokens or mcq.TOKENS
    if not (asked.evidence or asked.installed):
        return await mcq.run(questions, writer, None, progress("Asked"), tokens)
    async with _searching(asked, settings) as search:
        return await mcq.run(questions, writer, search, progress("Asked"), tokens)


@asynccontextmanager
async def _searching(asked: Asked, settings: "Settings") -> AsyncIterator["Search"]:
    """What finds evidence: the given files in a library of their own, or the installed one."""
    from primum.evals.mcq import SHOWN
    from primum.retrieval.ingest import ingest
    from primum.retrieval.search import Passage, Retriever
    from primum.server.eval_cli import installed_library, library

    opened = installed_library(settings) if asked.installed else library(settings, "evidence", asked.evidence)
    async with opened as (database, embedder, advance):
        if not asked.installed:
            await ingest(list(asked.evidence), database, embedder, advance)
        retriever = Retriever(database, embedder)

        async def search(question: str) -> Sequence[Passage]:
            return await retriever.search([question], SHOWN)

        yield search


async def _answers(data: Sequence[Path], asked: Asked, writer: "Writer", _: "Settings") -> Any:
    from primum.evals import answers
    from primum.evals.mcq import sampled

    rows = sampled([row for path in data for row in answers.read_rows(path)], asked.limit, asked.seed)
    tokens = asked.max_tokens or answers.TOKENS
    return await answers.run(rows, writer, asked.bert_model, progress("Answered"), tokens)


async def _audit(data: Sequence[Path], asked: Asked, writer: "Writer", _: "Settings") -> Any:
    from primum.evals import answers, audit
    from primum.evals.endpoint import Sampling
    from primum.evals.mcq import sampled

    grounded = [row for path in data for row in answers.read_rows(path) if row.get("kind") == "grounded"]
    if not grounded:
        raise BadInput("No row of kind `grounded` in it. Give a folder of `primum finetune prepare` that has some.")
    rows = sampled(grounded, asked.limit, asked.seed)
    sampling = Sampling(max_tokens=asked.max_tokens or answers.TOKENS)
    written = await writer.write([answers.prompt(row) for row in rows], sampling, progress("Answered"))
    return {"model": writer.name, **audit.run(rows, [one.answer for one in written])}


async def _rubric(data: Sequence[Path], asked: Asked, writer: "Writer", settings: "Settings") -> Any:
    from primum.evals import cases, rubric
    from primum.evals.mcq import sampled

    rows = sampled([case for path in data for case in cases.read(path, rubric.Row)], asked.limit, asked.seed)
    if asked.judge_url is None and asked.judge_model is None:
        say("The model judges its own answers: name another by --judge-url and --judge-model for figures to be trusted")
        return await rubric.run(rows, writer, writer, progress("Done"), asked.max_tokens or rubric.TOKENS)
    if asked.judge_url is not None:  # another's house: our own key is not for it
        settings = settings.model_copy(update={"model_key": settings.judge_key or SecretStr("none")})
    judging = Asked(
        url=asked.judge_url or asked.url,
        model=asked.judge_model or asked.model,
        at_once=asked.at_once,
        on_ray=asked.on_ray,
        workers=asked.workers,
    )
    async with writer_of(judging, settings) as (judge, _ready):
        return await rubric.run(rows, writer, judge, progress("Done"), asked.max_tokens or rubric.TOKENS)
