"""The HTTP API over a real socket: what it answers, what it refuses, and what never leaves it."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from primum.graph.answer import Answer
from primum.graph.settings import Settings
from primum.memory.schema import upgrade
from primum.memory.session import Database
from primum.server import api as server_api
from primum.server import postgres
from primum.server.api import MAX_BODY
from tests.fakes import Body, FakeEmbedder, FakeVLLM, Says
from tests.pages import cited
from tests.served import ASKED, events, refused, served
from tests.server.conftest import DOSE, GOOD, copy


async def stored(settings: Settings) -> int:
    """How many threads and turns the database holds."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value())
    async with database.begin_as_worker() as connection:
        count = await connection.scalar(
            text("select (select count(id) from threads) + (select count(run_id) from turns)")
        )
    await database.close()
    return int(count)


# Turns


def test_a_turn_comes_as_events_in_their_order(api: httpx.Client) -> None:
    came = events(api)
    assert [name for name, _ in came if name != "step"] == ["evidence", "answer", "citations", "done"]
    steps = [(data["name"], data["state"]) for name, data in came if name == "step"]
    assert steps[0] == ("recall", "started") and steps[-1] == ("respond", "finished")
    at = [name for name, _ in came].index("evidence")
    assert came[at - 1][1] == {"name": "retrieve", "state": "finished"}
    answer = Answer.model_validate(came[-1][1])
    assert dict(came)["answer"] == {"text": answer.text, "status": "answered"}
    assert dict(came)["citations"]["citations"] == [citation.model_dump() for citation in answer.citations]


def test_no_word_of_a_draft_leaves_before_or_without_the_audit(api: httpx.Client, vllm: FakeVLLM) -> None:
    unproven = "Zebrafinch extract cures it [every 4 to 6 hours]."
    vllm.says(cited(f"{unproven} {DOSE} [every 4 to 6 hours]."), cited(f"{DOSE} [every 4 to 6 hours]. {unproven}"))
    came = events(api)
    assert vllm.written and "zebrafinch" not in json.dumps(came).lower()
    before = [data for name, data in came if name in ("step", "evidence")]
    assert before and DOSE not in json.dumps(before)
    assert dict(came)["answer"]["text"] == f"{DOSE} [1]."


def test_a_conversation_is_listed_read_and_removed(api: httpx.Client) -> None:
    events(api, patient="anna")
    (thread,) = api.get("/threads", params={"patient": "anna"}).json()
    assert thread["id"] == "t" and thread["title"] == ASKED and thread["updated_at"]
    (turn,) = api.get("/threads/t", params={"patient": "anna"}).json()
    assert turn["question"] == ASKED and turn["status"] == "done"
    Answer.model_validate(turn["answer"])
    assert api.delete("/threads/t", params={"patient": "anna"}).status_code == 204
    assert api.get("/threads", params={"patient": "anna"}).json() == []


def test_another_patients_conversation_does_not_exist(api: httpx.Client) -> None:
    events(api, patient="anna")
    for response in (
        api.post("/threads/t/turns", json={"question": ASKED, "patient": "ben"}),
        api.get("/threads/t", params={"patient": "ben"}),
        api.delete("/threads/t", params={"patient": "ben"}),
    ):
        refused(response, 404, "UnknownThread")
    assert api.get("/threads", params={"patient": "ben"}).json() == []
    assert len(api.get("/threads/t", params={"patient": "anna"}).json()) == 1


def test_a_second_question_on_a_busy_conversation_is_refused(api: httpx.Client, vllm: FakeVLLM) -> None:
    asked, release = Event(), Event()

    def held(request: Body) -> str:
        asked.set()
        release.wait(30)
        return GOOD(request)

    vllm.says(held)
    with api.stream("POST", "/threads/t/turns", json={"question": ASKED}) as response:
        assert asked.wait(30)
        refused(api.post("/threads/t/turns", json={"question": ASKED}), 409, "ThreadBusy")
        refused(api.delete("/threads/t"), 409, "ThreadBusy")
        release.set()
        assert b"event: done" in b"".join(response.iter_raw())


