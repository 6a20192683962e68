"""What importing costs, and which room may import which."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "app": {"page"},
    "page": {"page"},
    "server": {
        "server",
        "graph",
        "nodes",
        "retrieval",
        "safety",
        "memory",
        "evals",
        "finetune",
        "__version__",
        "open_agent",
    },
    "finetune": {"finetune", "evals", "graph", "nodes", "tools", "retrieval", "safety", "memory"},
    "evals": {"evals", "graph", "nodes", "tools", "retrieval", "safety", "memory"},
    "tools": {"tools", "retrieval", "memory", "safety"},
    "graph": {"graph", "nodes", "tools", "retrieval", "safety", "memory"},
    "nodes": {"graph.state", "graph.context", "nodes", "tools", "retrieval", "safety", "memory"},
    "retrieval": {"retrieval", "safety", "memory"},
    "memory": {"memory", "safety"},
    "safety": {"safety"},
}
HEAVY = {"torch", "streamlit", "langgraph", "langchain_openai", "sqlalchemy", "fastapi", "pydantic", "sentencex"}
HEAVY |= {"drug_named_entity_recognition", "FlagEmbedding", "xllamacpp", "pint", "openai"}


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh Python has after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_importing_primum_imports_nothing_heavy() -> None:
    assert loaded("import primum; primum.__version__") & HEAVY == set()


def test_the_agent_needs_neither_the_page_nor_a_model_in_the_process() -> None:
    heavy = {"torch", "streamlit", "FlagEmbedding", "xllamacpp", "drug_named_entity_recognition"}
    assert loaded("import primum; primum.build_graph, primum.open_agent, primum.Answer") & heavy == set()


def test_a_name_that_primum_does_not_have_is_an_error() -> None:
    import primum

    with pytest.raises(AttributeError, match="openagent"):
        primum.openagent  # noqa: B018


def sources(room: str) -> Iterator[tuple[Path, ast.Module]]:
    files = [ROOT / "app.py"] if room == "app" else sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        yield file, ast.parse(file.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules of Primum's that a file imports, without `primum.`; in functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("primum"))
        elif isinstance(node, ast.ImportFrom) and node.module == "primum":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("primum."):
            yield str(node.module).removeprefix("primum.")
        assert not (isinstance(node, ast.ImportFrom) and node.level), "relative import"


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    wrong = [
        f"{file.name}: {name}"
        for file, tree in sources(room)
        for name in imported(tree)
        if name != "graph.errors" and not any(f"{name}.".startswith(f"{other}.") for other in ROOMS[room])
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_only_the_settings_read_the_environment(room: str) -> None:
    """Handing it on whole to a child process is no reading."""
    readers = {
        file.name
        for file, tree in sources(room)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_environ(node.value))
        or (isinstance(node, ast.Attribute) and node.attr in ("get", "items") and _is_environ(node.value))
        or (isinstance(node, ast.For) and _is_environ(node.iter))
        or (isinstance(node, ast.Attribute) and node.attr == "getenv")
    }
    assert readers == ({"settings.py"} if room == "graph" else set())


def _is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"
