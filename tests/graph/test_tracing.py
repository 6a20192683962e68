"""What leaves as traces: names, times and counts, and no byte of what was said. What nobody wants by name stays off."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import langsmith
import pytest
import zstandard
from langsmith.utils import tracing_is_enabled
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from primum.graph import tracing
from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.errors import BadInput
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from tests.fakes import FakeEmbedder, FakeVLLM, Says
from tests.pages import cited

CANARY = "zebrafinch"
ASKED = f"How much paracetamol can adults with {CANARY} take?"
DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"


class Collector(ThreadingHTTPServer):
    """Keeps the bodies that are sent to it, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Keeping)
        self.got: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def bytes(self) -> bytes:
        return b"".join(body for _, body in self.got)


class Keeping(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        assert isinstance(self.server, Collector)
        assert self.headers.get("content-encoding") in (None, "zstd")
        self.server.got.append((self.path, body))
        self._answer(b"{}")

    def do_GET(self) -> None:
        self._answer(b"{}")

    do_PATCH = do_POST  # noqa: N815 (the name that `http.server` looks for)

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        body = self.rfile.read(size)
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def never_again() -> Iterator[None]:
    yield
    langsmith.configure(client=None, enabled=False)


async def answered(settings: Settings, vllm: FakeVLLM, **given: object) -> Answer:
    """A turn whose question, draft and answer hold the canary."""
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours]. The {CANARY} sings.")
    async with open_resources(settings.model_copy(update=given), FakeEmbedder()) as resources:
        agent = Agent(resources)
        answer = await agent.ask(ASKED)
        vllm.default = Says(f"{CANARY}", status=500)
        await agent.ask(f"What about {CANARY}?")
        await agent.close()
    assert CANARY in str(vllm.requests)
    return answer


async def test_a_collector_gets_names_times_and_token_counts_and_no_word(
    settings: Settings, vllm: FakeVLLM, collector: Collector
) -> None:
    answer = await answered(settings, vllm, otlp_url=collector.url)
    assert {path for path, _ in collector.got} == {"/v1/traces"}
    spans = [
        span
        for _, body in collector.got
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    assert {"primum", "recall", "retrieve", "draft", "critique", "respond"} <= {span.name for span in spans}
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    names = {attribute.key for span in spans for attribute in span.attributes}
    assert "llm.token_count.prompt" in names
    assert all(name in tracing.KEPT or name.startswith(tracing.COUNTS) for name in names)
    assert not any(span.events or span.links or span.status.message for span in spans)
    for said in (CANARY, "paracetamol", answer.text[:30]):
        assert said.encode() not in collector.bytes


async def test_without_a_collector_nothing_is_sent_whatever_langsmith_s_switches_say(
    settings: Settings, vllm: FakeVLLM, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on(monkeypatch, collector)
    langsmith.configure(client=None, enabled=None)
    assert tracing_is_enabled()
    await answered(settings, vllm)
    assert not tracing_is_enabled() and collector.got == []


async def test_langsmith_gets_runs_without_a_word_if_it_is_wanted_by_name(
    settings: Settings, vllm: FakeVLLM, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on(monkeypatch, collector)
    await answered(settings, vllm, langsmith=True)
    assert b"critique" in collector.bytes and b"primum" in collector.bytes
    for said in (CANARY, "paracetamol", "every 4 to 6 hours"):
        assert said.encode() not in collector.bytes
    assert not tracing_is_enabled()


async def test_a_collector_without_the_packages_for_it_is_named_with_how_to_mend_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openinference.instrumentation.langchain", None)
    with pytest.raises(BadInput, match=r"primum\[telemetry\]"):
        async with tracing.tracing(settings.model_copy(update={"otlp_url": "http://127.0.0.1:1"})):
            pass


def switch_on(monkeypatch: pytest.MonkeyPatch, collector: Collector) -> None:
    """As somebody would who traces another program of theirs."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", collector.url)
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")
    langsmith.utils.get_env_var.cache_clear()  # type: ignore[attr-defined]
    langsmith.utils.get_tracer_project.cache_clear()
