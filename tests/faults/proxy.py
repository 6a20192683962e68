"""A proxy between Primum and a server, or a client and Primum, that shows the faults of a wire."""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["none", "slow", "drip", "reset", "hole", "half-open", "garbage"]
"""What a wire does to the connections that are open and to those that come:

none       passes all on
slow       passes each piece on later
drip       passes bytes on one by one
reset      ends them at once, as a process that was killed does
hole       takes all and passes nothing on, until it is mended: then what was held comes
half-open  the peer is gone without a word; those that were open say nothing any more, after it is mended either
garbage    passes something else than the server said
"""
KINDS: tuple[Kind, ...] = ("slow", "drip", "reset", "hole", "half-open", "garbage")
PIECE = 65536  # bytes that are read at once
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Address = tuple[str, int] | str  # of TCP, or the path of a Unix socket


@dataclass(eq=False)
class _Link:
    """One connection: a client's side and the server's."""

    client: Streams
    server: Streams
    gone: bool = False

    def reset(self) -> None:
        for _, writer in (self.client, self.server):
            _reset(writer)


class Proxy:
    """Listens on a port of loopback; what the wire shows is said by `show`, from any thread, while it runs."""

    def __init__(self, server: Address, port: int = 0) -> None:
        self.port = port
        self._to = server
        self._kind: Kind = "none"
        self._seconds = 0.0
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._noise = random.Random(0)
        self._listening: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._listening = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def links(self) -> int:
        """Connections that are open."""
        return len(self._links)

    def show(self, kind: Kind, seconds: float = 0.0) -> None:
        """From now on the wire does this; `seconds` before each piece where it is slow, each byte where it drips."""
        self._loop.call_soon_threadsafe(self._show, kind, seconds)

    def mend(self) -> None:
        self.show("none")

    def _show(self, kind: Kind, seconds: float) -> None:
        self._kind, self._seconds = kind, seconds
        for link in [*self._links]:
            if kind == "reset":
                link.reset()
            link.gone |= kind == "half-open"
        self._changed.set()
        self._changed = asyncio.Event()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._kind == "reset":
                return
            await self._link((reader, writer))
        except (OSError, asyncio.CancelledError):  # the server is not there, or the proxy is no more
            pass
        finally:
            _reset(writer)

    async def _link(self, client: Streams) -> None:
        if isinstance(self._to, str):
            server = await asyncio.open_unix_connection(self._to)
        else:
            server = await asyncio.open_connection(*self._to)
        link = _Link(client, server, gone=self._kind == "half-open")
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(link, client[0], server[1], heard=False))
                both.create_task(self._pump(link, server[0], client[1], heard=True))
        except* ConnectionError:
            pass
        finally:
            self._links.discard(link)
            link.reset()

    async def _pump(
        self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, heard: bool
    ) -> None:
        try:
            while piece := await source.read(PIECE):
                await self._pass(link, piece, sink, heard=heard)
        except ConnectionError:
            await self._open(link)
            raise
        await self._open(link)  # an end does not come through either
        if not sink.is_closing():
            sink.write_eof()

    async def _pass(self, link: _Link, piece: bytes, sink: asyncio.StreamWriter, *, heard: bool) -> None:
        await self._open(link)
        if self._kind == "drip":
            for byte in piece:
                sink.write(bytes([byte]))
                await sink.drain()
                await asyncio.sleep(self._seconds if self._kind == "drip" else 0)
                await self._open(link)
            return
        if self._kind == "slow":
            await asyncio.sleep(self._seconds)
            await self._open(link)
        sink.write(self._noise.randbytes(len(piece)) if self._kind == "garbage" and heard else piece)
        await sink.drain()

    async def _open(self, link: _Link) -> None:
        """Waits until something may pass."""
        while link.gone or self._kind in ("hole", "half-open"):
            await self._changed.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST, where it is TCP's."""
    if not writer.is_closing():
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def address_of(url: str) -> Address:
    """Where a server listens, of its URL; Postgres' may be a Unix socket in a folder."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    if folder:
        return f"{unquote(folder)}/.s.PGSQL.{parse_qs(parts.query).get('port', ['5432'])[0]}"
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port


def through(proxy: Proxy, url: str) -> str:
    """The same server's URL by way of a proxy."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}127.0.0.1:{proxy.port}{parts.path}"
