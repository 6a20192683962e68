"""Calls to an OpenAI-compatible endpoint: always streamed, bounded in time, length and repetition.

Streaming is for us, not for the reader: it shows early that a server hangs, drips or repeats itself. No token of a
call leaves Primum before the audit; LangGraph's own token stream is switched off by the tag `nostream`.
"""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import from_json

from primum.graph.context import Form, Message, Reply, Run, ToolCall
from primum.graph.errors import InvalidModelOutput, ModelUnavailable
from primum.safety.sentences import strip_thinking, whole_sentences

SESSION = "X-Session-ID"
CONNECT_TIMEOUT = 5.0
CONNECTIONS = 1000  # of one process; what comes above waits, within its turn's time
IDLE_TIMEOUT = 30.0  # seconds without a token, after the first, after which a server counts as hanging
# A peer whose kernel has not answered for 10 s is gone, however busy its server may be.
_ALIVE = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
CALL_SHARE = 0.6  # of the time that is left, so that one slow call leaves room for what follows
PIECE = 150  # characters of a stream that are looked at together; fewer where a sentence has ended
SHORTEST = 40
PERIOD = 160  # characters of the longest passage whose repetition is looked for
_END = 12

_NEXT_SENTENCE = re.compile(r"[.!?]\S*\s+\S|[。！？]")


def open_client(url: str, key: str) -> httpx.AsyncClient:
    """For a model server's endpoint. aiohttp reads streams at a third of the work that httpx' own transport takes."""
    return _Client(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(600, connect=CONNECT_TIMEOUT),
        limits=httpx.Limits(max_connections=CONNECTIONS),
    )


class _Transport(AiohttpTransport):
    """Knows of a peer that is gone without a word, also where a first token is waited for."""

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
            socket_factory=_socket,
        )
        return aiohttp.ClientSession(connector=connector)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        if hasattr(socket, name):  # Linux has them all
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


class _Client(HttpxAiohttpClient):
    """Tells of what is no HTTP by an error of httpx' as well; aiohttp's own holds what was sent."""

    def _init_transport(self, **options: Any) -> httpx.AsyncBaseTransport:  # type: ignore[override]
        return _Transport(**options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        try:
            return await super().send(request, **options)
        except aiohttp.ClientError:
            raise httpx.RemoteProtocolError("no answer of HTTP", request=request) from None


class EndpointChat(ChatOpenAI):
    """ChatOpenAI with a reader of its own for the stream.

    The client's own makes several objects of each token, half a millisecond of work: thirty-two answers at once would
    take a core and a half. This one parses the lines and hands on a piece every sentence or so. It also keeps a
    server's reasoning text, which ChatOpenAI drops; vLLM calls it `reasoning`, others `reasoning_content`.
    """

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        body = self._get_request_payload(messages, stop=stop, **kwargs)
        body |= body.pop("extra_body", None) or {}
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = body.pop("extra_headers", None)
        client: httpx.AsyncClient = self.http_async_client  # type: ignore[assignment]
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT)
        sent = client.stream("POST", "chat/completions", json=body, headers=headers, timeout=timeout)
        async with sent as response:
            response.raise_for_status()
            piece, events = _Piece(), 0
            async for lines in _steady(response.aiter_bytes()):
                for line in lines:
                    if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                        events += 1
                        piece.add(json.loads(data))
                if piece.whole():
                    yield piece.chunk()
                    piece = _Piece()
            if not events:
                raise ValueError("no stream of completions")
            yield piece.chunk()


async def _steady(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The lines as they come, none of them long after the one before; the first may take as long as the call, for a
    server queues requests and reads prompts before it."""
    wait: float | None = None
    rest = b""
    while True:
        try:
            async with asyncio.timeout(wait):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            yield [rest]
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines
        wait = IDLE_TIMEOUT


class _Piece:
    """Some tokens of a stream, put together."""

    def __init__(self) -> None:
        self.text, self.thought = "", ""
        self.logprobs: list[float] = []
        self.metadata: dict[str, Any] = {}
        self.usage: UsageMetadata | None = None
        self.calls: list[ToolCallChunk] = []

    def whole(self) -> bool:
        """Whether it is worth looking at: long enough, or with the end of a sentence and the next one's beginning."""
        size = len(self.text)
        return size >= PIECE or (size >= SHORTEST and _NEXT_SENTENCE.search(self.text) is not None)

    def add(self, event: dict[str, Any]) -> None:
        if "error" in event:
            raise ValueError("the server reports an error in mid-stream")
        for choice in (event.get("choices") or [])[:1]:
            delta = choice["delta"]
            self.text += delta.get("content") or ""
            self.thought += delta.get("reasoning") or delta.get("reasoning_content") or ""
            self.calls += [_call_chunk(part) for part in delta.get("tool_calls") or []]
            self.logprobs += [token["logprob"] for token in (choice.get("logprobs") or {}).get("content") or []]
            if reason := choice.get("finish_reason"):
                self.metadata["finish_reason"] = reason
        if usage := event.get("usage"):
            self.usage = UsageMetadata(
                input_tokens=usage["prompt_tokens"],
                output_tokens=usage["completion_tokens"],
                total_tokens=usage["prompt_tokens"] + usage["completion_tokens"],
                input_token_details={
                    "cache_read": (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
                },
            )

    def chunk(self) -> ChatGenerationChunk:
        extra = {"reasoning": self.thought, "logprobs": self.logprobs}
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content=self.text,
                additional_kwargs={name: value for name, value in extra.items() if value},
                response_metadata=self.metadata,
                usage_metadata=self.usage,
                tool_call_chunks=self.calls,
            )
        )


