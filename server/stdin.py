"""Standard input that can be ended from within: a thread that waits for the real one can't be woken."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def endable_stdin() -> Iterator[Callable[[], None]]:
    """While it is open, standard input comes through a socket of ours; what it gives ends it."""
    real = os.dup(0)
    ours, theirs = socket.socketpair()
    os.dup2(ours.fileno(), 0)
    ours.close()

    def end() -> None:
        with suppress(OSError):  # it has ended
            theirs.shutdown(socket.SHUT_WR)

    def copy() -> None:
        with suppress(OSError):  # it was ended from within
            while data := os.read(real, 65_536):
                theirs.sendall(data)
        end()

    threading.Thread(target=copy, daemon=True).start()
    try:
        yield end
    finally:
        os.dup2(real, 0)
