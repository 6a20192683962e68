"""OpenAI's chat completions, so that any of its clients can ask: the last message is answered, audited as ever.

What is beyond OpenAI's form stands in the field `primum` of a completion, or of a stream's last chunk.
"""

import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.context import Audience
from primum.graph.errors import BadInput, UnknownModel
from primum.graph.request import MAX_QUESTION
from primum.graph.settings import Settings
from primum.graph.state import Exchange, Form
from primum.memory.identity import Identity
from primum.safety.injection import suspicious
from primum.server.access import ME, Access, access_of, agent_of
from primum.server.openapi import chunks
from primum.server.passing import nobody, passing
from primum.server.problems import OPENAI_ERRORS, OpenAIError, OpenAIProblem, Responses
from primum.server.reviews import answered_at_once

MODEL, CLINICIAN = "primum", "primum-clinician"
WORDS = 0.75  # that a token makes, of English
SHORTEST, LONGEST = 20, 2_000  # words
EARLIER = 6  # exchanges that a question may point back to
_SIGNED = {"approved": "Checked by a clinician.", "edited": "Edited by a clinician."}
_PIECE = re.compile(r"(?:\S+\s*){1,8}")


class Part(BaseModel):
    """A part of a message. Only text is read."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="What tools said before is passed over, as system messages are: Primum's rules are its own."
    )
    content: str | list[Part] | None = None

    @property
    def said(self) -> str:
        """Its text. Raises BadInput if it holds something else."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        if other := next((part.type for part in self.content if part.type != "text"), None):
            raise BadInput(f"A message holds a part of the type {other}; only text is read.")
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore")

    include_usage: bool | None = None


class ResponseFormat(BaseModel):
    model_config = ConfigDict(extra="allow")

    type: Literal["text"]


class Metadata(BaseModel):
    """Where a conversation goes on, and of whom it is; without a thread nothing of it is kept."""

    model_config = ConfigDict(extra="ignore")

    thread: str | None = Field(None, description="A conversation that Primum keeps; its own turns are the history.")
    patient: str | None = Field(None, description="Whose chart counts; unset, that of a patient's key, else nobody's.")
    form: Form | None = Field(None, description=f"`case`: a clinician's case, worked up; ask {CLINICIAN}.")
    reasoning: bool = Field(False, description="The model's reasoning in `primum`, not audited; for clinicians.")


class ChatRequest(BaseModel):
    """What OpenAI's clients send. A field that could change an audited answer's form is refused, not passed on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": MODEL, "messages": [{"role": "user", "content": "What is gout?"}]}]},
    )

    model: str = Field(MODEL, description=f"{MODEL}, or {CLINICIAN} to be answered as a clinician.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=2_000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, description="As words of the answer; no sentence is cut.")
    max_completion_tokens: int | None = Field(None, ge=1, description="The same.")
    metadata: Metadata | None = None
    n: Literal[1] | None = None
    response_format: ResponseFormat | None = None
    modalities: list[Literal["text"]] | None = None
    logprobs: Literal[False] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    functions: Annotated[list[Any], Field(max_length=0)] | None = None
    # What clients send as null, and nothing else is taken.
    audio: None = None
    function_call: None = None
    logit_bias: None = None
    moderation: None = None
    prediction: None = None
    prompt_cache_options: None = None
    stop: None = None
    top_logprobs: None = None
    web_search_options: None = None
    tool_choice: Literal["none", "auto"] | None = None
    # Without a meaning here; an answer is what the audit leaves of it.
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    user: str | None = None
    store: bool | None = None
    service_tier: str | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None

    @property
    def max_words(self) -> int | None:
        tokens = self.max_completion_tokens or self.max_tokens
        return None if tokens is None else min(LONGEST, max(SHORTEST, int(tokens * WORDS)))


class Link(BaseModel):
    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(BaseModel):
    """Where a source is cited in the content."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: Link