def _call_chunk(part: dict[str, Any]) -> ToolCallChunk:
    """A piece of a call: its name comes first, its arguments as pieces of JSON."""
    function = part.get("function") or {}
    return tool_call_chunk(
        name=function.get("name"), args=function.get("arguments"), id=part.get("id"), index=part["index"]
    )


@dataclass(frozen=True)
class Endpoint:
    """A model by name on a server; the shared part, from which each run gets its own `EndpointModel`."""

    chat: EndpointChat

    @classmethod
    def open(cls, name: str, client: httpx.AsyncClient) -> "Endpoint":
        return cls(
            EndpointChat(
                model=name,
                base_url=str(client.base_url),
                api_key=SecretStr("in the client's headers"),
                http_async_client=client,
                max_retries=0,  # the graph's retry policy is the only one
                logprobs=True,
                tags=["nostream"],
            )
        )

    def bind(self, role: str, run: Run, session: str = "") -> "EndpointModel":
        return EndpointModel(self.chat, role, run, session)


@dataclass(frozen=True)
class EndpointModel:
    """A model in one role of one run.

    `session` goes along as `X-Session-ID`, by which a router before several servers finds the one that has read the
    thread's prompts already.
    """

    chat: EndpointChat
    role: str
    run: Run
    session: str = ""

    async def write(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        until: Callable[[str], bool] | None = None,
    ) -> Reply:
        reply = await self._call(messages, until, max_tokens=max_tokens, temperature=temperature)
        if not reply.cut:
            return reply
        if not (whole := whole_sentences(reply.text)):
            raise ModelUnavailable("The model wrote no whole sentence.")
        return replace(reply, text=whole)

    async def fill(
        self,
        messages: Sequence[Message],
        form: type[Form],
        *,
        max_tokens: int,
        until: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> Form:
        def worthless(text: str) -> bool:
            return until is not None and until(_begun(text))

        # In the body, not as the client's `response_format`: for that it imports its beta API, 2 s in mid-turn.
        extra: dict[str, Any] = {
            "logprobs": False,
            "extra_body": {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": form.__name__, "schema": _schema(form), "strict": True},
                },
                # A thought before the first brace would break the form.
                "chat_template_kwargs": {"enable_thinking": False},
            },
        }
        reply = await self._call(messages, worthless, max_tokens=max_tokens, temperature=0.0, **extra)
        try:
            return form.model_validate_json(reply.text)
        except ValidationError as error:
            if worthless(reply.text):
                raise InvalidModelOutput(f"The {self.role}'s form was given up: nothing in it holds.") from None
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'JSON'}: {e['msg']}" for e in error.errors()[:5])
        repair: list[Message] = [
            *messages,
            ("assistant", reply.text[:4000] or "{}"),
            ("user", f"That is not valid: {faults}. Answer again with the JSON object alone."),
        ]
        reply = await self._call(repair, worthless, max_tokens=max_tokens, temperature=0.0, **extra)
        try:
            return form.model_validate_json(reply.text)
        except ValidationError:
            raise InvalidModelOutput(f"The {self.role} did not fill its form, also when asked twice.") from None

    async def choose(
        self, messages: Sequence[Message], tools: Sequence[BaseTool], *, max_tokens: int
    ) -> tuple[ToolCall, ...]:
        offered = [convert_to_openai_tool(tool) for tool in tools]
        reply = await self._call(
            messages, max_tokens=max_tokens, temperature=0.0, logprobs=False, tools=offered, tool_choice="auto"
        )
        return reply.calls

    async def _call(
        self, messages: Sequence[Message], until: Callable[[str], bool] | None = None, **options: Any
    ) -> Reply:
        if self.run.model_down:
            raise ModelUnavailable(self.run.model_down)
        # `from None`, everywhere: a server's error may repeat the prompt, and LangGraph logs what it tries again.
        try:
            if self.session:
                options["extra_headers"] = {SESSION: self.session}
            stream = cast(AsyncGenerator[AIMessageChunk, None], self.chat.astream(list(messages), **options))
            # Closed at once, or a server would go on writing for nobody until the garbage collector comes.
            limit = asyncio.timeout(max(0.05, self.run.seconds_left() * CALL_SHARE))
            with self.run.timing("model"):
                async with limit, aclosing(stream):
                    return await self._collect(stream, until)
        except TimeoutError:
            raise self._down("The model did not answer in time.") from None
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            if code == 404:
                raise ModelUnavailable(f"The model server does not serve {self.chat.model_name}.") from None
            raise ModelUnavailable(f"The model server answered with HTTP {code}.", transient=code >= 500) from None
        except httpx.HTTPError:
            raise ModelUnavailable("The model server can't be reached, or broke off.", transient=True) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            # A stream that is no stream of completions.
            raise ModelUnavailable("The model server sent what is no answer.", transient=True) from None

    def _down(self, reason: str) -> ModelUnavailable:
        """The error for a server that is not worth another call in this run."""
        self.run.model_down = reason
        return ModelUnavailable(reason)

    async def _collect(self, stream: AsyncIterator[Any], until: Callable[[str], bool] | None) -> Reply:
        text, thought = "", ""
        logprobs: list[float] = []
        pieces: list[ToolCallChunk] = []
        finish: str | None = None
        usage: UsageMetadata | None = None
        try:
            async for chunk in stream:
                text += chunk.text
                thought += chunk.additional_kwargs.get("reasoning", "")
                pieces += chunk.tool_call_chunks
                logprobs += chunk.additional_kwargs.get("logprobs", [])
                finish = finish or chunk.response_metadata.get("finish_reason")
                usage = chunk.usage_metadata or usage
                if finish == "stop":
                    continue
                if until is not None and until(text):
                    finish = "until"
                    break
                if repeats(text):
                    raise self._down("The model repeated itself without end.")
        finally:
            self._count(usage, len(logprobs))
        if not finish:
            raise ModelUnavailable("The model server broke off.", transient=True)
        text, inline = strip_thinking(text)
        calls = _calls(pieces)
        if not text and not calls:
            raise ModelUnavailable("The model answered with nothing.")
        logprob = sum(logprobs) / len(logprobs) if logprobs else None
        return Reply(text, (thought or inline).strip(), logprob, cut=finish in ("length", "until"), calls=calls)

    def _count(self, usage: UsageMetadata | None, written: int) -> None:
        """The server says at the end what a call took; of one that did not get there we know what was written."""
        self.run.count("calls", 1)
        self.run.count("completion", usage["output_tokens"] if usage else written)
        if usage:
            self.run.count("prompt", usage["input_tokens"])
            self.run.count("cached", (usage.get("input_token_details") or {}).get("cache_read", 0) or 0)