def test_a_reader_who_leaves_finds_the_answer_later(api: httpx.Client, vllm: FakeVLLM) -> None:
    asked, release = Event(), Event()

    def held(request: Body) -> str:
        asked.set()
        release.wait(30)
        return GOOD(request)

    vllm.says(held)
    with api.stream("POST", "/threads/t/turns", json={"question": ASKED}):
        assert asked.wait(30)
    assert api.get("/threads/t").json()[0]["status"] == "running"
    release.set()
    while (turn := api.get("/threads/t").json()[0])["status"] == "running":
        pass
    assert turn["answer"]["text"] == f"{DOSE} [1]."


# /generate


def test_generate_keeps_its_contract(api: httpx.Client, vllm: FakeVLLM) -> None:
    body = {"question": ASKED, "temperature": 0.7, "max_length": 60, "use_safety": True}
    reply = api.post("/generate", json=body).json()
    assert set(reply) == {"response", "safety_report", "inference_time_ms", "answer"}
    assert reply["response"] == f"{DOSE} [1]." == Answer.model_validate(reply["answer"]).text
    assert reply["safety_report"] == {"risk_level": 0, "disposition": "none", "warnings": [], "findings": []}
    assert reply["inference_time_ms"] > 0
    assert vllm.written[0]["temperature"] == 0.7
    assert "at most 60 words" in vllm.written[0]["messages"][1]["content"]


def test_generate_without_the_report_is_audited_all_the_same(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours]. Zebrafinch extract cures it [every 4 to 6 hours].")
    reply = api.post("/generate", json={"question": ASKED, "use_safety": False}).json()
    assert reply["safety_report"] is None and reply["response"] == f"{DOSE} [1]."


# /health


def test_health_is_up_if_every_part_is(api: httpx.Client) -> None:
    response = api.get("/health")
    health = response.json()
    assert response.status_code == 200 and health["state"] == "up"
    assert health["database"] == {"state": "up"}
    assert health["model"]["name"] == "primum" and health["model"]["adapter"] is None
    assert health["embedder"]["name"] == "fake" and health["embedder"]["dimensions"] == 64
    assert health["corpus"]["documents"] == 5 and health["corpus"]["chunks"] > 5 and health["corpus"]["version"]


def test_health_names_the_adapter(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.models = [{"id": "base", "parent": None}, {"id": "primum", "parent": "base", "root": "/adapters/primum"}]
    assert api.get("/health").json()["model"]["adapter"] == "primum@unknown"


def test_health_is_degraded_without_the_model(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.models = [{"id": "another", "parent": None}]
    health = api.get("/health").json()
    assert health["state"] == "degraded" and health["model"]["state"] == "missing"
    vllm.stop()
    response = api.get("/health")
    assert response.status_code == 200 and response.json()["model"]["state"] == "down"


def test_health_is_degraded_without_the_replica_and_answers_go_on(settings: Settings, library_url: str) -> None:
    away = SecretStr("postgresql://primum@127.0.0.1:1/primum")
    for replica, state in ((SecretStr(library_url), "up"), (away, "down")):
        with served(settings.model_copy(update={"database_replica_url": replica})) as api:
            health = api.get("/health").json()
            assert (health["replica"]["state"], health["database"]["state"]) == (state, "up")
            assert health["state"] == ("up" if state == "up" else "degraded")
            assert health["corpus"]["chunks"] > 5


def test_a_body_that_does_not_come_is_not_waited_for(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_api, "BODY_TIME", 0.5)
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=30) as slow:
        head = (
            b"POST /generate HTTP/1.1",
            b"host: 127.0.0.1",
            b"content-type: application/json",
            b"content-length: 50",
        )
        slow.sendall(b"\r\n".join([*head, b"", b'{"question":']))
        assert slow.recv(65_536).startswith(b"HTTP/1.1 408")
    assert api.get("/health").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"x-forwarded-host": "evil.example", "host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
    ],
)
def test_a_page_of_another_name_does_not_reach_it(api: httpx.Client, headers: dict[str, str]) -> None:
    assert api.get("/threads", headers=headers).status_code == 400


