"""The version before runs beside this one: its own code, in a process of its own, while the newest migration is made.

A migration that takes from old code what it reads or writes fails here; and new code that can't read what old code
left, or leaves what old code can't read.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import psycopg
import pytest
from httpx_sse import connect_sse

from primum.graph.settings import read_settings
from primum.memory import schema
from primum.server.api import create_app
from tests.fakes import Body, FakeVLLM
from tests.memory.former import Former
from tests.pages import cited, write_pages
from tests.served import ASKED, serving

REVISIONS = schema.revisions()
DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
GOOD = cited(f"{DOSE} [every 4 to 6 hours].")
ALLERGIC = f"I'm allergic to penicillin. {ASKED}"
JOBS = "select status, attempts from jobs.procrastinate_jobs"
PATIENCE = 60  # seconds until what comes after the replies is done


@pytest.fixture
def model() -> Iterator[FakeVLLM]:
    """The old process' own: it may be held up."""
    with FakeVLLM() as server:
        yield server


@pytest.fixture
def shared(empty_database_url: str, vllm: FakeVLLM, tmp_path: Path) -> dict[str, Any]:
    """The settings that both versions have: a database, a secret, an embedder."""
    given = {"home": tmp_path / "home", "database_url": empty_database_url, "turn_timeout": 90}
    return given | {"model_url": vllm.url, "embedder": "fake", "embedder_url": vllm.url}


@pytest.fixture
def before(shared: dict[str, Any], model: FakeVLLM, tmp_path: Path) -> Former:
    return Former(tmp_path / "former", {**shared, "model_url": model.url})


@pytest.fixture
def old(before: Former, tmp_path: Path) -> Iterator[httpx.Client]:
    """An API of the version before, on tables and a library that it made."""
    before.primum("db", "upgrade")
    pages = tmp_path / "pages"
    pages.mkdir()
    with ThreadPoolExecutor() as pool:
        ingested = pool.submit(before.primum, "ingest", str(write_pages(pages)))
        with before.api() as api:
            ingested.result()
            yield api


def ask(api: httpx.Client, thread: str, question: str = ASKED) -> str:
    """How a turn ended, whose answer rests on a page."""
    with connect_sse(api, "POST", f"/threads/{thread}/turns", json={"question": question}) as source:
        source.response.raise_for_status()
        # While a turn is held, a comment comes every 15 seconds, which is told as an event without data.
        ends = {event.event: json.loads(event.data) for event in source.iter_sse() if event.data}
    done = ends["done"]
    assert DOSE in done["text"] and [one["title"] for one in done["citations"]] == ["Paracetamol"], ends
    return str(done["status"])


def turns(api: httpx.Client, thread: str) -> list[tuple[str, str]]:
    """A conversation's questions, and how they stand."""
    rows = api.get(f"/threads/{thread}").raise_for_status().json()
    return [(row["question"], row["status"]) for row in rows]


def facts(api: httpx.Client) -> set[str]:
    return {fact["value"] for fact in api.get("/patients/me/facts").raise_for_status().json()["facts"]}


def told(model: FakeVLLM) -> str:
    """What a model was last asked to write with."""
    return json.dumps(model.written[-1]["messages"])


def test_the_code_that_is_kept_is_of_the_version_before(before: Former) -> None:
    code = "from primum.memory import schema as s; print(s.__file__, *s.revisions())"
    file, *revisions = before.python(code).split()
    assert Path(file).resolve().is_relative_to(before.folder)
    assert revisions == REVISIONS[:-1], "There is a new migration: commit it, then run `python -m tests.memory.former`."


def test_old_and_new_processes_answer_at_once_while_the_tables_are_brought_up_to_date(
    old: httpx.Client, shared: dict[str, Any], model: FakeVLLM, vllm: FakeVLLM
) -> None:
    for server in (model, vllm):
        server.default, server.forms["Proposals"] = GOOD, '{"facts": []}'
    url, go_on = shared["database_url"], Event()

    def held(body: Body) -> str:
        go_on.wait(120)
        return GOOD(body)

    assert schema.revision(url) == REVISIONS[-2]
    with ThreadPoolExecutor() as pool, ExitStack() as at_end:
        at_end.callback(go_on.set)
        assert ask(old, "t", ALLERGIC) == "answered"

        # A turn of the old process is under way while the tables change and until a new process is there.
        model.says(held)
        drafts = len(model.written)
        spanning = pool.submit(ask, old, "spanning")
        while len(model.written) == drafts:
            assert not spanning.done(), spanning.result()
            time.sleep(0.01)
        schema.upgrade(url)
        assert schema.revision(url) == REVISIONS[-1]
        with serving(create_app(read_settings(**shared))) as new:
            assert turns(new, "spanning") == [(ASKED, "running")]
            assert ask(new, "t") == "answered"
            go_on.set()
            assert spanning.result() == "answered"
            assert turns(new, "spanning") == [(ASKED, "done")]

            # Each is ready, and goes on with what the other was asked and told.
            for api in (old, new):
                assert api.get("/health/ready").status_code == 200
            assert ask(old, "t") == "answered"
            assert ask(new, "t") == "answered"
            assert turns(old, "t") == turns(new, "t") == [(ALLERGIC, "done")] + [(ASKED, "done")] * 3
            assert "penicillin" in told(model) and "penicillin" in told(vllm)
            body = {"set": [{"kind": "allergy", "value": "latex"}]}
            new.patch("/patients/me/facts", json=body).raise_for_status()
            assert facts(old) == facts(new) == {"penicillin-class", "latex"}
            at_once = [pool.submit(ask, api, f"thread-{number}") for number, api in enumerate((old, new) * 3)]
            assert [one.result() for one in at_once] == ["answered"] * 6

            # What comes after a reply is done by either.
            until = time.monotonic() + PATIENCE
            with psycopg.connect(url, autocommit=True) as connection:
                while jobs := connection.execute(JOBS).fetchall():
                    assert time.monotonic() < until, jobs
                    time.sleep(0.1)

            # What both wrote goes with the patient, whoever is asked to erase them.
            assert old.delete("/patients/me").raise_for_status().json()["counts"]["threads"] == 8
            assert new.get("/threads").json() == [] and facts(new) == set()
