"""Primum's HTTP API, as the page uses it."""

import json
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, connect_sse

Audience = Literal["patient", "clinician"]
Json = dict[str, Any]

# The API sends a sign of life every 15 seconds while a turn runs.
SILENCE = httpx.Timeout(10, read=60)


class Refused(Exception):
    """The API said no, or nothing: `status` is the HTTP status, none if it did not answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Client:
    """One API at one address. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # The API is a neighbour: a proxy meant for the internet can't reach it.
        self._http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)

    def threads(self) -> list[Json]:
        """The conversations, the latest first."""
        found: list[Json] = self._call("GET", "/threads").json()
        return found

    def turns(self, thread: str) -> list[Json]:
        """A conversation's turns, the first first. Raises Refused, with status 404 if there is no such."""
        found: list[Json] = self._call("GET", _path(thread)).json()
        return found

    def delete(self, thread: str) -> None:
        self._call("DELETE", _path(thread))

    def health(self) -> Json:
        """Each part with its state, also when one is down."""
        found: Json = self._call("GET", "/health", fine=(200, 503)).json()
        return found

    def ask(self, thread: str, question: str, audience: Audience) -> Iterator[tuple[str, Json]]:
        """The events of a turn by name. Raises Refused before the first if the question is not taken."""
        body = {"question": question, "audience": audience}
        try:
            with connect_sse(self._http, "POST", f"{_path(thread)}/turns", json=body, timeout=SILENCE) as source:
                if source.response.status_code != 200:
                    source.response.read()
                    raise _refusal(source.response)
                for event in source.iter_sse():
                    yield event.event, json.loads(event.data)
        except (httpx.HTTPError, SSEError, ValueError) as error:
            raise self._silent() from error

    def _call(self, method: str, path: str, fine: tuple[int, ...] = (200, 204)) -> httpx.Response:
        try:
            response = self._http.request(method, path)
        except httpx.HTTPError as error:
            raise self._silent() from error
        if response.status_code not in fine:
            raise _refusal(response)
        return response

    def _silent(self) -> Refused:
        return Refused(f"Primum's server does not answer at {self.url}.")


def _path(thread: str) -> str:
    # Dots would be taken for steps up the path.
    return f"/threads/{quote(thread, safe='').replace('.', '%2E')}"


def _refusal(response: httpx.Response) -> Refused:
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = "Primum's server could not answer."
    return Refused(message, response.status_code)
