"""What a tool does when it fails: it says so in a sentence, and the agent that called it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import structlog
from langchain_core.tools import BaseTool, StructuredTool, ToolException

from primum.graph.errors import PrimumError

log = structlog.get_logger(__name__)


def tell_gaps(tool: BaseTool) -> None:
    """From now on no exception leaves the tool: what failed is its answer, with the status `error`."""
    assert isinstance(tool, StructuredTool)
    func, coroutine, name = tool.func, tool.coroutine, tool.name
    if func is not None:

        @wraps(func)
        def run(*given: Any, **named: Any) -> Any:
            with _stated(name):
                return func(*given, **named)

        tool.func = run
    if coroutine is not None:

        @wraps(coroutine)
        async def arun(*given: Any, **named: Any) -> Any:
            with _stated(name):
                return await coroutine(*given, **named)

        tool.coroutine = arun
    tool.handle_tool_error = True


@contextmanager
def _stated(name: str) -> Iterator[None]:
    try:
        yield
    except ToolException:
        raise
    except PrimumError as error:
        raise ToolException(str(error)) from None
    except Exception as error:  # a fault of ours; what it says may hold a patient's words
        log.error("a tool broke", tool=name, error=type(error).__name__)
        raise ToolException(
            f"{name} could not be used ({type(error).__name__}), so nothing is known from it. Say so; don't guess."
        ) from None
