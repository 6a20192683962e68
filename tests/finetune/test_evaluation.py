"""One page that says whether training helped."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from primum.evals import comparison
from primum.evals.endpoint import Messages, Progress, Sampling, Written
from primum.evals.folder import Folder
from primum.finetune import sft
from primum.finetune.evaluation import Asking, Side, asked, evaluated, render, written
from primum.graph.errors import BadInput, PrimumError
from tests.finetune.recipes import recipe
from tests.finetune.tiny import TEMPLATE

PASSAGES = """PASSAGES

[1] Gout – Treatment
Gout is treated with rest and anti-inflammatory medicines.

QUESTION
How is gout treated?

Answer the question in at most 60 words. End each sentence with its marker."""
RIGHT = "Gout is treated with rest [1]."
WRONG = "Gout is cured by magic [1]."


def row(name: str, kind: str, prompt: str, wanted: str, **given: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": wanted}]
    fields = {"group": name, "source": "own", "licence": "CC0-1.0", "language": "en"}
    return {"id": name, "kind": kind, "messages": messages, **fields, **given}


def rows() -> list[dict[str, Any]]:
    choice = {"answer": "A", "options": {"A": "rest", "B": "magic"}}
    return [
        *(row(f"g{n}", "grounded", PASSAGES, RIGHT) for n in range(12)),
        *(row(f"c{n}", "choice", "Which? A. rest B. magic", "A", **choice) for n in range(12)),
        *(row(f"n{n}", "number", "How many?", "4", answer="4") for n in range(4)),
    ]


class Scripted:
    """A model that writes what it is told to."""

    def __init__(self, name: str, prose: str, letter: str, number: str) -> None:
        self.name = name
        self._said = {"PASSAGES": prose, "Which?": letter, "How many?": number}

    async def write(
        self, prompts: Sequence[Messages], sampling: Sampling, on_progress: Progress = lambda _done, _of: None
    ) -> list[Written]:
        asked = [messages[-1]["content"] for messages in prompts]
        return [
            Written(next(said for opening, said in self._said.items() if text.startswith(opening))) for text in asked
        ]


@pytest.fixture
async def sides() -> tuple[Side, Side]:
    before, after = Scripted("base", WRONG, "Hm.", "five"), Scripted("tuned", RIGHT, "A", "It is 4.")
    return await asked(before, rows(), Asking(max_tokens=60)), await asked(after, rows(), Asking(max_tokens=60))


async def test_each_row_is_judged_by_its_kind(sides: tuple[Side, Side]) -> None:
    before, after = sides
    assert before.reports["audit"]["clean"]["mean"] == 0 and after.reports["audit"]["clean"]["mean"] == 1
    assert before.reports["mcq"]["unparsable"] == 12 and after.reports["mcq"]["accuracy"]["mean"] == 1
    assert before.reports["number"]["unparsable"] == 4 and after.reports["number"]["accuracy"]["mean"] == 1
    assert after.reports["answers"]["rougeL"]["mean"] == 1
    earned = after.reports["rewards"]
    assert {name: earned[name]["mean"] for name in ("choice", "number", "support", "safety")} == {
        "choice": 1, "number": 1, "support": 1, "safety": 0,
    }  # fmt: skip
    assert comparison.compare(before.reports["rewards"], earned)["choice"]["verdict"] == "better"
    assert [one["kind"] for one in before.failures] == ["format", "unsupported"]
    assert after.failures == []


async def test_what_lies_beyond_its_interval_is_called_better_or_worse(sides: tuple[Side, Side]) -> None:
    before, after = (side.reports["audit"] for side in sides)
    assert comparison.compare(before, after)["clean"]["verdict"] == "better"
    assert comparison.compare(before, after)["findings"]["verdict"] == "better"  # fewer
    assert comparison.compare(after, before)["findings"]["verdict"] == "worse"
    assert comparison.compare(after, after)["clean"]["verdict"] == "unclear"


async def test_silence_is_no_fall_of_findings() -> None:
    before = await asked(Scripted("base", WRONG, "A", "4"), rows(), Asking(max_tokens=60))
    silent = await asked(Scripted("silent", "I can't tell.", "A", "4"), rows(), Asking(max_tokens=60))
    found = comparison.compare(before.reports["audit"], silent.reports["audit"])
    assert "findings" not in found
    assert silent.reports["audit"]["useless"] == 12 and silent.reports["audit"]["clean"]["mean"] == 0


async def test_the_page_needs_nothing_else_and_names_what_it_shows(sides: tuple[Side, Side], tmp_path: Path) -> None:
    run = tmp_path / "dpo<run>"
    run.mkdir()
    (run / "log_history.json").write_text(json.dumps([{"step": n, "loss": 1 / (n + 1)} for n in range(9)]))
    differences = [
        {task: comparison.compare(sides[0].reports[task], sides[1].reports[task]) for task in ("audit", "mcq")}
    ]
    page = render("Before <and> after", sides, differences, {"licences": {"CC0-1.0": 28}}, [run])
    assert not re.search(r"(?:src|href)=\"(?!data:)|<script|@import|url\(", page)
    assert "Before &lt;and&gt; after" in page and "Training of dpo&lt;run&gt;: loss by step" in page
    assert "CC0-1.0: 28" in page
    assert page.count("<img") == len(re.findall(r'<img [^>]*alt="[^"]{20,}"', page)) == 6
    assert "<caption>12 rows" in page and 'scope="row">Answers without a finding' in page
    assert "Without a readable choice" in page and "+100.0 points" in page


async def test_reports_and_pages_of_before_can_be_compared_again(sides: tuple[Side, Side], tmp_path: Path) -> None:
    paths = [tmp_path / f"{side.name}.json" for side in sides]
    for path, side in zip(paths, sides, strict=True):
        path.write_text(json.dumps(side.reports["audit"]))
    told = await evaluated(paths, tmp_path / "report.html", None, [], Asking(), "T", lambda _: lambda _d, _o: None)
    assert told["models"] == ["base", "tuned"]
    assert told["differences"]["tuned"]["audit"]["clean"]["mean"] == 1
    again = [paths[0], tmp_path / "report.json"]
    told = await evaluated(again, tmp_path / "again.html", None, [], Asking(), "T", lambda _: lambda _d, _o: None)
    assert told["models"] == ["base", "tuned"]


async def test_a_full_disk_is_told_with_the_page(sides: tuple[Side, Side], tmp_path: Path) -> None:
    paths = [tmp_path / f"{side.name}.json" for side in sides]
    for path, side in zip(paths, sides, strict=True):
        path.write_text(json.dumps(side.reports["audit"]))
    with pytest.raises(PrimumError, match=r"/dev/full can't be written to"):
        await evaluated(paths, Path("/dev/full"), None, [], Asking(), "T", lambda _: lambda _d, _o: None)


async def test_a_run_and_its_base_are_asked_in_the_form_that_it_was_trained_in(
    llama: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "thinking.jinja"
    template.write_text(f"{TEMPLATE}{{% if enable_thinking is false %}}<think> </think> {{% endif %}}")
    quiet = {"chat_template": template, "chat_template_kwargs": {"enable_thinking": False}}
    sft.train(recipe("sft", llama, sums, {"max_steps": 1}, **quiet), tmp_path / "run")
    base = tmp_path / "base"
    shutil.copytree(llama, base)
    (base / "chat_template.jinja").write_text(template.read_text())
    seen: list[str] = []

    def generate(_self: Folder, texts: Sequence[str], _sampling: Sampling) -> list[Written]:
        seen.extend(texts)
        return [Written("4") for _ in texts]

    monkeypatch.setattr(Folder, "_generate", generate)
    folders = [base, tmp_path / "run"]
    await evaluated(folders, tmp_path / "x.html", sums, [], Asking(), "T", lambda _: lambda _d, _o: None)
    assert len(seen) == 2 and all(one.endswith("<s> assistant <think> </think> ") for one in seen)
    await Folder(base).write([[{"role": "user", "content": "?"}]], Sampling())
    assert seen[-1].endswith("<s> assistant ")


async def test_what_can_t_be_compared_says_why(sides: tuple[Side, Side], tmp_path: Path) -> None:
    paths = [tmp_path / "audit.json", tmp_path / "mcq.json", tmp_path / "other.json", tmp_path]
    paths[0].write_text(json.dumps(sides[0].reports["audit"]))
    paths[1].write_text(json.dumps(sides[0].reports["mcq"]))
    paths[2].write_text('{"task": "phi"}')
    for given, why in (
        (paths[:1], "at least two"),
        (paths[:2], "different tasks"),
        ((paths[0], paths[2]), "no report of"),
        ((paths[0], paths[3]), "--data"),
    ):
        with pytest.raises(BadInput, match=why):
            await evaluated(given, tmp_path / "x.html", None, [], Asking(), "T", lambda _: lambda _d, _o: None)


def test_figures_are_written_as_they_are_read() -> None:
    assert written(0.1234, "share") == "12.3 %"
    assert written(-0.1234, "share", signed=True) == "-12.3 points"
    assert written(1.5, "times") == "1.50 ×"
    assert written(None, "score") == "–"
