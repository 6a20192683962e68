"""What every command prints and runs with."""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]


def say(line: str) -> None:
    """Progress."""
    typer.echo(line, err=True)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def quiet_libraries() -> None:
    """The training libraries' own bars and warnings, for which ours stand; before the first of them is imported."""
    import logging
    import os
    import warnings

    os.environ.setdefault("TQDM_DISABLE", "1")
    # bitsandbytes complains as it is imported that a kernel is missing, which only makes a CPU faster.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=FutureWarning)

    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def run(work: Coroutine[Any, Any, T], log_level: str = "warning") -> T:
    """Run to the end; SIGTERM and a closed terminal stop it as Ctrl-C does, so that nothing is left running.

    While it is being stopped a second Ctrl-C changes nothing: it would break off the stopping of what still runs.
    """

    async def stoppable() -> T:
        task = asyncio.ensure_future(work)

        def stop() -> None:
            if not task.cancelling():
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                asyncio.get_running_loop().add_signal_handler(number, stop)
        return await task

    import uvloop

    from primum.server.console import log_to_stderr

    log_to_stderr(log_level)
    gc.set_threshold(100_000, 50, 100)  # importing torch makes objects that stay: looking for garbage took 15 %
    try:
        return uvloop.run(stoppable())
    except asyncio.CancelledError:
        sys.exit(130)
    finally:
        gc.freeze()  # or Python, as it ends, looks once more through all that torch made: 5 s
