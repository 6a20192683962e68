"""The README draws the graph that is built."""

import re
from pathlib import Path

from primum.graph.builder import build_graph

README = Path(__file__).resolve().parent.parent.parent / "README.md"


def edges(mermaid: str) -> set[tuple[str, str, str]]:
    """From, arrow and to of each edge; a dotted arrow is a choice."""
    found = re.findall(r"(\w+)\s*(-->|-\.->)\s*(\w+)", mermaid)
    return {(start, arrow, end) for start, arrow, end in found}


def test_the_readmes_diagram_is_the_drawn_graph() -> None:
    block = re.search(r"```mermaid\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert edges(block[1]) == edges(build_graph().get_graph().draw_mermaid())
