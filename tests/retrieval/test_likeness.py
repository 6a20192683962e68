"""Likeness to labelled examples."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from structlog.testing import capture_logs

from primum.nodes.examples import labelled, meaningful
from primum.retrieval import likeness
from primum.retrieval.likeness import NONE, embed_once, fit
from primum.safety import harm, red_flags
from tests.fakes import FakeEmbedder

ALLOWED = 0.05


def unit(rows: np.ndarray) -> likeness.Floats:
    found: likeness.Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def two_clouds(apart: float, each: int = 80) -> tuple[list[str], likeness.Floats]:
    random = np.random.default_rng(7)
    place = np.zeros(16)
    place[0] = apart
    rows = np.vstack([random.normal(size=(each, 16)) * 0.3 + place, random.normal(size=(each, 16)) * 0.3 - place])
    return ["fire"] * (each // 2) + ["flood"] * (each // 2) + [NONE] * each, unit(rows)


def test_a_message_like_the_examples_gets_their_labels_and_one_like_none_gets_no_label() -> None:
    labels, vectors = two_clouds(apart=1.0)
    found = fit(labels, vectors, ALLOWED)
    assert found is not None
    assert found.nearest(list(vectors[3])) and found.nearest(list(vectors[3]))[0] == "fire"
    assert NONE not in found.nearest(list(vectors[3]))
    assert found.nearest(list(vectors[-1])) == ()


def test_few_of_the_harmless_examples_score_high_when_they_are_left_out() -> None:
    labels, vectors = two_clouds(apart=0.5)
    found = fit(labels, vectors, ALLOWED)
    assert found is not None
    held = unit(np.random.default_rng(8).normal(size=(400, 16)) * 0.3 - np.eye(16)[0] * 0.5)
    assert sum(bool(found.nearest(list(row))) for row in held) <= 400 * 2 * ALLOWED


def test_an_embedder_that_cannot_tell_the_examples_apart_is_not_asked() -> None:
    assert fit(*two_clouds(apart=0.0), ALLOWED) is None


def test_vectors_are_made_once_and_made_again_if_damaged_or_of_other_texts(tmp_path: Path) -> None:
    embedder, texts = FakeEmbedder(), ["smoke and flames", "a calm day"]
    first = embed_once(texts, embedder, tmp_path)
    assert len(embedder.passages) == 2
    assert np.array_equal(embed_once(texts, embedder, tmp_path), first) and len(embedder.passages) == 2
    (kept,) = tmp_path.glob("*.npy")
    kept.write_bytes(b"no array")
    assert np.array_equal(embed_once(texts, embedder, tmp_path), first) and len(embedder.passages) == 4
    embed_once([*texts, "another day"], embedder, tmp_path)
    assert len(embedder.passages) == 7


def test_a_home_that_cannot_be_written_to_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with capture_logs() as logs:
        vectors = embed_once(["smoke"], FakeEmbedder(), tmp_path / "file" / "cache")
    assert vectors.shape == (1, 64) and logs[0]["event"] == "likeness.not_kept"


def test_every_label_is_one_that_the_rules_know() -> None:
    assert labelled("emergencies").keys() - {NONE} <= {rule.id for rule in red_flags.rules()}
    assert all(harm.declined(category).text for category in labelled("harm").keys() - {NONE})


@pytest.mark.parametrize("kind", ["emergencies", "harm"])
def test_no_example_stands_under_two_labels(kind: Literal["emergencies", "harm"]) -> None:
    found = labelled(kind)
    texts = [text.casefold() for texts in found.values() for text in texts]
    assert len(texts) == len(set(texts)) and min(map(len, found.values())) >= 5


def test_vital_signs_as_data_are_left_out_of_what_is_compared() -> None:
    assert meaningful('Cough. Vitals: {"hr": 80}') == "Cough. Vitals:"
    assert meaningful('{"hr": 80}') == '{"hr": 80}'
    assert len(meaningful("word " * 2000)) <= 2000
