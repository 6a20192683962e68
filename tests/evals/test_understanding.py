"""The evaluation of understanding: what its report counts, and what a broken case says."""

from pathlib import Path

import pytest

from primum.evals.cases import read
from primum.evals.understanding import Row, run
from primum.memory.session import Database
from primum.retrieval.starter import STARTER
from tests.fakes import FakeEmbedder

HELD_OUT = Path(__file__).parents[2] / "evals" / "held_out"
CASES = [
    {"id": "a", "question": "2型糖尿病有哪些症状？", "page": "type-2-diabetes"},
    {"id": "b", "question": "gout", "page": "gout"},
    {"id": "c", "question": "gout", "page": "scabies", "language": "en"},
]


async def test_right_first_pages_are_counted_before_and_after_by_language(database: Database) -> None:
    report = await run(CASES, database, FakeEmbedder(dimensions=512))
    assert (report["n"], report["before"], report["after"]) == (3, 0.3333, 0.6667)
    assert report["by_language"]["zh"] == {"n": 1, "before": 0.0, "after": 1.0}
    assert [miss["id"] for miss in report["missed"]] == ["c"] and report["lost"] == []
    assert report["missed"][0]["found"] == "gout"


async def test_a_page_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(ValueError, match="no page 'goat' in the starter library \\(case x\\)"):
        await run([{"id": "x", "question": "?", "page": "goat"}], database, FakeEmbedder())


@pytest.mark.parametrize("name", ["understanding.jsonl", "understanding_2.jsonl"])
def test_the_held_out_questions_are_of_three_languages_and_want_pages_that_are_there(name: str) -> None:
    rows = read(HELD_OUT / name, Row)
    assert [sum(row["language"] == one for row in rows) for one in ("zh", "es", "en")] == [10, 10, 10]
    assert {row["page"] for row in rows} <= {path.stem for path in STARTER.glob("*.md")}
