import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from primum.graph import llm
from primum.graph.context import Run, ToolCall
from primum.graph.errors import InvalidModelOutput, ModelUnavailable
from primum.graph.llm import Endpoint, EndpointModel, open_client
from primum.nodes.rewrite import Searches
from primum.tools.mathematics import work_out
from tests.fakes import FakeVLLM, Says


@pytest.fixture
async def model(vllm: FakeVLLM) -> AsyncIterator[EndpointModel]:
    async with open_client(vllm.url, "none") as client:
        yield Endpoint.open("primum", client).bind("writer", Run())


async def test_the_tokens_of_a_call_are_the_servers_count(model: EndpointModel, vllm: FakeVLLM) -> None:
    vllm.says("Rest and drink.")
    await model.write([("user", "What helps against flu?")], max_tokens=50)
    assert model.run.tokens == {"calls": 1, "prompt": 4, "completion": 3, "cached": 0}


async def test_a_call_that_was_stopped_counts_what_was_written(model: EndpointModel, vllm: FakeVLLM) -> None:
    vllm.says("Flu is an infection of the airways. " * 100)
    reply = await model.write([("user", "What is flu?")], max_tokens=1000, until=lambda _: True)
    assert reply.text.endswith("airways.")
    assert 0 <= model.run.tokens["completion"] - len(reply.text.split()) < 7


@pytest.mark.parametrize("broken", [Says("Rest and drink.", breaks_after=2), Says("Rest. " * 100)])
async def test_a_call_that_failed_is_counted_too(model: EndpointModel, vllm: FakeVLLM, broken: Says) -> None:
    vllm.says(broken)
    with pytest.raises(ModelUnavailable):
        await model.write([("user", "What helps against flu?")], max_tokens=1000)
    assert model.run.tokens["calls"] == 1


async def test_the_indent_of_a_form_is_no_endless_repetition(model: EndpointModel, vllm: FakeVLLM) -> None:
    form = Searches(question="x" * 110, searches=["flu"])
    vllm.forms["Searches"] = form.model_dump_json() + " " * 20
    assert await model.fill([("user", "What is flu?")], Searches, max_tokens=300) == form


async def test_calls_of_tools_are_put_together_from_their_pieces(model: EndpointModel, vllm: FakeVLLM) -> None:
    sums = ("work_out", {"expression": "3 * 12"}), ("work_out", {"expression": "1 + 1"})
    vllm.choices.append(Says("<think>two of them</think>", calls=sums))
    calls = await model.choose([("user", "3 boxes of 12?")], [work_out], max_tokens=100)
    assert calls == tuple(ToolCall(name, arguments) for name, arguments in sums)
    (body,) = vllm.offered
    assert body["tools"][0]["function"]["name"] == "work_out" and body["tool_choice"] == "auto"
    assert await model.choose([("user", "Hello")], [work_out], max_tokens=100) == ()


async def test_a_call_whose_arguments_are_no_object_is_refused(model: EndpointModel, vllm: FakeVLLM) -> None:
    vllm.choices.append(Says(calls=(("work_out", ["3 * 12"]),)))  # type: ignore[arg-type]
    with pytest.raises(InvalidModelOutput, match="arguments that are no JSON object"):
        await model.choose([("user", "3 boxes of 12?")], [work_out], max_tokens=100)


async def test_a_host_that_is_gone_without_a_word_is_known_by_the_kernel(vllm: FakeVLLM) -> None:
    made: list[socket.socket] = []
    plain = llm._socket

    def kept(address: tuple[Any, ...]) -> socket.socket:
        made.append(plain(address))
        return made[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(llm, "_socket", kept)
        async with open_client(vllm.url, "none") as client:
            await client.get("models")
            assert made[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            options = [made[0].getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in llm._ALIVE]
    assert options == [4, 2, 3, 10_000]