def test_a_page_of_another_origin_may_not_read_it(api: httpx.Client) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for response in (api.options("/generate", headers=asked), api.get("/threads", headers=asked)):
        assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
def test_a_page_of_another_origin_changes_nothing(api: httpx.Client, origin: str) -> None:
    before = api.get("/health").json()["corpus"]["documents"]
    form = {"file": ("fever.md", b"# Fever\n\nDrink bleach.")}  # a browser sends forms without asking first
    refused(api.post("/documents", files=form, headers={"origin": origin}), 403, "NotAllowed")
    refused(api.delete("/threads/t", headers={"origin": origin}), 403, "NotAllowed")
    assert api.get("/health").json()["corpus"]["documents"] == before
    own = {"origin": str(api.base_url).rstrip("/")}
    assert api.post("/documents", files=form, headers=own).status_code == 200


def test_what_a_proxy_might_add_makes_nobody_of_anybody(settings: Settings) -> None:
    with served(settings.model_copy(update={"auth": "required"})) as api:
        tricks = {"x-forwarded-user": "admin", "x-user": "admin", "x-api-key": "x", "cookie": "session=admin"}
        refused(api.get("/threads", headers=tricks), 401, "Unauthenticated")
        for path in ("//threads", "/threads/", "/%74hreads", "/health/../threads", "/docs/../threads"):
            assert api.get(path).status_code in (401, 404, 307), path


def test_watched_folders_are_followed_while_it_serves(settings: Settings, tmp_path: Path) -> None:
    with served(settings.model_copy(update={"watch": [tmp_path]})) as api:
        before = api.get("/health").json()["corpus"]["documents"]
        (tmp_path / "gout.md").write_text("# Gout\n\nColchicine treats gout.")
        deadline = time.monotonic() + 30
        while api.get("/health").json()["corpus"]["documents"] == before:
            assert time.monotonic() < deadline


def test_health_is_degraded_with_an_empty_library(settings: Settings, database_url: str) -> None:
    with served(settings.model_copy(update={"database_url": SecretStr(database_url)})) as api:
        health = api.get("/health").json()
    assert health["state"] == "degraded" and health["corpus"]["state"] == "empty"


def test_health_is_degraded_with_another_embedder_than_the_librarys(settings: Settings) -> None:
    with served(settings, FakeEmbedder("other", 32)) as api:
        health = api.get("/health").json()
    assert health["state"] == "degraded" and health["embedder"]["state"] == "mismatch"


def test_without_the_database_everything_says_so_and_with_it_all_is_well_again(
    settings: Settings, vllm: FakeVLLM, made_postgres: Path, tmp_path: Path
) -> None:
    vllm.default = GOOD
    data = copy(made_postgres, tmp_path / "own")
    with (tmp_path / "log").open("ab") as log:
        try:
            postgres.start(data, log)
            upgrade(postgres.url(data))
            with served(settings.model_copy(update={"database_url": SecretStr(postgres.url(data))})) as api:
                postgres.stop(data)
                for method, path in (("POST", "/threads/t/turns"), ("POST", "/generate"), ("GET", "/threads")):
                    body = {"question": ASKED} if method == "POST" else None
                    assert "can't be reached" in refused(api.request(method, path, json=body), 503, "MemoryUnavailable")
                assert api.get("/health").status_code == 503 and api.get("/health").json()["state"] == "down"
                postgres.start(data, log)
                assert api.post("/generate", json={"question": ASKED}).status_code == 200
                assert api.get("/health").status_code == 200
        finally:
            postgres.stop(data)


# What is refused