def _calls(pieces: Sequence[ToolCallChunk]) -> tuple[ToolCall, ...]:
    """The calls that the pieces make up. Raises InvalidModelOutput."""
    names: dict[int, str] = {}
    written: dict[int, str] = {}
    for piece in pieces:
        index = piece["index"] or 0
        names[index] = names.get(index) or piece["name"] or ""
        written[index] = written.get(index, "") + (piece["args"] or "")
    try:
        found = [(name, json.loads(written[index] or "{}")) for index, name in names.items()]
    except ValueError:
        found = [("", None)]
    if any(not isinstance(arguments, dict) for _, arguments in found):
        raise InvalidModelOutput("The model called a tool with arguments that are no JSON object.")
    return tuple(ToolCall(name, arguments) for name, arguments in found)


def _begun(text: str) -> Mapping[str, Any]:
    """What is there of a JSON object that is still written; nothing of what is none."""
    try:
        found = from_json(text, allow_partial=True)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _schema(form: type[BaseModel]) -> dict[str, Any]:
    return form.model_json_schema()


def repeats(text: str) -> bool:
    """Whether a text ends in the same words six times over, 60 characters at least: a form's indent has six spaces."""
    # The text's end stands one period earlier too: where it does not, as nearly always, nothing more is looked at.
    end = text[-_END:]
    if text.rfind(end, max(0, len(text) - _END - PERIOD), -1) < 0:
        return False
    for period in range(1, min(PERIOD, len(text)) + 1):
        times = max(6, -(-60 // period))
        if text.endswith(text[-period:] * times):
            return True
    return False
