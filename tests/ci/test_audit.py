"""`.ci/audit` fails for a known vulnerability, and for whatever keeps it from knowing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
AUDIT = ROOT / ".ci" / "audit"
if not AUDIT.exists():
    pytest.skip("an sdist has no .ci", allow_module_level=True)
NAMES = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
TOOLS = {**os.environ, "PYTHON": sys.executable}
WELL: list[dict[str, Any]] = [{"name": name, "version": "1", "vulns": []} for name in NAMES]


def but(name: str) -> list[dict[str, Any]]:
    return [one for one in WELL if one["name"] != name]


ILL = {"name": "x", "version": "1", "vulns": [{"id": "GHSA-1", "fix_versions": ["2"]}]}


def told(found: list[dict[str, Any]], status: int) -> str:
    """A pip-audit that writes so."""
    written = json.dumps({"dependencies": found})
    return f'while [ "$1" != --output ]; do shift; done\ncat > "$2" <<\'END\'\n{written}\nEND\nexit {status}'


@pytest.mark.parametrize(
    ("tool", "status", "says"),
    [
        (told(WELL, 0), 0, "No known vulnerability in"),
        (told([*WELL, ILL], 1), 1, "x 1: GHSA-1, mended in 2"),
        (told([*WELL, ILL], 0), 1, "x 1: GHSA-1, mended in 2"),
        (told(WELL[3:], 0), 1, "3 of"),
        (told([], 0), 1, "No audit"),
        (told(but("psycopg-binary"), 0), 1, "psycopg-binary"),  # whose marker holds here
        (told(but("pywin32"), 0), 0, "No known vulnerability in"),  # of another platform
        (told([{**one, "skip_reason": "not found"} for one in WELL], 0), 1, "No audit"),
        (told(WELL, 1), 1, ""),
        ("exit 0", 1, "No audit"),
        ("echo 'requests: Max retries exceeded, Failed to resolve' >&2; exit 1", 1, "Max retries exceeded"),
        ("echo 'requirement without a hash' >&2; exit 1", 1, "without a hash"),
        ("exit 127", 1, "No audit"),
    ],
)
def test_it_passes_only_what_it_knows(tmp_path: Path, tool: str, status: int, says: str) -> None:
    fake = tmp_path / "pip-audit"
    fake.write_text(f"#!/usr/bin/env bash\n{tool}\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [str(AUDIT)], env=TOOLS | {"PIP_AUDIT": str(fake)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == status and says in done.stdout + done.stderr


def test_the_tools_of_a_release_are_locked_each_with_its_hashes() -> None:
    lines = (ROOT / ".ci" / "audit.txt").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith(("#", " "))]
    assert len(pinned) > 10 and all(re.fullmatch(r"[\w.-]+==\S+ \\", line) for line in pinned)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_an_action_is_named_by_its_commit_since_a_tag_can_be_moved(name: str) -> None:
    used = re.findall(r"uses: (.*)", (ROOT / ".github" / "workflows" / name).read_text())
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one) for one in used)


def test_what_signs_a_release_runs_no_tool_that_looks_things_up() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    jobs = workflow["jobs"]
    (audits,) = [name for name, job in jobs.items() if any(step.get("run") == ".ci/audit" for step in job["steps"])]
    assert jobs["build"]["needs"] == audits and "permissions" not in jobs[audits]
    assert workflow["permissions"] == {"contents": "read"}
