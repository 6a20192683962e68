"""The HTTP server around an app."""

import asyncio
import ipaddress
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from primum.graph.errors import LocalServerFailed


class Server(uvicorn.Server):
    """Leaves signals to us: uvicorn's own way ends the process before the app has closed what it opened."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


async def listen(app: FastAPI, host: str, port: int, log_level: str) -> None:
    """Serve until a signal ends it. What goes wrong at the start is raised, not logged with a traceback."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level=log_level,
        access_log=False,  # a path may hold a patient's name
        timeout_graceful_shutdown=5,  # seconds for open streams; their questions are stored
        lifespan="off",
    )
    async with app.router.lifespan_context(app):
        try:
            await Server(config).serve()
        except SystemExit:  # its way to say that it can't have the port
            raise LocalServerFailed(f"The API can't listen on {host}, port {port}.") from None
