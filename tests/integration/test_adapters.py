"""Adapters on a real vLLM: loaded while it runs, released, seen in the trace by their hash, and rolled back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from primum.finetune.adapter import checked, read_header
from primum.graph import adapters
from primum.graph.agent import Agent
from primum.graph.errors import BadInput
from primum.graph.fingerprint import fingerprint
from primum.memory.releases import Releases
from primum.memory.session import Database
from primum.server.lora import load_adapter, unload_adapter
from tests.adapters import write_adapter
from tests.integration.contract import QUESTION

pytestmark = pytest.mark.vllm
PARTS = ("q_proj.weight", "v_proj.weight", "up_proj.weight", "down_proj.weight")


@pytest.fixture
def model_url(pytestconfig: pytest.Config) -> str:
    url = pytestconfig.getoption("--vllm-url")
    if url is None:
        pytest.skip("needs a vLLM server: `.ci/vllm test`")
    return str(url)


@pytest.fixture
async def base(agent: Agent) -> Path:
    return Path(str((await agent.resources.adapters.served())["primum"]["root"]))


@pytest.fixture
async def releases(starter: Database, agent: Agent) -> Releases:
    return Releases(starter, agent.resources.audit)


@pytest.fixture
async def med(agent: Agent, base: Path, tmp_path: Path) -> AsyncIterator[Path]:
    """An adapter of random numbers, loaded as `med` while vLLM runs."""
    folder = made(tmp_path / "med", base, seed=1)
    await load_adapter(agent.resources.http, "med", str(folder))
    yield folder
    await unload_adapter(agent.resources.http, "med")


def made(folder: Path, base: Path, seed: int) -> Path:
    weights = read_header(base / "model.safetensors")
    shapes = {
        name.removesuffix(".weight"): (one.shape[0], one.shape[1])
        for name, one in weights.items()
        if name.endswith(PARTS)
    }
    write_adapter(folder, shapes=shapes, base=str(base), rank=8, seed=seed, scale=0.05)
    checked(folder, base)
    return folder


async def said(http: httpx.AsyncClient, model: str) -> str:
    asked = {"role": "user", "content": "Name three fruits."}
    body = {"model": model, "messages": [asked], "temperature": 0, "max_tokens": 24}
    response = await http.post("chat/completions", json=body)
    return str(response.raise_for_status().json()["choices"][0]["message"]["content"])


async def test_an_adapter_loaded_while_it_runs_changes_what_is_said(agent: Agent, med: Path) -> None:
    http = agent.resources.http
    assert await said(http, "med") != await said(http, "primum")


async def test_a_released_adapter_answers_with_its_hash_in_trace_and_health_until_it_is_rolled_back(
    agent: Agent, releases: Releases, med: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "LOOK", -1.0)
    sha256 = fingerprint(med)
    await releases.use("main", "a test", "writer", "med", adapter=sha256)
    try:
        trace = (await agent.ask(QUESTION, max_words=40)).trace
        assert trace.tokens["calls"] >= 1
        assert (trace.model, trace.adapter) == ("med", f"med@{sha256[:12]}")
        health = (await agent.resources.health())["model"]
        assert health["state"] == "up" and health["adapters"][0]["sha256"] == sha256
    finally:
        await releases.rollback("main", "a test", "writer")
    await agent.resources.adapters.look()
    assert agent.resources.adapters.models("main", "t")["writer"] == "primum"


async def test_what_the_linter_refuses_vllm_refuses_too_and_its_words_are_passed_on(
    agent: Agent, base: Path, tmp_path: Path
) -> None:
    faults: list[dict[str, Any]] = [{"modules_to_save": ["lm_head"]}, {"use_dora": True}, {"bias": "all"}]
    for number, config in enumerate(faults):
        folder = write_adapter(made(tmp_path / str(number), base, seed=1).with_name(f"bad{number}"), **config)
        with pytest.raises(BadInput, match="can't be served"):
            checked(folder)
        with pytest.raises(BadInput, match="vLLM refused"):
            await load_adapter(agent.resources.http, "bad", str(folder))


async def test_a_name_that_is_taken_or_unknown_is_refused_in_vllms_words(agent: Agent, med: Path) -> None:
    with pytest.raises(BadInput, match="already been loaded"):
        await load_adapter(agent.resources.http, "med", str(med))
    with pytest.raises(BadInput, match="cannot be found"):
        await unload_adapter(agent.resources.http, "nobody")
