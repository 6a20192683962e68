"""The proxy itself: each fault is what it says, and ends when it is mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import pytest

from tests.faults.proxy import KINDS, Kind, Proxy, Streams, address_of, through

MOMENT = 0.3  # seconds in which nothing is taken to come
BOUND = 10.0  # seconds in which what comes is there, on a busy machine too
SAID = b"primum non nocere"


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[Proxy, set[asyncio.StreamWriter]]]:
    """A server that says again what it hears, behind a proxy; and those whom it hears."""
    heard: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.add(writer)
        try:
            while piece := await reader.read(1000):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            heard.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[:2]) as proxy:
        yield proxy, heard


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(streams: Streams, within: float = BOUND) -> bytes:
    """What comes back. Raises TimeoutError if nothing does, and ConnectionError."""
    reader, writer = streams
    writer.write(SAID)
    async with asyncio.timeout(within):
        return await reader.readexactly(len(SAID))


async def shown(proxy: Proxy, kind: Kind, seconds: float = 0.0) -> None:
    proxy.show(kind, seconds)
    await asyncio.sleep(0)


async def test_without_a_fault_all_passes_and_an_end_too() -> None:
    async with echo() as (proxy, heard), connected(proxy) as (reader, writer):
        assert await said((reader, writer)) == SAID
        assert (proxy.links, len(heard)) == (1, 1)
        writer.write_eof()
        assert await reader.read() == b""


async def test_a_slow_wire_and_one_that_drips_pass_all_on_later() -> None:
    async with echo() as (proxy, _), connected(proxy) as streams:
        await shown(proxy, "slow", 0.05)
        began = perf_counter()
        assert await said(streams) == SAID
        assert perf_counter() - began >= 0.09  # there and back; a loop's clock may be some ms behind
        await shown(proxy, "drip", 0.004)
        began = perf_counter()
        assert await said(streams) == SAID
        assert perf_counter() - began >= 0.0035 * len(SAID)


async def test_a_reset_ends_what_is_open_and_what_comes() -> None:
    async with echo() as (proxy, heard), connected(proxy) as streams:
        await said(streams)
        await shown(proxy, "reset")
        with pytest.raises(ConnectionResetError):
            await said(streams)
        async with connected(proxy) as refused:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await said(refused)
        assert not heard


async def test_a_hole_gives_back_what_it_held_when_it_is_mended() -> None:
    async with echo() as (proxy, _), connected(proxy) as before:
        await said(before)
        await shown(proxy, "hole")
        async with connected(proxy) as during:
            for streams in (before, during):
                with pytest.raises(TimeoutError):
                    await said(streams, MOMENT)
            proxy.mend()
            for reader, _ in (before, during):
                assert await reader.readexactly(len(SAID)) == SAID


async def test_a_peer_that_is_gone_without_a_word_is_not_told_of_an_end_either() -> None:
    async with echo() as (proxy, heard), connected(proxy) as before:
        await said(before)
        await shown(proxy, "half-open")
        async with connected(proxy) as during:
            for fault in (True, False):
                for streams in (before, during):
                    with pytest.raises(TimeoutError):
                        await said(streams, MOMENT)
                if fault:
                    proxy.mend()
            async with connected(proxy) as after:
                assert await said(after) == SAID
        before[1].transport.abort()
        await asyncio.sleep(MOMENT)
        assert len(heard) == 2  # the first and the second, who are gone; the third said so


async def test_garbage_is_as_long_as_what_was_said_and_nothing_of_it() -> None:
    async with echo() as (proxy, _), connected(proxy) as streams:
        await shown(proxy, "garbage")
        noise = await said(streams)
        assert len(noise) == len(SAID) and noise != SAID


@pytest.mark.parametrize("kind", KINDS)
async def test_after_any_fault_a_new_connection_is_a_good_one(kind: Kind) -> None:
    async with echo() as (proxy, _):
        async with connected(proxy) as streams:
            await shown(proxy, kind, 0.001)
            await asyncio.gather(said(streams, MOMENT), return_exceptions=True)
        proxy.mend()
        async with connected(proxy) as streams:
            assert await said(streams) == SAID


def test_an_address_is_that_of_a_socket_or_of_a_folder() -> None:
    assert address_of("http://127.0.0.1:8000/v1") == ("127.0.0.1", 8000)
    assert address_of("postgresql://primum@/db?host=%2Ftmp%2Fa&port=5432") == "/tmp/a/.s.PGSQL.5432"
    proxy = Proxy(("127.0.0.1", 1), port=9)
    assert through(proxy, "http://127.0.0.1:8000/v1") == "http://127.0.0.1:9/v1"
    assert through(proxy, "postgresql://primum@/db?host=%2Ftmp%2Fa") == "postgresql://primum@127.0.0.1:9/db"
