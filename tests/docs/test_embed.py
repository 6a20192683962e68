"""docs/embed.md and the README's own snippets are run as they stand, at the test's addresses."""

import asyncio
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from primum.graph.answer import Status
from primum.graph.settings import Settings
from tests.docs.test_agents import ran
from tests.fakes import FakeVLLM
from tests.pages import cited
from tests.served import served

ROOT = Path(__file__).parents[2]
HERE = "http://127.0.0.1:8400"
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("docs/embed.md", "README.md")}
DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXTS[name], re.MULTILINE | re.DOTALL)


PYTHON = {f"{name} {number}": code for name in TEXTS for number, code in enumerate(blocks(name, "python"))}


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in PYTHON.items() if HERE not in code])
def test_what_runs_in_process_prints_what_it_says(code: str, environment: dict[str, str], vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    said = asyncio.run(ran(code, environment))
    asked = re.search(r"(ask|stream|ainvoke|invoke)\(", code)
    assert asked is not None and (said.strip() or "literature" in code)
    if "paracetamol" in code:
        assert DOSE in said


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in PYTHON.items() if HERE in code])
def test_what_asks_over_http_gets_an_answer(
    code: str, environment: dict[str, str], api: httpx.Client, vllm: FakeVLLM
) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    assert asyncio.run(ran(code.replace(HERE, str(api.base_url)), environment)).strip()


def curls(name: str) -> Iterator[list[str]]:
    for block in blocks(name, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("curl"):
                yield shlex.split(line, comments=True)


@pytest.mark.parametrize("name", TEXTS)
def test_each_line_of_curl_is_answered(name: str, api: httpx.Client, vllm: FakeVLLM, tmp_path: Path) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    api.post(
        "/threads/t/turns", json={"question": "I take warfarin. What is gout?", "patient": "p1"}
    ).raise_for_status()
    (tmp_path / "guideline.pdf").write_bytes(_pdf())
    lines = list(curls(name))
    assert lines
    for words in lines:
        words = [word.replace(HERE, str(api.base_url)) for word in words]
        told = subprocess.run(
            [*words, "--fail", "--silent", "--show-error"], cwd=tmp_path, capture_output=True, text=True
        )
        assert told.returncode == 0 and told.stdout, (words, told.stderr)


def _pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas("guideline.pdf")
    canvas.drawString(72, 720, "Colchicine is a first treatment of a gout attack in our clinic.")
    return bytes(canvas.getpdfdata())


def test_every_status_is_told() -> None:
    (told,) = re.findall(r"^`status` is (.*?)\. Errors", TEXTS["docs/embed.md"], re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", told)) == set(get_args(Status))


def test_each_link_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"
