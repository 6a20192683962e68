"""The HTTP API on a real socket, and how a test speaks to it."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from httpx_sse import connect_sse

from primum.graph.settings import Settings
from primum.memory.keys import Keys
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.server.api import create_app
from tests.fakes import FakeEmbedder

ASKED = "How much paracetamol can adults take?"


@contextmanager
def served(settings: Settings, embedder: FakeEmbedder | None = None) -> Iterator[httpx.Client]:
    """The API on a free port, in a thread of its own; a request waits until it is ready."""
    with serving(create_app(settings, embedder or FakeEmbedder())) as client:
        yield client


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """The same of any app with our health routes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
                client.get("/health/live").raise_for_status()
                yield client
        finally:
            server.should_exit = True
            thread.join()


def events(api: httpx.Client, thread: str = "t", **body: Any) -> list[tuple[str, Any]]:
    with connect_sse(api, "POST", f"/threads/{thread}/turns", json={"question": ASKED, **body}) as source:
        source.response.raise_for_status()
        return [(event.event, json.loads(event.data)) for event in source.iter_sse()]


def refused(response: httpx.Response, code: int, error: str) -> str:
    """The message of an error that has the right form."""
    assert response.status_code == code, response.text
    assert set(response.json()) == {"error", "message"} and response.json()["error"] == error
    return str(response.json()["message"])


async def made(settings: Settings, *args: Any, **fields: Any) -> str:
    """The token of a new key."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool=1, owner=True)
    try:
        return (await Keys(database, find_secret((), settings.home)).create(*args, **fields))[0]
    finally:
        await database.close()


def key(settings: Settings, role: str, patient: str | None = None, **fields: Any) -> dict[str, str]:
    """The header with a new key."""
    token = asyncio.run(made(settings, fields.pop("tenant", "main"), "a test's", role, patient=patient, **fields))
    return {"authorization": f"Bearer {token}"}
