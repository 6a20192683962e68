"""What people see on a terminal. Results go to stdout, progress to stderr."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import structlog
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from structlog.typing import ExcInfo

if TYPE_CHECKING:
    from primum.graph.answer import Answer
    from primum.retrieval.ingest import Progress as Ingested
    from primum.retrieval.search import Passage
    from primum.safety.findings import SafetyReport
    from primum.server.doctor import Finding

RISK = ("nothing found", "take care", "serious", "dangerous")


def log_to_stderr(level: str) -> None:
    """What is logged from `level` on. Standard output is for results."""
    structlog.configure(
        processors=[
            *structlog.get_config()["processors"][:-1],
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_places),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _places(out: TextIO, raised: ExcInfo) -> None:
    """Where an error was raised, and its name: its text, and what the functions were given, may be a patient's."""
    kind, _, trace = raised
    for frame in traceback.extract_tb(trace):
        out.write(f"\n  {frame.filename}:{frame.lineno} in {frame.name}")
    out.write(f"\n{kind.__name__}")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[["Ingested"], None]]:
    """A bar on stderr; call what it gives as the ingest goes on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda at: bar.update(task, total=at.total, completed=at.done)


def show_answer(answer: "Answer") -> None:
    """The answer, its numbered sources with their quotes, and how sure it is."""
    console = Console(highlight=False)
    console.print(Markdown(answer.text) if console.is_terminal else answer.text, soft_wrap=True, markup=False)
    for citation in answer.citations:
        page = f"page {citation.page}" if citation.page else ""
        notes = [
            citation.evidence,
            citation.published,
            "may be out of date" if citation.stale else "",
            citation.licence,
        ]
        source = " – ".join(filter(None, (citation.title, citation.heading, page, *notes)))
        console.print(f"\n[{citation.marker}] {source}", soft_wrap=True, markup=False)
        console.print(f"    “{citation.quote}”", soft_wrap=True, markup=False)
        console.print(f"    {citation.url}", soft_wrap=True, markup=False)
    if answer.reasoning:
        console.print(f"\nThe model's reasoning, not audited:\n{answer.reasoning}", soft_wrap=True, markup=False)
    status = answer.status.replace("_", " ")
    console.print(f"\n{status} · confidence {answer.confidence:.0%}", soft_wrap=True, markup=False)


def show_report(report: "SafetyReport") -> None:
    """How grave it is, then each finding with its source."""
    console = Console(highlight=False)
    console.print(f"{RISK[report.risk_level]} · {report.disposition.replace('_', ' ')}", markup=False)
    if not report.findings:
        console.print("No rule matched. That does not mean that it is safe: ask a pharmacist or doctor.", markup=False)
    for finding in report.findings:
        console.print(f"\n{finding.severity.upper()}  {', '.join(finding.subjects)}", soft_wrap=True, markup=False)
        console.print(Padding(finding.text, (0, 0, 0, 4)), markup=False)
        console.print(f"    Source: {finding.source}", soft_wrap=True, markup=False)


def show_passages(passages: Sequence["Passage"]) -> None:
    console = Console(highlight=False)
    if not passages:
        console.print("Nothing found.")
    for rank, passage in enumerate(passages, 1):
        source = " – ".join(filter(None, (passage.title, passage.heading)))
        console.print(f"{rank}. {source}  ({passage.score:.3f})\n   {passage.url}", soft_wrap=True, markup=False)
        console.print(Padding(" ".join(passage.text.split()), (0, 0, 1, 3)), markup=False)


def show_findings(findings: Sequence["Finding"]) -> None:
    """Each part in a line, and below it what mends it."""
    console = Console(highlight=False)
    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        state = "FAILED" if finding.state == "failed" else finding.state
        style = {"failed": "bold red", "warning": "yellow"}.get(finding.state, "green")
        console.print(f"{state:<8}", style=style, end="")
        console.print(f" {finding.part:<{width}}  {finding.says}", soft_wrap=True, markup=False)
        if finding.mend:
            console.print(f"{'':<8} {'':<{width}}  → {finding.mend}", soft_wrap=True, markup=False)
