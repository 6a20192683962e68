"""docs/cases.md is run as it stands."""

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "cases.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def ran(*command: str, environment: dict[str, str], cwd: Path | None = None) -> str:
    program = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await program.communicate()
    assert program.returncode == 0, err.decode()[-2000:]
    return out.decode()


def primum(line: str) -> list[str]:
    return [sys.executable, "-m", *shlex.split(line)]


async def test_the_command_works_a_case_up(environment: dict[str, str]) -> None:
    (line, *_) = [line for code in snippets("bash") for line in code.splitlines()]
    assert "### Red flags" in await ran(*primum(line), environment=environment)
    told = json.loads(await ran(*primum(line), "--json", environment=environment))
    assert told["case"]["presentation"]["medicines"] == ["sildenafil"]
    assert told["status"] in ("evidence_only", "unverified")


async def test_the_python_snippet_tells_what_is_missing(environment: dict[str, str]) -> None:
    (code,) = snippets("python")
    assert "Any allergy?" in await ran(sys.executable, "-c", code, environment=environment)


async def test_cases_are_made_and_judged_by_the_commands(environment: dict[str, str], tmp_path: Path) -> None:
    _, make, judge = (line for code in snippets("bash") for line in code.splitlines())
    await ran(*primum(make), environment=environment, cwd=tmp_path)
    assert len((tmp_path / "cases.jsonl").read_text().splitlines()) == 5
    report = json.loads(await ran(*primum(judge), environment=environment, cwd=tmp_path))
    assert report["n"] == 5 and report["unsafe_plans"] == 0
