"""Denies this Python every address but this machine's, and notes what was tried in the file that TRIED names.

It is imported by each Python that has this folder on its path. Python's sockets tell of each connection and look-up
before they make it; uvloop makes its own, so that asyncio's loop stands in for it here.
"""

import asyncio
import ipaddress
import os
import sys
from pathlib import Path

import uvloop

TRIED = Path(os.environ["TRIED"])


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


def deny(event: str, given: tuple[object, ...]) -> None:
    """An audit hook: raises ConnectionRefusedError for what would leave this machine."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = given[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = given[1]
        host = address[0] if isinstance(address, tuple) else None  # a path, of a socket of this machine
    else:
        return
    if not _is_here(host):
        with TRIED.open("a") as file:
            file.write(f"{event} {host!r}\n")
        raise ConnectionRefusedError(f"{event}: not of this machine")


uvloop.run = asyncio.run  # type: ignore[assignment]
uvloop.new_event_loop = asyncio.new_event_loop  # type: ignore[assignment]
sys.addaudithook(deny)