BAD: dict[str, tuple[Any, int]] = {
    "empty": ({"question": ""}, 400),
    "blank": ({"question": " \t\n"}, 400),
    "a control character": ({"question": "fever \x1b[31m"}, 400),
    "a null": ({"question": "fever\0"}, 400),
    "too long": ({"question": "a" * 8001}, 422),
    "missing": ({}, 422),
    "a number": ({"question": 1}, 422),
    "an extra field": ({"question": "fever", "extra_body": {"guided_regex": "(a+)+"}}, 422),
    "a list": ([ASKED], 422),
}
TURN: dict[str, tuple[Any, int]] = {
    "a blank in the patient": ({"question": "fever", "patient": "a b"}, 422),
    "too few words": ({"question": "fever", "max_words": 1}, 422),
    "another audience": ({"question": "fever", "audience": "everyone"}, 422),
    "a temperature": ({"question": "fever", "temperature": 1}, 422),
}
GENERATE: dict[str, tuple[Any, int]] = {
    "too hot": ({"question": "fever", "temperature": 3}, 422),
    "endless": ({"question": "fever", "max_length": 10**9}, 422),
}


def test_bad_bodies_are_refused_and_nothing_is_stored(api: httpx.Client, settings: Settings, vllm: FakeVLLM) -> None:
    for path, table in (("/threads/t/turns", BAD | TURN), ("/generate", BAD | GENERATE)):
        for name, (body, code) in table.items():
            response = api.post(path, json=body)
            assert refused(response, code, "BadInput"), name
    assert asyncio.run(stored(settings)) == 0 and vllm.requests == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"question": "fever \\ud83d"}', 422),
        (b'{"question": "fever \xff"}', 400),
        (b'{"question": "fever', 422),
        (b"", 422),
        (b"[" * 50_000, 400),
        (b'{"question": "' + b"a" * 2**20 + b'"}', 413),
    ],
    ids=["half a character", "no UTF-8", "half a JSON", "nothing", "deeply nested", "a megabyte"],
)
def test_bodies_that_are_no_bodies_are_refused(api: httpx.Client, settings: Settings, body: bytes, code: int) -> None:
    response = api.post("/generate", content=body, headers={"content-type": "application/json"})
    refused(response, code, "BadInput")
    assert asyncio.run(stored(settings)) == 0


def test_a_body_of_unknown_length_has_a_limit_too(api: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 1000 + 2):
            yield b" " * 1000

    assert "262,144" in refused(api.post("/generate", content=pieces()), 413, "BadInput")


def test_a_path_or_method_that_there_is_not_is_refused_in_the_same_form(api: httpx.Client) -> None:
    refused(api.get("/nowhere"), 404, "NotFound")
    refused(api.put("/generate"), 405, "NotAllowed")


@pytest.mark.parametrize("thread", ["a b", "t" * 129, "fi\u00e8vre"])
def test_a_name_that_is_no_name_is_refused(api: httpx.Client, thread: str) -> None:
    refused(api.post(f"/threads/{thread}/turns", json={"question": ASKED}), 422, "BadInput")
    refused(api.get("/threads", params={"patient": thread}), 422, "BadInput")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_another_host_than_ours_is_refused(api: httpx.Client, vllm: FakeVLLM, host: str) -> None:
    response = api.post("/generate", json={"question": ASKED}, headers={"host": host})
    assert response.status_code == 400 and vllm.requests == []


class Broken(FakeEmbedder):
    """Fails at the search as no error of ours would."""

    def embed_queries(self, texts: object) -> list[list[float]]:
        raise RuntimeError(f"secret {texts}")


def test_an_error_that_is_not_ours_says_nothing_of_itself(settings: Settings) -> None:
    with served(settings, Broken()) as api:
        assert "secret" not in refused(api.post("/generate", json={"question": ASKED}), 500, "InternalError")
        came = events(api)
        assert came[-1][0] == "error" and came[-1][1]["error"] == "InternalError"
        assert "secret" not in str(came) and ASKED not in str(came)


def test_a_hanging_model_ends_in_evidence_only_over_http_too(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = Says(first=3600)
    with served(settings.model_copy(update={"turn_timeout": 2})) as api:
        reply = api.post("/generate", json={"question": ASKED}).json()
    assert reply["answer"]["status"] == "evidence_only"
    assert reply["answer"]["trace"]["problems"] == ["draft: The model did not answer in time."]