class Said(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str = Field(description="The audited text with markers [1] …, and its sources below.")
    refusal: None = None
    annotations: list[Annotation]


class Choice(BaseModel):
    index: Literal[0] = 0
    message: Said
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class Usage(BaseModel):
    """The tokens of all calls to the model."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Extension(Answer):
    """What OpenAI's form has no place for: the answer without its text."""

    text: str = Field(exclude=True)
    thread: str | None = Field(description="The conversation that was named in the metadata.")


class Completion(BaseModel):
    """An answer in OpenAI's form."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    primum: Extension


class Delta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    index: Literal[0] = 0
    delta: Delta
    logprobs: None = None
    finish_reason: Literal["stop"] | None = None


class Chunk(BaseModel):
    """A piece of a streamed answer. Nothing is in one that was not audited."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = Field(None, description="In one more chunk at the end, where `include_usage` asks for it.")
    primum: Extension | None = Field(None, description="In the chunk with the `finish_reason`.")


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["primum"] = "primum"


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@dataclass(frozen=True)
class Asked:
    """What a request comes to."""

    question: str
    history: tuple[Exchange, ...]
    identity: Identity
    of_nobody: bool
    thread: str | None
    audience: Audience


def asked(body: ChatRequest, access: Access, settings: Settings) -> Asked:
    """The question, what it may point back to, and whose it is.

    Raises:
        UnknownModel: there is no such model.
        BadInput: the last message is not a user's, a message holds more than text, or an answer would wait for a
            clinician in no conversation.
        NotAllowed, UnknownPatient: as `Access` does.
    """
    if body.model not in (MODEL, CLINICIAN):
        raise _unknown(body.model)
    if body.messages[-1].role != "user":
        raise BadInput("The last message must be the user's: it is the one that is answered.")
    given = body.metadata or Metadata()
    audience = access.audience("clinician" if body.model == CLINICIAN else None)
    if given.thread is None:
        answered_at_once(settings, audience, "metadata.thread")
    known = given.patient or (ME if access.patient is not None or given.thread is not None else None)
    return Asked(
        body.messages[-1].said,
        () if given.thread is not None else earlier(body.messages[:-1]),
        nobody(access.tenant) if known is None else access.identity(known),
        known is None,
        given.thread,
        audience,
    )


def earlier(messages: Sequence[ChatMessage]) -> tuple[Exchange, ...]:
    """The last exchanges before the question, in the words of both: no system's, no tool's, no call of one."""
    found: list[Exchange] = []
    for message in messages:
        if message.role not in ("user", "assistant") or not message.content:
            continue
        said = message.said[:MAX_QUESTION]
        said = "" if suspicious(said) else said
        if message.role == "user":
            found.append(Exchange(question=said, answer=""))
        elif found:
            found[-1] = Exchange(question=found[-1]["question"], answer=said)
    return tuple(found[-EARLIER:])


def add_openai_routes(app: FastAPI) -> None:
    @app.get("/v1/models", responses=OPENAI_ERRORS)
    async def models(request: Request) -> Models:
        """The two names under which Primum answers; a patient's key has the first alone."""
        return Models(data=[Model(id=name) for name in _names(access_of(request))])

    @app.get("/v1/models/{model}", responses=OPENAI_ERRORS)
    async def model(request: Request, model: str) -> Model:
        """One of them."""
        if model not in _names(access_of(request)):
            raise _unknown(model)
        return Model(id=model)

    streamed: Responses = {
        200: {"description": "The answer; a stream of chunks where `stream` asks for it", **chunks(Chunk)}
    }

    @app.post("/v1/chat/completions", responses=OPENAI_ERRORS | streamed, response_model=Completion)
    async def chat_completions(request: Request, body: ChatRequest) -> Completion | EventSourceResponse:
        """Answers the last message, audited and cited, in OpenAI's form; `primum` holds citations, safety and trace."""
        access = access_of(request)
        access.need("ask")
        agent = agent_of(request)
        wanted = asked(body, access, agent.resources.settings)
        if not body.stream:
            async with _conversation(agent, wanted) as thread:
                answer = await agent.ask(wanted.question, **_how(body, wanted, access, thread))
            return completion(answer, body.model, wanted.thread)
        events = _events(agent, body, wanted, access)
        first = await anext(events)  # what is wrong with the request is an HTTP error

        async def sent() -> AsyncIterator[ServerSentEvent]:
            yield first
            async for event in events:
                yield event

        return EventSourceResponse(sent(), ping=15)


def _names(access: Access) -> tuple[str, ...]:
    return (MODEL,) if access.role == "patient" else (MODEL, CLINICIAN)


def _unknown(model: str) -> UnknownModel:
    return UnknownModel(f"There is no model {model[:80]!r}: ask {MODEL} or {CLINICIAN}.")


def _how(body: ChatRequest, wanted: Asked, access: Access, thread: str) -> dict[str, Any]:
    return {
        "patient": wanted.identity.patient,
        "tenant": wanted.identity.tenant,
        "thread": thread,
        "audience": wanted.audience,
        "max_words": body.max_words,
        "temperature": body.temperature,
        "history": wanted.history,
        "form": body.metadata.form if body.metadata else None,
        "reasoning": bool(body.metadata and body.metadata.reasoning),
        "actor": access.actor,
    }


def _conversation(agent: Agent, wanted: Asked) -> AbstractAsyncContextManager[str]:
    """The one that is meant, or one that goes again."""
    if wanted.thread is not None:
        return nullcontext(wanted.thread)
    return passing(agent, wanted.identity, of_nobody=wanted.of_nobody)


async def _events(agent: Agent, body: ChatRequest, wanted: Asked, access: Access) -> AsyncIterator[ServerSentEvent]:
    """The stream of a turn as OpenAI's chunks. Nothing is sent that was not audited."""
    head: dict[str, Any] = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": body.model}
    with_usage = bool(body.stream_options and body.stream_options.include_usage)

    def chunk(delta: dict[str, Any], finish: Literal["stop"] | None = None, **more: Any) -> ServerSentEvent:
        usage = {"usage": None} if with_usage else {}
        choice = ChunkChoice(index=0, delta=Delta(**delta), logprobs=None, finish_reason=finish)
        return _event(Chunk(**head, object="chat.completion.chunk", choices=[choice], **usage, **more))

    async with _conversation(agent, wanted) as thread:
        events = agent.stream(wanted.question, ahead=False, **_how(body, wanted, access, thread))
        await events.begin()
        yield chunk({"role": "assistant", "content": ""})
        async for event in events:
            if event.name == "error":
                error = OpenAIError(
                    message=event.data["message"], type="server_error", param=None, code=event.data["error"]
                )
                yield _event(OpenAIProblem(error=error))
            if event.name == "done":
                answer = Answer.model_validate(event.data)
                for piece in _PIECE.findall(content(answer)):
                    yield chunk({"content": piece})
                yield chunk({}, "stop", primum=beyond(answer, wanted.thread))
                if with_usage:
                    yield _event(Chunk(**head, object="chat.completion.chunk", choices=[], usage=usage_of(answer)))
    yield ServerSentEvent(data="[DONE]")


def _event(data: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(data=data.model_dump_json(exclude_unset=True))


def completion(answer: Answer, model: str, thread: str | None) -> Completion:
    """An answer in OpenAI's form."""
    text = content(answer)
    return Completion(
        id=f"chatcmpl-{answer.trace.run_id}",
        created=int(time.time()),
        model=model,
        choices=[Choice(message=Said(content=text, annotations=annotations(answer, text)))],
        usage=usage_of(answer),
        primum=beyond(answer, thread),
    )


def content(answer: Answer) -> str:
    """The text, who signed it, and its sources below: many clients show nothing else."""
    lines = [
        f"[{one.marker}] {' – '.join(filter(None, (one.title, one.heading)))}" + (f": {one.url}" if one.url else "")
        for one in answer.citations
    ]
    signed = _SIGNED.get(answer.signed.decision, "") if answer.signed else ""
    return "\n\n".join(filter(None, (answer.text, signed, "\n".join(lines))))


def annotations(answer: Answer, text: str) -> list[Annotation]:
    """Where each source is cited, as OpenAI's own web search tells it."""
    return [
        Annotation(url_citation=Link(start_index=found.start(), end_index=found.end(), title=one.title, url=one.url))
        for one in answer.citations
        if one.url
        for found in re.finditer(re.escape(f"[{one.marker}]"), text[: len(answer.text)])
    ]


def beyond(answer: Answer, thread: str | None) -> Extension:
    """What OpenAI's form has no place for."""
    return Extension(thread=thread, **answer.model_dump())


def usage_of(answer: Answer) -> Usage:
    """The tokens of all calls to the model."""
    tokens = answer.trace.tokens
    prompt, written = tokens.get("prompt", 0), tokens.get("completion", 0)
    return Usage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written)
