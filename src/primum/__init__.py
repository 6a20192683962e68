"""Primum: a self-hosted medical agent that checks itself before it answers.

Importing it is light: what is heavy is imported when first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primum.graph.agent import Agent
    from primum.graph.answer import Answer
    from primum.graph.builder import build_graph
    from primum.server.agent import open_agent

__all__ = ["Agent", "Answer", "build_graph", "open_agent"]
__version__ = "0.1.0"

_HOMES = {
    "Agent": "primum.graph.agent",
    "Answer": "primum.graph.answer",
    "build_graph": "primum.graph.builder",
    "open_agent": "primum.server.agent",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'primum' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
