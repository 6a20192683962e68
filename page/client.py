"""Primum's HTTP API, as the page uses it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, SSEError

Audience = Literal["patient", "clinician"]
Form = Literal["answer", "case"]
Json = dict[str, Any]

ME = "me"  # the patient whom who asks speaks for
# The API sends a sign of life every 15 seconds while a turn runs.
SILENCE = httpx.Timeout(10, read=60)
UPLOAD = httpx.Timeout(10, read=600, write=600)  # a long document takes minutes to read in
WAITS = (0.0, 1.0, 2.0, 4.0, 8.0)  # seconds before a turn whose connection broke is looked for again
LAST = ("done", "error")  # events after which none comes
SILENT = "Primum's server does not answer at {url}."
UNTOLD = "Primum's server could not answer."


class Refused(Exception):
    """The API said no, or nothing: `status` is the HTTP status, none if it did not answer.

    `message` is what to say; the words of `given` stand in it as {name}.
    """

    def __init__(self, message: str, status: int | None = None, **given: str) -> None:
        super().__init__(message.format(**given) if given else message)
        self.message = message
        self.status = status
        self.given = given


@dataclass(frozen=True)
class Client:
    """One API, and whose key and which patient it is asked with. Safe to share between threads."""

    http: httpx.Client
    key: str = field(default="", repr=False)
    patient: str = field(default=ME, repr=False)

    @classmethod
    def of(cls, url: str) -> "Client":
        # The API is a neighbour: a proxy meant for the internet can't reach it.
        return cls(httpx.Client(base_url=url.rstrip("/"), timeout=10, trust_env=False))

    def signed(self, key: str) -> "Client":
        """The same API, asked with this key."""
        return replace(self, key=key)

    def about(self, patient: str) -> "Client":
        """The same API, asked about this patient."""
        return replace(self, patient=patient)

    def me(self) -> Json:
        """Who asks, and what they may do. Raises Refused, with status 401 if a key is needed or does not hold."""
        found: Json = self._call("GET", "/me").json()
        return found

    def patients(self, like: str, limit: int) -> list[str]:
        """Patients with this in their name, the newest first."""
        found: list[str] = self._call("GET", "/patients", params={"like": like, "limit": limit}).json()
        return found

    def threads(self) -> list[Json]:
        """The conversations, the latest first."""
        found: list[Json] = self._call("GET", "/threads", params=self._of).json()
        return found

    def turns(self, thread: str) -> list[Json]:
        """A conversation's turns, the first first. Raises Refused, with status 404 if there is no such."""
        found: list[Json] = self._call("GET", f"/threads/{_part(thread)}", params=self._of).json()
        return found

    def delete(self, thread: str) -> None:
        self._call("DELETE", f"/threads/{_part(thread)}", params=self._of)

    def rate(self, run: str, rating: Literal[-1, 1], reasons: Sequence[str] = (), comment: str = "") -> None:
        """Keeps what a reader thinks of an answer, instead of what they thought before."""
        body = {"rating": rating, "reasons": list(reasons), "comment": comment}
        self._call("PUT", f"/answers/{_part(run)}/feedback", params=self._of, body=body)

    def documents(self, like: str, limit: int) -> list[Json]:
        """The library's newest documents, with this in their title or identity."""
        found: list[Json] = self._call("GET", "/documents", params={"like": like, "limit": limit}).json()
        return found

    def document(self, number: int) -> Json:
        """A document with its pieces. Raises Refused, with status 404 if there is no such."""
        found: Json = self._call("GET", f"/documents/{number}").json()
        return found

    def put_in(self, name: str, content: bytes, *, everyones: bool) -> Json:
        """Puts a file into the library; how many documents it added, replaced and left."""
        found: Json = self._call(
            "POST", "/documents", files={"file": (name, content)}, form={"everyones": str(everyones)}
        ).json()
        return found

    def take_out(self, number: int) -> None:
        """Takes a document out of the library."""
        self._call("DELETE", f"/documents/{number}")

    def words(self, name: str, content: bytes) -> str:
        """What a recording says, or a picture shows. Raises Refused."""
        return str(self._call("POST", "/words", files={"file": (name, content)}).json()["text"])

    def reviews(self) -> list[Json]:
        """Answers that wait for a clinician, the longest waiting first."""
        found: list[Json] = self._call("GET", "/reviews").json()
        return found

    def decide(self, run: str, decision: str, text: str | None = None) -> None:
        """Lets an answer out as it is (`approved`), or as `edited` with this text, or not at all (`refused`)."""
        self._call("POST", f"/reviews/{_part(run)}", body={"decision": decision, "text": text})

    def statistics(self, days: int) -> Json:
        """How the last days went."""
        found: Json = self._call("GET", "/statistics", params={"days": days}).json()
        return found

    def facts(self, *, ended: bool = False) -> Json:
        """The patient's chart: `facts` that hold and what is `unclear` of them; or the facts, with what has ended."""
        found: Json = self._call("GET", f"{self._chart}/facts", params={"ended": ended}).json()
        return found

    def fact_count(self) -> int:
        """How many facts hold."""
        return int(self._call("GET", f"{self._chart}/facts/count").json()["count"])

    def fill_in(self, entry: Json) -> Json:
        """Takes in a fact that was filled in by hand; the chart as it is then."""
        found: Json = self._call("PATCH", f"{self._chart}/facts", body={"set": [entry]}).json()
        return found

    def end(self, fact: int, on: date) -> Json:
        """Says that a fact holds no longer since a day; the chart as it is then."""
        body = {"end": [{"id": fact, "on": on.isoformat()}]}
        found: Json = self._call("PATCH", f"{self._chart}/facts", body=body).json()
        return found

    def settle(self, number: int, right: str) -> Json:
        """Says which of two facts that can't both be true is: `known`, `new` or `neither`; the chart as it is then."""
        body = {"settle": [{"id": number, "right": right}]}
        found: Json = self._call("PATCH", f"{self._chart}/facts", body=body).json()
        return found

    def remove(self, fact: int) -> None:
        """Removes a fact for good."""
        self._call("DELETE", f"{self._chart}/facts", params={"id": fact})

    def fhir(self) -> bytes:
        """The chart as a FHIR R4 bundle."""
        return self._call("GET", f"{self._chart}/fhir").content

    def erase(self) -> Json:
        """Erases everything of the patient; the signed receipt."""
        receipt: Json = self._call("DELETE", self._chart).json()
        return receipt

    def health(self) -> Json:
        """Each part with its state, also when one is down."""
        found: Json = self._call("GET", "/health", fine=(200, 503)).json()
        return found

    def ask(
        self, thread: str, question: str, audience: Audience, form: Form | None = None
    ) -> Iterator[tuple[str, Json]]:
        """The events of a turn by name; where the connection breaks, it goes on where it was.

        Raises:
            Refused: the question is not taken, or the rest of the turn is lost.
        """
        body: Json = {"question": question, "audience": audience, "patient": self.patient, "form": form}
        body["reasoning"] = audience == "clinician"  # the page folds it away
        last, waits = "", iter(WAITS)
        sent = self._events("POST", f"/threads/{_part(thread)}/turns", json=body)
        while True:
            try:
                for number, name, data in sent:
                    last = number
                    yield name, data
                    if name in LAST:
                        return
                broken = self._silent()
            except Refused as refused:
                broken = refused
            wait = next(waits, None)
            if not last or broken.status is not None or wait is None:
                raise broken
            time.sleep(wait)
            sent = self._events("GET", "/events", params=self._of, headers={"Last-Event-ID": last})

    def _events(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **given: Any
    ) -> Iterator[tuple[str, str, Json]]:
        """A stream's events as id, name and data."""
        asking = self._headers | {"Accept": "text/event-stream"} | dict(headers or {})
        try:
            with self.http.stream(method, path, headers=asking, timeout=SILENCE, **given) as response:
                if response.status_code != 200:
                    response.read()
                    raise _refusal(response)
                for event in EventSource(response).iter_sse():
                    yield event.id, event.event, json.loads(event.data)
        except (httpx.HTTPError, SSEError, ValueError) as error:
            raise self._silent() from error

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool] | None = None,
        body: Json | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        form: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (200, 204),
    ) -> httpx.Response:
        try:
            response = self.http.request(
                method, path, params=params, json=body, files=files, data=form, headers=self._headers,
                timeout=UPLOAD if files else httpx.USE_CLIENT_DEFAULT,
            )  # fmt: skip
        except httpx.HTTPError as error:
            raise self._silent() from error
        if response.status_code not in fine:
            raise _refusal(response)
        return response

    @property
    def _of(self) -> dict[str, str]:
        return {"patient": self.patient}

    @property
    def _chart(self) -> str:
        return f"/patients/{_part(self.patient)}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _silent(self) -> Refused:
        return Refused(SILENT, url=str(self.http.base_url).rstrip("/"))


def _part(name: str) -> str:
    """A name as a part of a path; dots would be taken for steps up."""
    return quote(name, safe="").replace(".", "%2E")


def _refusal(response: httpx.Response) -> Refused:
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = UNTOLD
    return Refused(message, response.status_code)
