"""An evaluation on Ray's workers, as `primum eval --ray` has it: what one process finds, they find."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from primum.evals.endpoint import Endpoint, Kept, Messages, Progress, Sampling, Written
from primum.graph.errors import BadInput, ModelUnavailable
from primum.server.cli import app
from tests.fakes import Body, FakeVLLM, Says

needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed: pip install 'primum[ray]'")

PATIENCE = 200  # seconds; Ray alone takes twenty to start on a busy machine
LETTERS = "ABCD"
PROMPTS = [[{"role": "user", "content": f"How is patient {number}?"}] for number in range(24)]
CASE = "A 70-year-old woman has had swollen legs and breathlessness for a week. She takes metformin."
GOLD = {"diagnosis": "Heart failure", "missing": ["allergies"]}


def letter(body: Body) -> str:
    """By the question alone, and often wrong."""
    return LETTERS[len(str(body["messages"][-1]["content"])) % 4]


def echo(body: Body) -> Says:
    said = str(body["messages"][-1]["content"])
    return Says(status=400) if said.endswith("patient 7?") else Says(f"{said} Well.")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    rows = [
        {
            "question": f"Which is right{'?' * number}",
            "options": dict(zip(LETTERS, "wxyz", strict=True)),
            "answer_idx": "B",
        }
        for number in range(1, 31)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def primum(*argv: object, **environment: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "primum", *map(str, argv)]
    given = {**os.environ, "RAY_AUTH_MODE": "disabled", **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=given, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Mortal:
    """An endpoint that kills its process with its second share, unless another has died so: then the mark is there."""

    def __init__(self, url: str, mark: Path, at_once: int) -> None:
        self._inner, self._mark, self._shares = Endpoint(url, "primum", at_once=at_once, pause=0.01), mark, 0
        self.name = "primum"

    async def write(
        self, prompts: Sequence[Messages], sampling: Sampling, on_progress: Progress = lambda _done, _of: None
    ) -> list[Written]:
        self._shares += 1
        if self._shares == 2 and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return await self._inner.write(prompts, sampling, on_progress)


@pytest.fixture(scope="module")
def ray_here() -> Any:
    """One Ray for the tests that need no command line."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from primum.retrieval.workers import need_ray, started

    need_ray("A test")
    with started():
        yield


@needs_ray
def test_two_workers_measure_what_one_process_measures(questions: Path, vllm: FakeVLLM, tmp_path: Path) -> None:
    vllm.default = letter
    told = ["eval", "mcq", "--data", questions, "--url", vllm.url, "--model", "primum", "--limit", 25, "--seed", 3]
    alone = primum(*told)
    assert primum(*told, "--ray", "--workers", 2, "--at-once", 4, "--out", tmp_path / "out.json") == alone
    assert 0 < alone["accuracy"]["mean"] < 1 and len(vllm.requests) == 50


@needs_ray
async def test_a_worker_that_dies_costs_nothing_and_what_is_known_is_not_asked_again(
    ray_here: None, vllm: FakeVLLM, tmp_path: Path
) -> None:
    from primum.evals.cluster import Workers

    vllm.default = echo
    sampling, mark = Sampling(max_tokens=16), tmp_path / "mark"
    alone = await Endpoint(vllm.url, "primum", pause=0.01).write(PROMPTS, sampling)
    kept = Kept(tmp_path / "kept.jsonl")
    workers = Workers("primum", partial(Mortal, vllm.url, mark), 2, 2, url=vllm.url, kept=kept)
    done: list[int] = []
    assert await workers.write(PROMPTS, sampling, lambda so_far, _of: done.append(so_far)) == alone
    assert mark.exists() and done == list(range(1, 25)) and alone[7].refused
    before = len(vllm.requests)
    again = Workers("primum", partial(Mortal, vllm.url, mark), 2, 2, url=vllm.url, kept=Kept(tmp_path / "kept.jsonl"))
    assert await again.write(PROMPTS, sampling) == alone and len(vllm.requests) == before
    assert (
        await Endpoint(vllm.url, "primum", kept=kept).write(PROMPTS, sampling) == alone and len(vllm.requests) == before
    )


@needs_ray
async def test_workers_have_no_more_requests_at_once_than_they_are_given_together(
    ray_here: None, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    from primum.evals import cluster

    given: list[tuple[int, int]] = []
    really = cluster.spread

    def spread(items: Any, make: Any, workers: int, *more: Any, **named: Any) -> Any:
        _, share, _ = make.args
        given.append((workers, share))
        return really(items, make, workers, *more, **named)

    monkeypatch.setattr(cluster, "spread", spread)
    url, vllm.default = vllm.url, echo
    for together in (1, 2, 3):
        await cluster.Workers("primum", lambda n: Endpoint(url, "primum", at_once=n, pause=0.01), 2, together).write(
            PROMPTS, Sampling(max_tokens=16)
        )
    assert given == [(1, 1), (2, 1), (2, 1)]


@needs_ray
async def test_what_a_worker_raises_comes_back_as_it_is_and_without_the_prompt(ray_here: None, vllm: FakeVLLM) -> None:
    from primum.evals.cluster import Workers

    vllm.default, url = Says(status=404), vllm.url
    workers = Workers("primum", lambda at_once: Endpoint(url, "primum", at_once=at_once), 2, 2)
    with pytest.raises(ModelUnavailable, match="HTTP 404") as raised:
        await workers.write(PROMPTS, Sampling())
    assert "patient" not in str(raised.value)
    with pytest.raises(BadInput, match="not enough for 999 workers"):
        await Workers("primum", lambda _: Endpoint(url, "primum"), 999, 2).write(PROMPTS, Sampling())


@needs_ray
def test_two_agents_work_up_the_cases_that_one_does(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    rows = [{"id": number, "text": f"{CASE} Pulse {60 + number}.", "gold": GOLD} for number in range(4)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    alone = primum("eval", "cases", "--data", file, **environment)
    assert primum("eval", "cases", "--data", file, "--ray", "--workers", 2, **environment) == alone
    assert alone["n"] == 4 and alone["missing_asked"] == 1.0


def test_without_ray_it_is_said_what_to_install(
    questions: Path, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    told = ["eval", "mcq", "--data", str(questions), "--url", vllm.url, "--ray"]
    done = CliRunner().invoke(app, told)
    assert isinstance(done.exception, BadInput) and "pip install 'primum[ray]'" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["triage", "--ray"], "--ray goes with mcq or answers or audit or rubric or cases, not with triage"),
        (["mcq", "--workers", "2"], "--workers goes with --ray"),
        (["answers", "--ray", "--folder", "."], "--ray tells no likelihoods"),
    ],
)
def test_what_workers_can_not_do_is_refused(questions: Path, options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["eval", *options, "--data", str(questions)])
    assert isinstance(done.exception, BadInput) and said in str(done.exception)
