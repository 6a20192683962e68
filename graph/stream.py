"""A turn as events. Nothing that the model wrote is in one before it was audited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from primum.graph.errors import PrimumError
from primum.retrieval.search import Passage

INTERNAL = "Primum broke on this question. It was logged; asking again may help."
EventName = Literal["step", "evidence", "answer", "citations", "done", "error"]


@dataclass(frozen=True)
class Event:
    """`step` {name, state}; `evidence` {passages}; `answer` {text, status}; `citations` {citations};
    `done` an Answer; `error` {error, message}."""

    name: EventName
    data: Mapping[str, Any]


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
        Event("answer", {"text": answer["text"], "status": answer["status"]}),
        Event("citations", {"citations": answer["citations"]}),
        Event("done", answer),
    ]


def of_error(error: BaseException) -> Event:
    """What went wrong, in words for a reader; what an error that is not Primum's says is kept from them."""
    if isinstance(error, PrimumError):
        return Event("error", {"error": type(error).__name__, "message": str(error)})
    return Event("error", {"error": "InternalError", "message": INTERNAL})
