"""`primum` in a process of its own, forked from one that is warm: imports and rules take most of a command's time."""

import os
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

HOME = tempfile.TemporaryDirectory()  # no command uses the home of whoever runs the tests
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.warm"])


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def primum(*arguments: str, **environment: str) -> Done:
    """Runs the command to its end, with these beside our own environment."""
    given = {**os.environ, "PRIMUM_HOME": HOME.name, "NO_COLOR": "1", "COLUMNS": "200", **environment}
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _PROCESSES.Process(target=_run, args=(arguments, given, str(out), str(err)))
        process.start()
        process.join()
        assert process.exitcode is not None
        return Done(process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _run(arguments: tuple[str, ...], environment: dict[str, str], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.argv = ["primum", *arguments]
    from primum.server.cli import main

    main()
    sys.exit(0)
