import json
import math
from pathlib import Path

import pytest

from primum.evals import retrieval, sufficiency
from primum.evals.retrieval import Beir, Ranking
from primum.memory.session import Database
from tests.fakes import FakeEmbedder

PAGES = {
    "gout-1": ("Gout", "Gout is a painful arthritis of the big toe."),
    "gout-2": ("Gout", "Allopurinol prevents attacks of gout."),
    "flu-1": ("Flu", "Flu is an infection of the airways with fever."),
    "acne-1": ("Acne", "Acne makes spots on the face of teenagers."),
}
QUERIES = {"q1": "What prevents attacks of gout?", "q2": "Is flu an infection of the airways?", "q3": "asked of no one"}
QRELS = [("q1", "gout-2", 1), ("q2", "flu-1", 2), ("q2", "gout-1", 0)]


def rows(values: list[dict[str, str]]) -> str:
    return "\n".join(json.dumps(value) for value in values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text(rows([{"_id": i, "title": t, "text": x} for i, (t, x) in PAGES.items()]))
    (tmp_path / "queries.jsonl").write_text(rows([{"_id": i, "text": text} for i, text in QUERIES.items()]))
    (tmp_path / "qrels.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "\n".join(f"{q}\t{d}\t{grade}" for q, d, grade in QRELS)
    )
    return tmp_path


async def test_the_agents_search_is_judged_on_a_beir_folder(folder: Path, database: Database, tmp_path: Path) -> None:
    beside = tmp_path / "beside.md"
    beside.write_text("# Measles\n\nMeasles is an infection with a rash.")
    report = await retrieval.run(retrieval.read(folder), [beside], database, FakeEmbedder())
    assert report["n"] == 2 and report["library"]["documents"] == 5
    assert (report["ndcg@10"], report["recall@10"], report["recall@100"], report["mrr@10"]) == (1, 1, 1, 1)
    assert report["queries"] == {"q1": 1.0, "q2": 1.0} and report["p95_ms"] >= report["p50_ms"] > 0


async def test_the_measures_are_those_of_the_literature() -> None:
    async def second_and_eleventh(_: str) -> Ranking:
        return {name: 20.0 - place for place, name in enumerate("xa" + "cdefghij" + "b")}

    report = await retrieval.measure(second_and_eleventh, Beir(Path("-"), {"q": "?"}, {"q": {"a": 1, "b": 1}}))
    gain = (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    assert report["ndcg@10"] == pytest.approx(gain, abs=1e-4)
    assert (report["recall@10"], report["recall@100"], report["mrr@10"]) == (0.5, 1.0, 0.5)


async def test_a_query_that_finds_nothing_counts_as_nothing() -> None:
    async def empty(_: str) -> Ranking:
        return {}

    report = await retrieval.measure(empty, Beir(Path("-"), {"q": "?"}, {"q": {"a": 1}}))
    assert (report["ndcg@10"], report["recall@10"], report["mrr@10"]) == (0, 0, 0)


def test_two_runs_are_compared_query_by_query() -> None:
    queries = {f"q{n}": 0.5 for n in range(40)}
    same = retrieval.compare({"queries": queries}, {"queries": queries})
    assert (same["ndcg@10_gain"], same["p_value"], same["better"], same["worse"]) == (0, 1, 0, 0)
    better = retrieval.compare({"queries": dict.fromkeys(queries, 0.6)}, {"queries": queries | {"other": 1.0}})
    assert better["ndcg@10_gain"] == pytest.approx(0.1) and better["p_value"] < 0.001 and better["queries"] == 40
    mixed = {name: 0.5 + (0.1 if number % 2 else -0.1) for number, name in enumerate(queries)}
    assert retrieval.compare({"queries": mixed}, {"queries": queries})["p_value"] > 0.9
    with pytest.raises(ValueError, match="no query in common"):
        retrieval.compare({"queries": {"a": 1.0}}, {"queries": {"b": 1.0}})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("corpus.jsonl", None, "no corpus.jsonl or corpus.jsonl.gz in it"),
        ("queries.jsonl", None, "queries.jsonl: can't be read"),
        ("queries.jsonl", '{"_id": "q1"}', r"queries.jsonl, line 1: not an object with _id and text"),
        ("qrels.tsv", "query\tdocument\tscore\nq1\tgout-2", r"qrels.tsv, line 2: not query, document and grade"),
        ("qrels.tsv", "query\tdocument\tscore\nq9\tgout-2\t1", "no query has a relevant document"),
    ],
)
def test_what_cannot_be_read_is_named(folder: Path, name: str, text: str | None, said: str) -> None:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(ValueError, match=said):
        retrieval.read(folder)


async def test_sufficiency_is_judged_with_the_topic_there_and_taken_out(folder: Path, database: Database) -> None:
    report = await sufficiency.run(retrieval.read(folder), [], database, FakeEmbedder())
    assert report["there"]["n"] == report["taken_out"]["n"] == 2
    assert report["area_under_curve"] == 1.0
    assert report["there"]["mean"] > report["taken_out"]["mean"]
    assert report["false_enough"] == len(report["false_enough_ids"]) / 2
    assert all(weights[-1] > 0 for weights in report["fit"].values())
