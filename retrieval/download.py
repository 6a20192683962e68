"""Files fetched from public services: with a time limit, a size limit, and one clear error when that fails.

DownloadError
└── Unreachable: what else would be asked of the service now can't be had either
"""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx

from primum.retrieval.addresses import is_public

MAX_DOWNLOAD = 300 * 2**20  # bytes
MAX_SECONDS = 1800.0  # of one download, however steadily it drips; at 2 Mbit/s the largest takes 21 minutes
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)  # of one step: to connect, to wait for the next bytes
_AGENT = "primum (self-hosted medical agent)"


class DownloadError(Exception):
    """A service can't be reached or does not give what was asked for; the text says which and what to do."""


class Unreachable(DownloadError):
    """No answer comes from the service at all, or none in time."""


@contextmanager
def client() -> Iterator[httpx.Client]:
    """A client that follows redirects, waits a minute at most for the next bytes, and says who it is.

    The host that is asked first is the one that was set. Where that leads elsewhere, by a redirect or a link, it is
    followed by https to public addresses alone.
    """
    own: list[tuple[str, str, int | None]] = []

    def check(request: httpx.Request) -> None:
        url = request.url
        own.append((url.scheme, url.host, url.port))
        if own[-1] != own[0] and not (url.scheme == "https" and all(map(is_public, _addresses(url.host)))):
            raise DownloadError(f"{own[0][1]} leads to {url.host}, which is not asked: only https, at public addresses")

    with httpx.Client(
        timeout=_TIMEOUT, follow_redirects=True, headers={"user-agent": _AGENT}, event_hooks={"request": [check]}
    ) as opened:
        yield opened


def _addresses(host: str) -> set[str]:
    """Those of a name; none where only a proxy knows it, which then decides whom it asks."""
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


def fetch(http: httpx.Client, address: str, most: int = MAX_DOWNLOAD, params: Mapping[str, Any] | None = None) -> bytes:
    """What stands at an address. Raises DownloadError if it can't be reached, refuses, is slow or gives too much."""
    return b"".join(_blocks(http, address, most, params))


@contextmanager
def fetched(http: httpx.Client, address: str, name: str) -> Iterator[Path]:
    """What stands at an address as a file of this name, for as long as it is needed. Raises DownloadError."""
    with TemporaryDirectory(prefix="primum-") as folder:
        file = Path(folder) / name
        with file.open("wb") as stream:
            stream.writelines(_blocks(http, address, MAX_DOWNLOAD, None))
        yield file


def _blocks(http: httpx.Client, address: str, most: int, params: Mapping[str, Any] | None) -> Iterator[bytes]:
    host, size, end = urlsplit(address).netloc, 0, time.monotonic() + MAX_SECONDS
    try:
        with http.stream("GET", address, params=params) as answer:
            if answer.status_code != httpx.codes.OK:
                raise DownloadError(f"{host} answered {answer.status_code} ({answer.reason_phrase}) to {address}")
            for block in answer.iter_bytes():  # as it comes: to wait for whole blocks would be to wait for no limit
                size += len(block)
                if size > most:
                    raise DownloadError(f"{address} is larger than {most // 2**20} MB")
                if time.monotonic() > end:
                    raise Unreachable(
                        f"{host} takes longer than {MAX_SECONDS / 60:.0f} minutes to give {address}:"
                        " try again, or download the file elsewhere and give its path"
                    )
                yield block
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"{host} can't be reached ({type(error).__name__}): check the network and any proxy,"
            " or download the file elsewhere and give its path"
        ) from None
