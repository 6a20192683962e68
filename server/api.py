"""The HTTP API. What leaves it is audited text; what it logs are ids and counts."""

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
from fastapi import Body, FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from primum import __version__
from primum.graph.agent import Agent, tell_end
from primum.graph.answer import Answer
from primum.graph.errors import MemoryUnavailable, PrimumError
from primum.graph.request import MAX_NAME, MAX_QUESTION
from primum.graph.settings import Settings, read_settings
from primum.graph.state import Form
from primum.graph.stream import INTERNAL, LAST, Event, Following, of_answer
from primum.memory.identity import Identity
from primum.memory.keys import Keys, WatchingKeys
from primum.memory.limiter import Limiter
from primum.nodes.sign_off import UNSAID
from primum.retrieval.embedder import Embedder
from primum.safety.findings import SafetyReport
from primum.safety.profile import Profile
from primum.server.access import ME, OPEN, Access, Authentication, Door, access_of, agent_of
from primum.server.agent import opened
from primum.server.docs import add_docs
from primum.server.documents import MAX_DOCUMENT, add_document_routes
from primum.server.headers import SAFE, SafeHeaders
from primum.server.health import Readiness, add_health_routes
from primum.server.mcp import add_mcp, serving_mcp
from primum.server.openai import Chunk, add_openai_routes
from primum.server.openapi import EVENTS, Described, turn_events
from primum.server.operations import Metrics, add_operation_routes
from primum.server.origin import Hosts
from primum.server.passing import nobody, passing
from primum.server.patients import add_patient_routes
from primum.server.problems import ERRORS, OPENAI, OpenAIProblem, Responses, faults, problem, told
from primum.server.reviews import add_review_routes, answered_at_once
from primum.server.senses import MAX_RECORDING, add_sense_routes
from primum.server.worker import open_writer, working

FOR_CLINICIANS = "A clinician worked up your case here. Ask them what it means for you."
MAX_BODY = 256 * 1024  # bytes; a question has at most 8,000 characters
BODY_TIME = 30.0  # seconds until a body is there
LARGER = {"/documents": (MAX_DOCUMENT, 300.0), "/words": (MAX_RECORDING, 120.0)}
PING = 15  # seconds between signs of life of a stream
RECOVER_EVERY = 15.0  # seconds between looks for turns whose process died

log = structlog.get_logger(__name__)

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=r"^[!-~]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TurnRequest(_Body):
    """One question of a conversation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "How much paracetamol can adults take?", "patient": "anna", "profile": {"age": 34}}
            ]
        }
    )

    question: str = Field(max_length=MAX_QUESTION, examples=["What are the symptoms of type 2 diabetes?"])
    patient: Name = ME
    audience: Literal["patient", "clinician"] | None = Field(None, description="Unset: as who asks.")
    max_words: int | None = Field(None, ge=20, le=2000)
    profile: Profile = Field(Profile(), description="What is known of the person: allergies, medicines, age …")
    form: Form | None = Field(
        None,
        description="`case`: a clinician's case, worked up into `case`. Unset: what surely is one is so taken.",
    )
    reasoning: bool = Field(False, description="Whether a clinician gets the model's reasoning, which is not audited.")


class FeedbackRequest(_Body):
    """Whether an answer helped, and why or why not."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rating": -1, "reasons": ["too long"], "comment": "One sentence was enough."}]}
    )

    rating: Literal[-1, 1]
    reasons: list[Annotated[str, Field(max_length=40)]] = Field(default_factory=list, max_length=10)
    comment: str = Field("", max_length=2000)


