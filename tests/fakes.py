"""The two fakes of the tests: an embedder without a model, and a model server at the wire."""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from threading import Event, Thread
from typing import Any, Self
from zlib import crc32


class FakeEmbedder:
    """Hashed bags of words: texts that share words are alike. The same on every machine and run."""

    pooling = "mean"

    def __init__(self, name: str = "fake", dimensions: int = 64) -> None:
        self.name = name
        self.dimensions = dimensions
        self.fingerprint = f"{name}-{dimensions}"
        self.passages: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def embed_queries(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._vector(text) for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        self.passages.extend(texts)
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in re.findall(r"\w+", text.lower()):
            vector[crc32(word.encode()) % self.dimensions] += 1.0
        length = sqrt(sum(x * x for x in vector))
        return [x / length for x in vector] if length else [1.0, *vector[1:]]


@dataclass(frozen=True)
class Says:
    """One reply of the fake server, with the faults that it is to show."""

    text: str = ""
    reasoning: str = ""
    logprob: float = -0.1
    finish: str = "stop"
    status: int = 200  # another one: that HTTP error and no answer
    first: float = 0.0  # seconds before the first byte
    each: float = 0.0  # seconds before each token
    breaks_after: int | None = None  # tokens, after which the connection is closed
    raw: str | None = None  # what is sent as the stream, whatever it is
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()  # of tools, each by its name with its arguments


HANGS = Says(first=3600)
Body = dict[str, Any]
Reply = str | Says | Callable[[Body], "str | Says"]


class FakeVLLM:
    """A server on loopback that speaks chat completions as vLLM does; what it says is told to it before.

    A request for a JSON form is answered from `forms`, by the form's name; one that offers tools from `choices`, then
    from `replies`, and with "done" when none is left; any other from `replies`, in their order, or by `default` when
    none is left.
    `requests` holds the bodies that came, the first first; `keys` and `sessions` what they came with. One that is not
    `well` says so when asked for its health.
    """

    def __init__(self, name: str = "primum", host: str = "127.0.0.1", port: int = 0) -> None:
        self.default: Reply = Says(status=500)
        self.replies: deque[Reply] = deque()
        self.choices: deque[Reply] = deque()
        self.forms: dict[str, Reply] = {"Routing": '{"route": "evidence"}', "Audit": '{"objections": []}'}
        self.requests: list[Body] = []
        self.keys: set[str] = set()
        self.sessions: list[str] = []  # of each request for a completion
        self.streamed = 0  # events of streams
        self.abandoned = Event()  # set when a client leaves in mid-stream
        self.models: list[Body] = [{"id": name, "object": "model", "owned_by": "vllm", "parent": None}]
        self.hot = True  # whether adapters may be loaded while it runs
        self.well = True
        self.host, self.port = host, port
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    @property
    def written(self) -> list[Body]:
        """The requests for free text: drafts and refinements."""
        return [body for body in self.requests if not {"response_format", "tools"} & body.keys()]

    @property
    def offered(self) -> list[Body]:
        """The requests that offer tools."""
        return [body for body in self.requests if "tools" in body]

    def filled(self, form: str) -> list[Body]:
        """The requests for one JSON form."""
        return [body for body in self.requests if _form(body) == form]

    def says(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    def start(self) -> None:
        """Listens, on the same port as before."""
        self._run(self._listen())

    def stop(self) -> None:
        """Refuses connections from now on, and cuts those that are open."""
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = re.search(rb"(?i)content-length: *(\d+)", head)
                self.keys |= {key.decode() for key in re.findall(rb"(?i)authorization: *bearer +(\S+)", head)}
                if session := re.search(rb"(?i)x-session-id: *(\S+)", head):
                    self.sessions.append(session[1].decode())
                body = await reader.readexactly(int(size[1]) if size else 0)
                await self._answer(head.split()[1].decode(), body, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, _Broken):
            pass
        except ConnectionError:
            self.abandoned.set()
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == "/health":
            await _send(writer, 200 if self.well else 503, b"")
        elif path == "/v1/models":
            await _send(writer, 200, json.dumps({"object": "list", "data": self.models}).encode())
        elif path == "/v1/chat/completions":
            request = json.loads(body)
            self.requests.append(request)
            reply = self._choose(request)
            await asyncio.sleep(reply.first)
            if reply.status != 200:
                error = {"message": "as the test wished", "type": "error", "param": None, "code": reply.status}
                await _send(writer, reply.status, json.dumps({"error": error}).encode())
            elif request.get("stream"):
                async for _ in _stream(writer, request, reply):
                    self.streamed += 1
            else:
                await _send(writer, 200, json.dumps(_whole(request, reply)).encode())
        elif path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter") and self.hot:
            await _send(writer, *self._change(path, json.loads(body)))
        elif path == "/v1/embeddings":
            vectors = FakeEmbedder().embed_passages(json.loads(body)["input"])
            rows = [{"index": number, "embedding": vector} for number, vector in enumerate(vectors)]
            await _send(writer, 200, json.dumps({"data": rows}).encode())
        else:
            await _send(writer, 404, b'{"detail": "Not Found"}')

    def _choose(self, request: Body) -> Says:
        if "tools" in request:
            left = self.choices or self.replies
            reply: Reply = left.popleft() if left else "done"
        else:
            reply = self.replies.popleft() if self.replies and not _form(request) else self.default
        reply = self.forms.get(_form(request), reply)
        if callable(reply):
            reply = reply(request)
        return Says(reply) if isinstance(reply, str) else reply

    def _change(self, path: str, body: Body) -> tuple[int, bytes]:
        """Loads or unloads an adapter as vLLM does, with its words where it refuses."""
        name, there = body["lora_name"], any(model["id"] == body["lora_name"] for model in self.models)
        if there == ("unload" not in path):
            said = f"The lora adapter '{name}' " + ("has already been loaded." if there else "cannot be found.")
            error = {"message": said, "type": "InvalidUserInput", "param": None, "code": 400}
            return 400 if there else 404, json.dumps({"error": error}).encode()
        if there:
            self.models = [model for model in self.models if model["id"] != name]
        else:
            base = self.models[0]["id"]
            self.models = [*self.models, {"id": name, "object": "model", "parent": base, "root": body["lora_path"]}]
        return 200, b"Success"


class _Broken(Exception):
    """The reply ends here, as it was told to."""


def _form(request: Body) -> str:
    return str(request.get("response_format", {}).get("json_schema", {}).get("name", ""))


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, request: Body, reply: Says) -> AsyncIterator[None]:
    """Server-sent events, each a chunk of HTTP's chunked transfer; goes on after each that was sent."""

    async def send(data: str) -> None:
        writer.write(f"{len(data.encode()):x}\r\n{data}\r\n".encode() if data else b"")
        await writer.drain()

    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number, event in enumerate([reply.raw] if reply.raw is not None else _events(request, reply)):
        if number - 1 == reply.breaks_after:
            raise _Broken
        if reply.each:
            await asyncio.sleep(reply.each)
        await send(event)
        yield
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _whole(request: Body, reply: Says) -> Body:
    """The reply in one piece, for a client that asks for no stream; the calls of tools are in no other."""
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(reply.calls)
    ]
    message = {"role": "assistant", "content": reply.text, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else reply.finish}
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": request["model"],
            "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip


def _events(request: Body, reply: Says) -> Iterator[str]:
    """The role, a token at a time the reasoning and the text, the reason of the end, the usage, the end."""
    thoughts, tokens = (re.findall(r"\s*\S+|\s+\Z", text) for text in (reply.reasoning, reply.text))
    limit = request.get("max_completion_tokens") or request.get("max_tokens") or len(tokens)
    finish = reply.finish if len(tokens) <= limit else "length"
    tokens = tokens[:limit]
    yield _event(request, [_choice({"role": "assistant", "content": ""})])
    for token in thoughts:
        yield _event(request, [_choice({"reasoning": token})])
    for token in tokens:
        yield _event(request, [_choice({"content": token}, token if request.get("logprobs") else None, reply.logprob)])
    for index, (name, arguments) in enumerate(reply.calls):
        finish = "tool_calls"
        written = json.dumps(arguments)
        head = {"index": index, "id": f"call-{index}", "type": "function"}
        yield _event(request, [_choice({"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]})])
        for piece in (written[:7], written[7:]):
            yield _event(request, [_choice({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})])
    yield _event(request, [{**_choice({"content": ""}), "finish_reason": finish, "stop_reason": None}])
    if (request.get("stream_options") or {}).get("include_usage"):
        asked = sum(len(message["content"].split()) for message in request["messages"])
        said = len(thoughts) + len(tokens)
        yield _event(request, [], {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said})
    yield "data: [DONE]\n\n"


def _choice(delta: Body, token: str | None = None, logprob: float = 0.0) -> Body:
    spoken = [{"token": token, "logprob": logprob, "bytes": None, "top_logprobs": []}] if token is not None else None
    return {"index": 0, "delta": delta, "logprobs": spoken and {"content": spoken}, "finish_reason": None}


def _event(request: Body, choices: list[Body], usage: Body | None = None) -> str:
    chunk = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": request["model"]}
    return f"data: {json.dumps({**chunk, 'choices': choices, 'usage': usage})}\n\n"
