"""The HTTP API on a real socket, and how a test speaks to it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import uvicorn
from httpx_sse import connect_sse

from primum.graph.settings import Settings
from primum.server.api import create_app
from tests.fakes import FakeEmbedder

ASKED = "How much paracetamol can adults take?"


@contextmanager
def served(settings: Settings, embedder: FakeEmbedder | None = None) -> Iterator[httpx.Client]:
    """The API on a free port, in a thread of its own; a request waits until it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = create_app(settings, embedder or FakeEmbedder())
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
                client.get("/openapi.json").raise_for_status()
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