class GenerateRequest(_Body):
    """One question without a conversation."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "Can I take ibuprofen while pregnant?", "max_length": 120}]}
    )

    question: str = Field(max_length=MAX_QUESTION, examples=["Can I take ibuprofen while pregnant?"])
    temperature: float = Field(0.0, ge=0, le=2)
    max_length: int = Field(200, ge=20, le=2000, description="Words; no sentence is cut.")
    profile: Profile = Field(Profile(), description="What is known of the person: allergies, medicines, age …")
    use_safety: bool = Field(
        True, description="Whether to add the safety report. The audit itself can't be switched off."
    )
    form: Form | None = Field(
        None,
        description="`case`: a clinician's case, worked up into `case`. Unset: what surely is one is so taken.",
    )
    reasoning: bool = Field(False, description="Whether a clinician gets the model's reasoning, which is not audited.")


class GenerateResponse(BaseModel):
    response: str
    safety_report: SafetyReport | None
    inference_time_ms: float
    answer: Answer


STREAMED: tuple[type[BaseModel], ...] = (*EVENTS.values(), Chunk, OpenAIProblem)


def create_app(settings: Settings | None = None, embedder: Embedder | None = None) -> FastAPI:
    """The application; `uvicorn --factory primum.server.api:create_app` serves it.

    Args:
        embedder: one that is loaded already; else the settings'.
    """
    given = settings or read_settings()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(given, embedder) as resources, open_writer(resources.settings) as writer:
            app.state.metrics = Metrics()
            app.state.agent = Agent(resources, app.state.metrics)
            app.state.readiness = Readiness(resources)
            app.state.writer = writer
            database, secret = resources.database, resources.secret
            limiter = Limiter(database, secret)
            app.state.door = Door(resources.settings, Keys(database, secret), secret, limiter)
            app.state.watching_door = Door(resources.settings, WatchingKeys(database, secret), secret, limiter)
            # What was loaded stays, and looking through it for garbage would stop every turn for half a second.
            gc.collect()
            gc.freeze()
            recovering = asyncio.create_task(_recover(app.state.agent))
            recovering.add_done_callback(tell_end)
            works = working(app.state.agent, writer) if given.work else contextlib.nullcontext()
            async with works, limiter.sharing(), serving_mcp(app, app.state.agent):
                try:
                    yield
                finally:
                    recovering.cancel()
                    await app.state.agent.close()

    app = Described(
        streamed=STREAMED,
        unguarded=OPEN,
        title="Primum",
        version=__version__,
        description="A self-hosted medical agent that checks itself before it answers.",
        lifespan=lifespan,
        docs_url=None,  # whose page loads scripts of another origin
        redoc_url=None,
    )
    # The last is the first that a request meets.
    app.add_middleware(BodyLimit)
    app.add_middleware(Authentication)
    app.add_middleware(Hosts, allowed=given.allowed_hosts)
    add_mcp(app, given)
    app.add_middleware(SafeHeaders)
    _add_errors(app)
    _add_thread_routes(app)
    _add_routes(app)
    add_health_routes(app)
    add_patient_routes(app, ERRORS)
    add_openai_routes(app)
    add_document_routes(app, ERRORS)
    add_sense_routes(app, ERRORS)
    add_operation_routes(app, ERRORS)
    add_review_routes(app, ERRORS)
    add_docs(app)
    return app


async def _recover(agent: Agent) -> None:
    while True:
        with contextlib.suppress(PrimumError):  # the database is away; the next look may find it
            await agent.recover()
        await asyncio.sleep(RECOVER_EVERY)


def _asking(request: Request, patient: str) -> tuple[Access, Identity]:
    """Who asks, and the patient of whom. Raises NotAllowed, UnknownPatient."""
    access = access_of(request)
    access.need("ask")
    return access, access.identity(patient)


async def _sent(access: Access, events: Following) -> EventSourceResponse:
    """A turn's events as who asks may read them, with pings from the start.

    What is wrong with the request is an HTTP error before them.
    """
    await events.begin()

    async def sent() -> AsyncIterator[ServerSentEvent]:
        async for event in _for(access, events):
            yield ServerSentEvent(json.dumps(event.data, ensure_ascii=False), event=event.name, id=event.id)

    return EventSourceResponse(sent(), ping=PING)


def _readable(access: Access, answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as who asks may read it: a case and a model's reasoning are nothing for patients."""
    if access.role != "patient":
        return dict(answer)
    held = {"text": FOR_CLINICIANS, "citations": []} if answer.get("case") else {}
    return {**answer, **held, **UNSAID}


