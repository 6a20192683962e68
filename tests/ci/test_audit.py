"""`.ci/audit` fails for a known vulnerability, and does not take silence for safety."""

import os
import subprocess
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parents[2] / ".ci" / "audit"
if not AUDIT.exists():
    pytest.skip("an sdist has no .ci", allow_module_level=True)
FOUND = '{"dependencies": [{"name": "x", "version": "1", "vulns": [{"id": "GHSA-1", "fix_versions": ["2"]}]}]}'
WRITE = 'while [ "$1" != --output ]; do shift; done; echo \'' + FOUND + '\' > "$2"; exit 1'


@pytest.mark.parametrize(
    ("tool", "status", "says"),
    [
        ("exit 0", 0, "No known vulnerability"),
        (WRITE, 1, "x 1: GHSA-1, mended in 2"),
        ("echo 'requests: Max retries exceeded, Failed to resolve' >&2; exit 1", 0, "tells nothing of the packages"),
        ("echo 'requirement without a hash' >&2; exit 1", 1, "without a hash"),
    ],
)
def test_it_tells_what_it_knows(tmp_path: Path, tool: str, status: int, says: str) -> None:
    fake = tmp_path / "pip-audit"
    fake.write_text(f"#!/usr/bin/env bash\n{tool}\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [str(AUDIT)], env={**os.environ, "PIP_AUDIT": str(fake)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == status and says in done.stdout + done.stderr
