"""The API's description: what it says of keys, streams, errors and OpenAI's form; and its page."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from httpx_sse import ServerSentEvent, connect_sse
from playwright.async_api import async_playwright
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from primum.server.access import OPEN
from primum.server.docs import example, operations
from tests.fakes import FakeVLLM
from tests.page.conftest import CHROMIUM, FLAGS
from tests.served import ASKED

AS_DESCRIBED = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MISSING = {  # of what the examples name nothing is there: no recording can be read, nothing waits, nobody answered
    ("POST", "/words"): 400,
    ("POST", "/reviews/{run_id}"): 404,
    ("PUT", "/answers/{run_id}/feedback"): 404,
}


@pytest.fixture
def described(api: httpx.Client) -> Any:
    return api.get("/openapi.json").json()


def events_of(api: httpx.Client) -> list[ServerSentEvent]:
    with connect_sse(api, "POST", "/threads/t/turns", json={"question": ASKED, "patient": "anna"}) as source:
        return list(source.iter_sse())


def test_the_form_of_openai_is_described_with_what_is_ours_in_it(described: Any) -> None:
    operation = described["paths"]["/v1/chat/completions"]["post"]
    content = operation["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Completion"}
    schemas = described["components"]["schemas"]
    assert schemas["Completion"]["properties"]["primum"] == {"$ref": "#/components/schemas/Extension"}
    fields = schemas["Extension"]["properties"]
    assert "text" not in fields and {"citations", "safety", "signed", "thread", "trace"} <= fields.keys()
    assert "Chunk" in str(content["text/event-stream"]["itemSchema"]) and "Chunk" in schemas
    for path, found in described["paths"].items():
        for one in found.values():
            errors = {code: told for code, told in one["responses"].items() if code >= "400" and code != "503"}
            named = {told["content"]["application/json"]["schema"]["$ref"] for told in errors.values()}
            form = "OpenAIProblem" if path.startswith("/v1/") else "Problem"
            assert named == {f"#/components/schemas/{form}"} and "408" in errors
            assert ("422" in errors) is not (path.startswith("/v1/") or path in OPEN)


def test_every_reference_leads_somewhere(described: Any) -> None:
    named = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(described)))
    assert named <= described["components"]["schemas"].keys()


def test_it_says_which_paths_take_a_key(described: Any) -> None:
    (scheme,) = described["components"]["securitySchemes"].items()
    assert scheme[0] == "key" and scheme[1]["scheme"] == "bearer" and {"key": []} in described["security"]
    open_ones = {path for path, found in described["paths"].items() if any("security" in o for o in found.values())}
    assert open_ones == {"/health", "/health/live", "/health/ready"}


def test_each_operation_is_answered_as_it_is_described(api: httpx.Client, described: Any, vllm: FakeVLLM) -> None:
    """Each is asked once, with the example of its body, and OpenAI's stream too."""
    vllm.default = "No."
    schema = schemathesis.openapi.from_dict(described)
    last = events_of(api)[-1].id
    places = {"thread": "t", "patient": "anna", "run_id": str(uuid4()), "model": "primum", "document": "1"}
    given: Any = {"params": {"id": "1", "patient": "anna"}, "headers": {"last-event-id": last}}
    tried = {}

    def asks(method: str, path: str, **body: Any) -> None:
        response = api.request(method, path.format(**places), **given, **body)
        response.request.read()
        schema[path][method].Case(path_parameters=places).validate_response(response, checks=AS_DESCRIBED)
        tried[method, path] = response.status_code

    for path, found in described["paths"].items():
        for name, operation in sorted(found.items(), key=lambda one: one[0] == "delete"):
            method = name.upper()
            bodies = operation.get("requestBody", {}).get("content", {})
            if not bodies:
                asks(method, path)
            for kind, told in bodies.items():
                body = example(told, described["components"]["schemas"])
                sent = {"json": body} if kind == "application/json" else {"files": {"file": ("a.md", body["file"])}}
                asks(method, path, **sent)
                if path.endswith("completions"):
                    asks(method, path, json={**body, "stream": True, "stream_options": {"include_usage": True}})
    assert {asked: code for asked, code in tried.items() if code >= 300} == MISSING
    assert len(tried) == len(operations(described))


async def test_the_page_of_the_description_shows_every_operation_and_loads_nothing(
    api: httpx.Client, described: Any
) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(str(api.base_url.join("/docs")))
        assert await page.locator("details").count() == len(operations(described))
        await page.get_by_text("/v1/chat/completions").click()
        assert await page.get_by_text("What is gout?").is_visible()
        assert [one for one in asked if not one.endswith("favicon.ico")] == [page.url]
        style = await page.locator("pre").first.evaluate("one => getComputedStyle(one).borderRadius")
        assert style == "8px"  # its policy lets its own style in
        await browser.close()


def test_the_page_is_found_where_fastapis_are(api: httpx.Client) -> None:
    assert "/v1/chat/completions" in api.get("/docs").text == api.get("/redoc").text


def test_no_answer_may_be_sniffed_framed_or_run(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        api.get("/health"),
        api.get("/nowhere"),
        api.get("/docs"),
        api.get("/threads", headers={"host": "evil.example"}),
        api.delete("/threads/t", headers={"origin": "https://evil.example"}),
        api.post("/threads/t/turns", json={"question": "What is gout?"}),
        api.post("/generate", content=b"x" * 300_000),
    ]
    from primum.graph import agent

    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(agent.Agent, "_run_graph", broken)
    answers.append(api.post("/generate", json={"question": "What is gout?"}))
    assert [one.status_code for one in answers] == [200, 404, 200, 400, 403, 200, 413, 500]
    for one in answers:
        assert one.headers["x-content-type-options"] == "nosniff" and one.headers["x-frame-options"] == "DENY"
        assert one.headers["referrer-policy"] == "no-referrer"
        policy = one.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
        assert "script" not in policy
