"""The bench of a model server counts what comes, and asks with prompts that share what they share in use."""

import argparse
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.serving import measure, prompts, spread
from tests.fakes import FakeVLLM, Says


def given(address: str, **changed: Any) -> argparse.Namespace:
    told = {"url": [address], "model": "primum", "key": "none", "at_once": [2], "prompt": [512], "tokens": 16}
    told |= {"requests": 4, "first": 2000.0, "between": 1000.0, "agent": None, "second_opinion": None, "plot": None}
    return argparse.Namespace(**told | changed)


def test_prompts_share_their_rules_and_nothing_else() -> None:
    first, second = islice(prompts(500, "a"), 2)
    assert first[0] == second[0] and first[1] != second[1]
    words = sum(len(message["content"].split()) for message in first)
    assert 500 <= words <= 545
    assert next(prompts(500, "b"))[1] != first[1]


async def test_a_row_tells_of_tokens_times_and_errors(vllm: FakeVLLM) -> None:
    vllm.default = Says(" ".join(["word"] * 16), first=0.1, each=0.01)
    (row,) = (await measure(given(vllm.url)))["servers"]
    assert (row["requests"], row["errors"], row["at_once"]) == (4, [], 2)
    assert row["first_ms"]["p50"] >= 100 and row["whole_ms"]["p50"] > row["first_ms"]["p50"]
    assert row["goodput_a_second"] == row["requests_a_second"] > 0
    assert row["prefix_cache"] is None  # this server counts none
    assert len({str(body["messages"]) for body in vllm.written}) == 5  # four, and one before them


async def test_no_row_asks_what_another_has_asked(vllm: FakeVLLM) -> None:
    vllm.default = "word " * 16
    rows = (await measure(given("", url=[vllm.url, vllm.url], at_once=[1, 2])))["servers"]
    assert len(rows) == 4 and len({str(body["messages"][1]) for body in vllm.written}) == 4 * 5


async def test_what_comes_late_is_no_goodput_and_an_error_is_none_either(vllm: FakeVLLM) -> None:
    vllm.default = Says("word " * 16, first=0.2)
    (row,) = (await measure(given(vllm.url, first=50.0)))["servers"]
    assert row["goodput_a_second"] == 0 < row["requests_a_second"]
    vllm.default = Says(status=500)
    (row,) = (await measure(given(vllm.url)))["servers"]
    assert row["errors"] == ["HTTPStatusError"] * 4 and row["tokens_a_second"] == 0


async def test_a_router_is_asked_and_those_behind_it_for_their_counters(vllm: FakeVLLM) -> None:
    vllm.default = "word " * 16
    (row,) = (await measure(given(f"{vllm.url}=http://127.0.0.1:9/v1,{vllm.url}")))["servers"]
    assert row["url"] == vllm.url and row["errors"] == [] and row["prefix_cache"] is None
    assert len(set(vllm.sessions)) == 5  # each request a conversation of its own


async def test_an_agent_and_a_second_opinion_that_fail_cost_no_other_row(vllm: FakeVLLM, tmp_path: Path) -> None:
    vllm.default = "word " * 16
    broken = tmp_path / "vllm"
    broken.write_text("#!/bin/sh\necho no such model >&2; exit 3\n")
    broken.chmod(0o755)
    told = await measure(given(vllm.url, agent="http://127.0.0.1:9", second_opinion=str(broken), tokenizer=None))
    assert told["servers"][0]["requests"] == 4 and told["agent"][0]["turns_a_second"] == 0
    assert told["agent"][0]["errors"] == ["ConnectError"] * 4 and told["agent"][0]["status"] == {}
    assert told["second_opinion"] == {"errors": ["exit 3", "no such model"]}
    told = await measure(given(vllm.url, second_opinion=str(tmp_path / "none"), tokenizer=None))
    assert told["second_opinion"]["errors"] == [f"{tmp_path / 'none'}: No such file or directory"]


@pytest.mark.parametrize(("seconds", "told"), [([], None), ([1.0], None), ([1.0, 1.0], {"p50": 1000.0, "p95": 1000.0})])
def test_a_spread_is_of_two_at_least(seconds: list[float], told: dict[str, float] | None) -> None:
    assert spread(seconds) == told
