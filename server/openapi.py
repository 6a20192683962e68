"""The API's own description: what FastAPI can't see of keys, streams and OpenAI's form is told here."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from primum.graph.answer import Answer, Citation, Status
from primum.server.problems import OPENAI, OpenAIProblem, Problem

_REF = "#/components/schemas/"
_KEY = "An API key (`primum keys create`) or a token of the OpenID issuer. Without PRIMUM_AUTH=required none is needed."


class StepEvent(BaseModel):
    name: str
    state: Literal["started", "finished"]


class Found(BaseModel):
    title: str
    heading: str
    url: str


class EvidenceEvent(BaseModel):
    passages: list[Found]


class AuditedEvent(BaseModel):
    text: str
    citations: list[Citation]


class AnswerEvent(BaseModel):
    text: str
    status: Status


class CitationsEvent(BaseModel):
    citations: list[Citation]


EVENTS: dict[str, type[BaseModel]] = {
    "step": StepEvent,
    "evidence": EvidenceEvent,
    "audited": AuditedEvent,
    "answer": AnswerEvent,
    "citations": CitationsEvent,
    "done": Answer,
    "error": Problem,
}
TURN = """\
event: step
id: 0190d6a2-6c3e-4f0e-9b1a-0d5c7f1f2a11/1
data: {"name": "recall", "state": "started"}

event: answer
id: 0190d6a2-6c3e-4f0e-9b1a-0d5c7f1f2a11/answer
data: {"text": "Adults can take 500 mg to 1 g [1].", "status": "answered"}
"""
CHUNKS = """\
data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "primum", "choices": [{"index": 0,\
 "delta": {"content": "Adults can take "}, "logprobs": null, "finish_reason": null}]}

data: [DONE]
"""


def turn_events() -> dict[str, Any]:
    """The stream of a turn: each event by its name, with its data."""
    events = [
        {
            "type": "object",
            "required": ["event", "id", "data"],
            "properties": {"event": {"const": name}, "id": {"type": "string"}, "data": _json(model)},
        }
        for name, model in EVENTS.items()
    ]
    return {"description": "The turn's events", **_stream({"oneOf": events}, TURN)}


def chunks(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAI's stream of these, an error in their place, `[DONE]` at its end."""
    data = {"anyOf": [{"const": "[DONE]"}, _json(model), _json(OpenAIProblem)]}
    return _stream({"type": "object", "required": ["data"], "properties": {"data": data}}, CHUNKS)


def form_example(**fields: str) -> dict[str, Any]:
    """What a form may be sent as, to be added to an operation."""
    return {"requestBody": {"content": {"multipart/form-data": {"examples": {"a file": {"value": fields}}}}}}


def _stream(item: Mapping[str, Any], example: str) -> dict[str, Any]:
    return {"content": {"text/event-stream": {"itemSchema": item, "example": example}}}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": _REF + model.__name__}
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}


class Described(FastAPI):
    """An application whose description is whole.

    `streamed` are models that only streams hold, `unguarded` the paths that ask for no key.
    """

    def __init__(self, *, streamed: Iterable[type[BaseModel]], unguarded: Collection[str], **given: Any) -> None:
        super().__init__(**given)
        self._streamed = [*streamed]
        self._unguarded = frozenset(unguarded)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            parts = document["components"]
            _, told = models_json_schema(
                [(model, "serialization") for model in self._streamed], ref_template=_REF + "{model}"
            )
            parts["schemas"] = {**told["$defs"], **parts["schemas"]}
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": _KEY}}
            document["security"] = [{"key": []}, {}]
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    if path in self._unguarded:
                        operation["security"] = []
                    if path.startswith(OPENAI):  # where it is told as 400
                        operation["responses"].pop("422", None)
            for unused in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(unused, None)
        return self.openapi_schema or {}
