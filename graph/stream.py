"""A turn as events. Nothing that the model wrote is in one before it was audited."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from primum.graph.errors import PrimumError
from primum.retrieval.search import Passage

INTERNAL = "Primum broke on this question. It was logged; asking again may help."
LAST = ("answer", "citations", "done")  # events that any process can tell, by their ids
EventName = Literal["step", "evidence", "audited", "answer", "citations", "done", "error"]


@dataclass(frozen=True)
class Event:
    """`step` {name, state}; `evidence` {passages}; `audited` {text, citations}; `answer` {text, status};
    `citations` {citations}; `done` an Answer; `error` {error, message}.

    `audited`, perhaps several times, is what of a draft has passed the audit while the rest is still written; each
    takes the place of the one before, and the answer that of them all.
    """

    name: EventName
    data: Mapping[str, Any]
    id: str = ""  # after which a reader that lost the stream goes on


class Feed:
    """The events of one turn, for as many readers as want them, each from where it is."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._closed = False
        self._news = asyncio.Event()

    def put(self, event: Event) -> None:
        """One more; the last ones, which any process can tell, have names of their own for numbers."""
        self._events.append(event if event.id else replace(event, id=str(len(self._events) + 1)))
        self._tell()

    def close(self) -> None:
        self._closed = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, last: str = "") -> AsyncIterator[Event]:
        """The events after that of an id, or all; until the turn has ended."""
        place = next((number for number, event in enumerate(self._events, 1) if event.id == last), 0)
        had = LAST[: LAST.index(last) + 1] if last in LAST else ()
        while True:
            news = self._news
            for event in self._events[place:]:
                if event.id not in had:
                    yield event
                place += 1
            if self._closed and place == len(self._events):
                return
            if place == len(self._events):
                await news.wait()


def of_task(task: Mapping[str, Any]) -> Event | None:
    """The event for one part of LangGraph's `tasks` stream; none for its inner workings."""
    name = str(task["name"])
    if name.startswith("__"):
        return None
    return Event("step", {"name": name, "state": "finished" if "result" in task else "started"})


def of_passages(passages: Iterable[Passage]) -> Event:
    """What was found, before anything is written from it."""
    return Event(
        "evidence", {"passages": [{"title": p.title, "heading": p.heading, "url": p.address} for p in passages]}
    )


def of_answer(answer: Mapping[str, Any]) -> list[Event]:
    """The audited answer, in the order in which a page shows it."""
    return [
        Event("answer", {"text": answer["text"], "status": answer["status"]}, LAST[0]),
        Event("citations", {"citations": answer["citations"]}, LAST[1]),
        Event("done", answer, LAST[2]),
    ]


def of_error(error: BaseException) -> Event:
    """What went wrong, in words for a reader; what an error that is not Primum's says is kept from them."""
    if isinstance(error, PrimumError):
        return Event("error", {"error": type(error).__name__, "message": str(error)})
    return Event("error", {"error": "InternalError", "message": INTERNAL})
