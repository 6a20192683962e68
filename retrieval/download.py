"""Files fetched from public services: with a time limit, a size limit, and one clear error when that fails."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx

MAX_DOWNLOAD = 300 * 2**20  # bytes
_BLOCK = 2**18
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_AGENT = "primum (self-hosted medical agent)"


class DownloadError(Exception):
    """A service can't be reached or does not give what was asked for; the text says which and what to do."""


@contextmanager
def client() -> Iterator[httpx.Client]:
    """A client that follows redirects, waits a minute at most and says who it is."""
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers={"user-agent": _AGENT}) as opened:
        yield opened


def fetch(http: httpx.Client, address: str, most: int = MAX_DOWNLOAD, params: Mapping[str, Any] | None = None) -> bytes:
    """What stands at an address. Raises DownloadError if it can't be reached, refuses, or gives more than `most`."""
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
    host, size = urlsplit(address).netloc, 0
    try:
        with http.stream("GET", address, params=params) as answer:
            if answer.status_code != httpx.codes.OK:
                raise DownloadError(f"{host} answered {answer.status_code} ({answer.reason_phrase}) to {address}")
            for block in answer.iter_bytes(_BLOCK):
                size += len(block)
                if size > most:
                    raise DownloadError(f"{address} is larger than {most // 2**20} MB")
                yield block
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(
            f"{host} can't be reached ({type(error).__name__}): check the network and any proxy,"
            " or download the file elsewhere and give its path"
        ) from None
