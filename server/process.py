"""Starting and ending processes, and telling one from another that has its number after a crash or a reboot."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

PROC = Path("/proc")
_CHILDREN: dict[int, "subprocess.Popen[bytes]"] = {}


def spawn(
    argv: Sequence[str], log: BinaryIO, env: Mapping[str, str] | None = None, cwd: str | None = None
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own: the Ctrl-C of our terminal does not reach it."""
    child = subprocess.Popen(  # noqa: S603 (the command lines are ours)
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=cwd, start_new_session=True
    )
    _CHILDREN[child.pid] = child
    return child


def birth(pid: int) -> str | None:
    """A mark that no other process of this machine has, or None if there is no such process (any more)."""
    child = _CHILDREN.get(pid)
    if child and child.poll() is not None:  # which also frees the number of a child that ended
        _CHILDREN.pop(pid, None)
    if not PROC.joinpath("self").exists():
        state = _ps(pid, "stat")
        return _ps(pid, "lstart") if state and not state.startswith("Z") else None
    try:
        # The name, in brackets, may hold blanks and brackets. The fields after it: state, …, threads, …, start.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # A zombie's other threads may still be ending, and hold its ports until then.
    return None if fields[0] in "ZX" and int(fields[17]) <= 1 else f"{boot}:{fields[19]}"


def arguments(pid: int) -> list[str]:
    """The command line of a process; empty if it is gone or a zombie."""
    if not PROC.joinpath("self").exists():
        return _ps(pid, "command").split()
    try:
        return os.fsdecode((PROC / str(pid) / "cmdline").read_bytes()).split("\0")
    except OSError:
        return []


def end(pid: int, born: str | None, politely: signal.Signals = signal.SIGTERM, seconds: float = 8) -> None:
    """Ask a process to end; after `seconds` make it."""
    for number in (politely, signal.SIGKILL):
        if born is None or birth(pid) != born:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        limit = time.monotonic() + seconds
        while birth(pid) == born and time.monotonic() < limit:
            time.sleep(0.02)


def _ps(pid: int, field: str) -> str:
    """One field of a process where there is no /proc (macOS)."""
    command = ["/bin/ps", "-o", f"{field}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
