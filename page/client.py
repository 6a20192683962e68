"""Primum's HTTP API, as the page uses it."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, connect_sse

Audience = Literal["patient", "clinician"]
Json = dict[str, Any]

# Whose chart it is: without accounts, a page has one patient. The API takes the same where none is named.
CHART = "/patients/me"
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

    def facts(self, *, ended: bool = False) -> Json:
        """The patient's chart: `facts` that hold and what is `unclear` of them; or the facts, with what has ended."""
        found: Json = self._call("GET", f"{CHART}/facts", params={"ended": ended}).json()
        return found

    def fact_count(self) -> int:
        """How many facts hold."""
        return int(self._call("GET", f"{CHART}/facts/count").json()["count"])

    def fill_in(self, entry: Json) -> Json:
        """Takes in a fact that was filled in by hand; the chart as it is then."""
        found: Json = self._call("PATCH", f"{CHART}/facts", body={"set": [entry]}).json()
        return found

    def end(self, fact: int, on: date) -> Json:
        """Says that a fact holds no longer since a day; the chart as it is then."""
        body = {"end": [{"id": fact, "on": on.isoformat()}]}
        found: Json = self._call("PATCH", f"{CHART}/facts", body=body).json()
        return found

    def settle(self, number: int, right: str) -> Json:
        """Says which of two facts that can't both be true is: `known`, `new` or `neither`; the chart as it is then."""
        body = {"settle": [{"id": number, "right": right}]}
        found: Json = self._call("PATCH", f"{CHART}/facts", body=body).json()
        return found

    def remove(self, fact: int) -> None:
        """Removes a fact for good."""
        self._call("DELETE", f"{CHART}/facts", params={"id": fact})

    def fhir(self) -> bytes:
        """The chart as a FHIR R4 bundle."""
        return self._call("GET", f"{CHART}/fhir").content

    def erase(self) -> Json:
        """Erases everything of the patient; the signed receipt."""
        receipt: Json = self._call("DELETE", CHART).json()
        return receipt

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

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, int | bool] | None = None,
        body: Json | None = None,
        fine: tuple[int, ...] = (200, 204),
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, params=params, json=body)
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
