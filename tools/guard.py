"""Requests that leave the house: to public addresses, by https, to the sites that are meant; of limited size and time.

A name is looked up once, its addresses are checked, and the connection goes to one of them: a name that changes its
address in between gains nothing. Redirects are followed here, each checked like the first address. There are no
cookies, no proxies of the environment, and no log of addresses, which may hold a key.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from primum.graph.errors import AddressRefused, LookUpFailed
from primum.retrieval.addresses import is_public

Resolve = Callable[[str, int], Awaitable[list[str]]]

_HOPS = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMES = {"timeout": {"connect": 3.0}}  # seconds for one of several addresses; the whole has its own limit
LARGEST = 5 * 2**20  # bytes of an answer, unpacked


@dataclass(frozen=True)
class Page:
    """What came back: the last address, the status, the headers by small names, and the unpacked body."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def is_below(host: str, sites: Iterable[str]) -> bool:
    """Whether a host is one of the sites or below it: `www.nhs.uk` is below `nhs.uk`, `notnhs.uk` is not."""
    name = host.lower().rstrip(".")
    return any(name == site or name.endswith(f".{site}") for site in sites)


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Guard:
    """A client that can't be led into the house. `local` are origins (`http://127.0.0.1:8080`) that may be asked
    nevertheless: mirrors in the house, and the servers of tests.
    """

    def __init__(
        self, local: Collection[str] = (), *, resolve: Resolve = resolved, tls: ssl.SSLContext | None = None
    ) -> None:
        self._local = frozenset(_origin(httpx.URL(one)) for one in local)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            max_connections=16,
            keepalive_expiry=15,
            network_backend=Network({(host, port) for _, host, port in self._local}, resolve),
        )

    def is_local(self, url: httpx.URL) -> bool:
        """Whether an address is one of the origins that were allowed by name."""
        return _origin(url) in self._local

    async def close(self) -> None:
        await self._pool.aclose()

    async def get(
        self,
        url: str,
        *,
        sites: Collection[str],
        params: Mapping[str, str] | None = None,
        accepts: Collection[str] = (),
        largest: int = LARGEST,
        seconds: float = 8,
        agent: str = "primum",
    ) -> Page:
        """A page of one of the `sites`, whatever its status; `accepts` are the content types that a 200 may have.

        Raises:
            AddressRefused: the address, or one that it redirects to, must not be asked.
            LookUpFailed: it can't be reached, is too slow or too large, or is something else than was asked for.
        """
        address = _url(url)
        if params:
            address = address.copy_merge_params(params)
        try:
            async with asyncio.timeout(seconds):
                return await self._followed(address, sites, accepts, largest, agent)
        except TimeoutError:
            raise LookUpFailed(f"{address.host} took longer than {seconds:g} seconds.", transient=True) from None

    async def _followed(
        self, url: httpx.URL, sites: Collection[str], accepts: Collection[str], largest: int, agent: str
    ) -> Page:
        headers: dict[bytes | str, bytes | str] = {
            "Accept": ", ".join(accepts) or "*/*",
            "Accept-Encoding": "gzip",
            "User-Agent": agent,
        }
        for _ in range(_HOPS):
            self._check(url, sites)
            page = await self._asked(url, headers, accepts, largest)
            if page.status not in _REDIRECTS:
                return page
            if not page.headers.get("location"):
                raise LookUpFailed(f"{url.host} redirects to nowhere.")
            url = _url(page.headers["location"], url)
        raise LookUpFailed(f"{url.host} redirects too often.")

    def _check(self, url: httpx.URL, sites: Collection[str]) -> None:
        if self.is_local(url):
            return
        if url.scheme != "https" or url.port not in (None, 443) or url.userinfo:
            raise AddressRefused(f"{url.host} is not asked: only https on its own port, without a password.")
        if not is_below(url.raw_host.decode(), sites):
            raise AddressRefused(f"{url.host} is not asked: it is not on the list of sites.")

    async def _asked(
        self, url: httpx.URL, headers: dict[bytes | str, bytes | str], accepts: Collection[str], largest: int
    ) -> Page:
        try:
            async with self._pool.stream("GET", str(url), headers=headers, extensions=_TIMES) as response:
                head = {name.decode("latin-1").lower(): one.decode("latin-1") for name, one in response.headers}
                if response.status in _REDIRECTS:
                    return Page(str(url), response.status, head, b"")
                kind = head.get("content-type", "").partition(";")[0].strip().lower()
                if response.status == 200 and accepts and kind not in accepts:
                    wanted = " or ".join(accepts)
                    raise LookUpFailed(f"{url.host} answered with {kind or 'an unknown type'}, not with {wanted}.")
                return Page(str(url), response.status, head, await _body(response, head, str(url.host), largest))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            reason = f"{url.host} can't be reached, or broke off ({type(error).__name__})."
            raise LookUpFailed(reason, transient=True) from None


def _url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        url = base.join(text) if base else httpx.URL(text)
        url.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        raise LookUpFailed("An address can't be read.") from None
    if not url.host:
        raise LookUpFailed("An address has no host.")
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.raw_host.decode(), url.port or (443 if url.scheme == "https" else 80)


async def _body(response: httpcore.Response, head: Mapping[str, str], host: str, largest: int) -> bytes:
    """The body, unpacked as it comes, so that what unpacks to more than it may is left at that place."""
    packing = head.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip"):
        raise LookUpFailed(f"{host} answered packed in a way that was not asked for.")
    unpacker = zlib.decompressobj(31) if packing == "gzip" else None
    body = bytearray()
    async for chunk in response.aiter_stream():
        room = largest - len(body)
        try:
            body += unpacker.decompress(chunk, room + 1) if unpacker else chunk
        except zlib.error:
            raise LookUpFailed(f"{host} answered with a broken gzip.") from None
        if len(body) > largest:
            raise LookUpFailed(f"{host} answered with more than {largest // 2**10:,} KB.")
    if unpacker and (not unpacker.eof or unpacker.unused_data):
        raise LookUpFailed(f"{host} answered with a broken gzip.")
    return bytes(body)


class Network(httpcore.AsyncNetworkBackend):
    """Connects to public addresses alone, and to those that it has itself looked up."""

    def __init__(
        self,
        local: Collection[tuple[str, int]] = (),
        resolve: Resolve = resolved,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._local = local
        self._resolve = resolve
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's signature)
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of the host that takes one. Raises AddressRefused, LookUpFailed."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise LookUpFailed(f"{host} has no address.", transient=True)
        if (host, port) not in self._local and not all(map(is_public, addresses)):
            raise AddressRefused(f"{host} is not asked: it leads to an address that is not public.")
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)
