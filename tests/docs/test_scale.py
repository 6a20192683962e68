"""docs/scale.md: what is worked out of conversations follows from the figures above it, and what it names is there."""

import math
import re
from pathlib import Path

import pytest

from primum.graph.settings import Settings
from primum.memory.jobs import AT_ONCE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
JOBS = AT_ONCE + 2  # connections of the worker's own pool (memory/jobs.py)
PART = PAGE[PAGE.index("## A thousand") : PAGE.index("## What was not run")]
SECONDS, BUSY, READ, WRITTEN, TOKENS = 60, 0.6, 8000, 1500, 1.3  # the page's parameters: P, u, a, d, tokens a word


def number(text: str) -> float:
    return float(text.strip(" *").replace(",", ""))


MEASURED = {
    name: (number(stands), number(refined))
    for name, stands, refined in re.findall(r"^\|.*\(`(\w+_a_turn)`\).*?\| ([\d.,]+) \| ([\d.,]+) \|$", PART, re.M)
}
WORKED = {
    line.split("|")[1].strip(): [number(cell) for cell in line.split("|")[3:5]]
    for line in re.findall(r"^\|.*\| \*[\d.,]+\* \|$", PART, re.M)
}
(PROCESSOR,) = (float(ms) for ms in re.findall(r"\*\*(\d+) ms\*\* of a core", PART))


def gpus(turns: float, prompt: str, mix: int) -> int:
    needed = MEASURED[prompt][mix] / READ + TOKENS * MEASURED["answer_words_a_turn"][mix] / WRITTEN
    return math.ceil(turns * needed / BUSY)


@pytest.mark.parametrize(("column", "threads"), [(0, 1_000), (1, 100_000)])
def test_what_is_worked_out_follows_from_what_was_measured(column: int, threads: int) -> None:
    turns = threads / SECONDS
    processes = math.ceil(turns * PROCESSOR / 1000 / BUSY)
    connections = 2 * Settings.model_fields["database_pool"].default + JOBS
    stays = MEASURED["bytes_that_stay_a_turn"][0]
    wanted = {
        "turns a second": turns,
        "API processes, a core each": processes,
        "connections to Postgres, at the most": processes * connections,
        "commits a second": turns * MEASURED["commits_a_turn"][0],
        "rows written a second": turns * MEASURED["rows_written_a_turn"][0],
        "WAL, MB a second": turns * MEASURED["wal_kb_a_turn"][0] / 1000,
        "what stays, GB a day of 24 such hours": turns * 86_400 * stays / 1e9,
        "GPUs, all drafts stand": gpus(turns, "new_prompt_tokens_a_turn", 0),
        "GPUs, all are refined": gpus(turns, "new_prompt_tokens_a_turn", 1),
        "GPUs, all are refined, without a prefix cache": gpus(turns, "prompt_tokens_a_turn", 1),
    }
    told = {name: cells[column] for name, cells in WORKED.items()}
    assert told.keys() == wanted.keys()
    assert {name: (told[name], value) for name, value in wanted.items() if abs(told[name] / value - 1) > 0.03} == {}


def test_a_patient_year_and_the_smallest_pool_are_worked_out_as_told() -> None:
    turns = int(re.findall(r"with (\d+) turns \(a parameter\)", PART)[0])
    kilobytes, gigabytes = (number(one) for one in re.findall(r"= \*([\d,]+) KB\*, so \*([\d,]+) GB\*", PART)[0])
    year = turns * MEASURED["bytes_that_stay_a_turn"][0]
    assert abs(kilobytes - year / 1000) <= 0.5 and abs(gigabytes - year / 1000) <= 0.5
    (least,) = (number(one) for one in re.findall(r"PRIMUM_DATABASE_POOL=2`: ([\d,]+) of them", PART))
    assert least == WORKED["API processes, a core each"][1] * (2 * 2 + JOBS)
    assert Settings.model_fields["database_pool"].metadata[0].ge == 2


def test_the_files_and_settings_that_it_names_are_there() -> None:
    named = re.findall(r"`((?:deploy|memory|retrieval|bench|alembic)/[\w./-]*)", PAGE)
    assert {path for path in named if not (ROOT / path).exists()} == set()
    settings = {name.removeprefix("PRIMUM_").lower() for name in re.findall(r"PRIMUM_[A-Z_]+", PAGE)}
    assert settings <= Settings.model_fields.keys()
    assert "server-template model- 16 " in (ROOT / "deploy/haproxy/router.cfg").read_text()