async def _for(access: Access, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The events as who asks may read them: what an answer is shows with its last, so patients get them together."""
    held: list[Event] = []
    async for event in events:
        if access.role != "patient" or event.name not in LAST:
            yield event
            continue
        held.append(event)
        if event.name == "done":
            readable = {one.name: one.data for one in of_answer(_readable(access, event.data))}
            for one in held:
                yield replace(one, data=readable[one.name])


def _add_thread_routes(app: FastAPI) -> None:
    streamed: Responses = {200: turn_events()}
    thread_path = Path(min_length=1, max_length=MAX_NAME, pattern=r"^[!-~]+$")

    @app.post("/threads/{thread}/turns", responses=ERRORS | streamed, response_class=EventSourceResponse)
    async def turn(
        request: Request,
        thread: Annotated[str, thread_path],
        body: TurnRequest,
        idempotency_key: Annotated[
            Name | None, Header(description="The same key for a question sent again: it gets the first answer.")
        ] = None,
    ) -> EventSourceResponse:
        """Asks a question; the turn's steps, evidence, answer, citations and end come as server-sent events.

        `audited` events, perhaps several, hold the sentences that have passed the audit while the rest is still
        written; each takes the place of the one before, and `answer` that of them all.
        """
        access, identity = _asking(request, body.patient)
        events = agent_of(request).stream(
            body.question,
            patient=identity.patient,
            tenant=identity.tenant,
            thread=thread,
            audience=access.audience(body.audience),
            actor=access.actor,
            max_words=body.max_words,
            profile=body.profile,
            form=body.form,
            reasoning=body.reasoning,
            idempotency_key=idempotency_key,
        )
        return await _sent(access, events)

    @app.get("/events", responses=ERRORS | streamed, response_class=EventSourceResponse)
    async def resume(
        request: Request,
        last_event_id: Annotated[str, Header(max_length=100, description="The id of the last event that came.")],
        patient: Annotated[Name, Query()] = ME,
    ) -> EventSourceResponse:
        """Goes on with the events of a turn after a connection was lost, from whatever process.

        Of an answer that waits for a clinician that is told, and the stream ends; asked again with its last event, this
        tells the answer once they have let it out.
        """
        access, identity = _asking(request, patient)
        events = agent_of(request).resume(last_event_id, patient=identity.patient, tenant=identity.tenant)
        return await _sent(access, events)

    @app.get("/threads", responses=ERRORS)
    async def threads(request: Request, patient: Annotated[Name, Query()] = "me") -> list[dict[str, str]]:
        """A patient's conversations, the latest first."""
        _, identity = _asking(request, patient)
        rows = await agent_of(request).resources.threads.of_patient(identity)
        return [{"id": row.id, "title": row.title, "updated_at": row.updated_at.isoformat()} for row in rows]

    @app.get("/threads/{thread}", responses=ERRORS)
    async def thread_turns(
        request: Request, thread: Annotated[str, thread_path], patient: Annotated[Name, Query()] = ME
    ) -> list[dict[str, Any]]:
        """A conversation's turns, the first first; `answer` is null while a turn is running."""
        access, identity = _asking(request, patient)
        rows = await agent_of(request).resources.threads.turns(identity, thread)
        return [
            {
                "run_id": str(row.run_id),
                "question": row.question,
                "status": row.status,
                "answer": row.answer and _readable(access, row.answer),
                "created_at": row.created_at.isoformat(),
            }
            for row in rows
        ]

    @app.put("/answers/{run_id}/feedback", status_code=204, responses=ERRORS)
    async def feedback(
        request: Request, run_id: UUID, body: FeedbackRequest, patient: Annotated[Name, Query()] = ME
    ) -> Response:
        """Keeps what a reader thinks of an answer; a second thought takes the place of the first."""
        access, identity = _asking(request, patient)
        opinions = agent_of(request).resources.opinions
        await opinions.keep(identity, run_id, body.rating, body.reasons, body.comment, access.actor)
        return Response(status_code=204)

    @app.delete("/threads/{thread}", status_code=204, responses=ERRORS)
    async def delete_thread(
        request: Request, thread: Annotated[str, thread_path], patient: Annotated[Name, Query()] = ME
    ) -> Response:
        """Removes a conversation, its turns and its checkpoints."""
        access, identity = _asking(request, patient)
        await agent_of(request).forget(thread, identity.patient, identity.tenant, access.actor)
        return Response(status_code=204)


def _add_routes(app: FastAPI) -> None:
    @app.post("/generate", responses=ERRORS)
    async def generate(request: Request, body: Annotated[GenerateRequest, Body()]) -> GenerateResponse:
        """One question, one audited answer."""
        started = time.perf_counter()
        access = access_of(request)
        access.need("ask")
        agent, somebody = agent_of(request), nobody(access.tenant)
        answered_at_once(agent.resources.settings, access.audience(None), "POST /threads/{thread}/turns")
        # Nothing of it is kept but the event that says what the answer was made of.
        async with passing(agent, somebody, of_nobody=True) as thread:
            answer = await agent.ask(
                body.question,
                patient=somebody.patient,
                tenant=somebody.tenant,
                thread=thread,
                audience=access.audience(None),
                actor=access.actor,
                max_words=body.max_length,
                temperature=body.temperature,
                profile=body.profile,
                form=body.form,
                reasoning=body.reasoning,
            )
        return GenerateResponse(
            response=answer.text,
            safety_report=answer.safety if body.use_safety else None,
            inference_time_ms=round((time.perf_counter() - started) * 1000, 1),
            answer=answer,
        )


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(PrimumError)
    async def primum_error(request: Request, error: PrimumError) -> JSONResponse:
        if isinstance(error, MemoryUnavailable):
            request.app.state.metrics.failed(type(error).__name__)
        return problem(request.url.path, error)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        name = {404: "NotFound", 405: "NotAllowed"}.get(error.status_code, "BadInput")
        return told(request.url.path, error.status_code, name, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def internal_error(request: Request, _: Exception) -> JSONResponse:
        # Uvicorn ends the connection after an error that it did not expect; told so, no client asks on it again. And no
        # middleware of ours sees this answer.
        return told(request.url.path, 500, "InternalError", INTERNAL, {"connection": "close", **SAFE})

    @app.exception_handler(RequestValidationError)
    async def bad_form(request: Request, error: RequestValidationError) -> JSONResponse:
        told_so, param = faults(error.errors(), error.body)
        openai = request.url.path.startswith(OPENAI)  # whose clients know 400 for it
        return told(request.url.path, 400 if openai else 422, "BadInput", told_so, param=param)


class BodyLimit:
    """Refuses a body over the limit, whether its length is announced or not, and one that takes too long to come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, seconds = LARGER.get(scope["path"], (MAX_BODY, BODY_TIME))
        try:
            async with asyncio.timeout(seconds):
                read = await _body(receive, limit)
        except TimeoutError:
            text, close = f"The body took longer than {seconds:g} seconds.", {"connection": "close"}
            await told(scope["path"], 408, "BadInput", text, close)(scope, receive, send)
            return
        if read is None:
            await told(scope["path"], 413, "BadInput", f"The body is larger than {limit:,} bytes.")(
                scope, receive, send
            )
            return
        body: Message | None = {"type": "http.request", "body": read, "more_body": False}

        async def replay() -> Message:
            nonlocal body
            if body is not None:
                message, body = body, None
                return message
            return await receive()

        await self.app(scope, replay, send)


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The whole body, up to where the client goes away; none over the limit."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > limit:
            return None
    return b"".join(chunks)
