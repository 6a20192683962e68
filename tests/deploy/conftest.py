"""The tools of `.ci/deploy`, which have an environment of their own."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Tools = Callable[[str, Any], Any]


@pytest.fixture(scope="session")
def tools_python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of the tools; skips where they are not installed, which `.ci/deploy test` does."""
    given = request.config.getoption("--deploy-tools")
    python = Path(given or ROOT / ".ci/deploy-env/bin/python").absolute()
    if given is None and not python.exists():
        pytest.skip("Helm and its like are not here: run .ci/deploy test")
    return python


@pytest.fixture(scope="session")
def tools(tools_python: Path) -> Tools:
    """Asks `tools.py`."""

    def ask(what: str, question: Any) -> Any:
        argv = [str(tools_python), str(ROOT / "tests/deploy/tools.py"), what]
        done = subprocess.run(argv, input=json.dumps(question), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return ask
