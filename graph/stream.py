"""A turn as events. Nothing that the model wrote is in one before it was audited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from primum.graph.errors import PrimumError
from primum.retrieval.search import Passage

INTERNAL = "Primum broke on this question. It was logged; asking again may help."
LAST = ("answer", "citations", "done")  # events that any process can tell, by their ids
WAITING = tuple(f"{name}-waiting" for name in LAST)  # the ids of those that tell of an answer before it is signed
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

    def has(self, event: str) -> bool:
        return any(one.id == event for one in self._events)

    async def after(self, last: str = "") -> AsyncIterator[Event]:
        """The events after that of an id, or all; until the turn has ended."""
        place = next((number for number, event in enumerate(self._events, 1) if event.id == last), 0)
        had = next((ids[: ids.index(last) + 1] for ids in (LAST, WAITING) if last in ids), ())
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


class Following(AsyncIterator[Event]):
    """A turn's events, once the turn is found. What is wrong is raised by `begin`, or else before the first."""

    def __init__(self, find: Callable[[], Awaitable[AsyncIterator[Event]]]) -> None:
        self._find = find
        self._events: AsyncIterator[Event] | None = None

    async def begin(self) -> AsyncIterator[Event]:
        """Finds the turn, once; its first event may be long in coming."""
        if self._events is None:
            self._events = await self._find()
        return self._events

    async def __anext__(self) -> Event:
        return await anext(await self.begin())


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
    first, second, third = WAITING if answer["status"] == "waiting" else LAST
    return [
        Event("answer", {"text": answer["text"], "status": answer["status"]}, first),
        Event("citations", {"citations": answer["citations"]}, second),
        Event("done", answer, third),
    ]


def of_error(error: BaseException) -> Event:
    """What went wrong, in words for a reader; what an error that is not Primum's says is kept from them."""
    if isinstance(error, PrimumError):
        return Event("error", {"error": type(error).__name__, "message": str(error)})
    return Event("error", {"error": "InternalError", "message": INTERNAL})
