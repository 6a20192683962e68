"""`primum eval`: no option is ignored, and a library that is kept is that of these very files and this embedder."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from primum.graph.errors import BadInput, PrimumError
from primum.server.cli import app
from primum.server.eval_cli import library_key
from tests.fakes import FakeEmbedder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"_id": "1", "text": "Gout hurts."}\n')
    return file


def test_the_same_files_and_embedder_have_the_same_library(corpus: Path) -> None:
    assert library_key([corpus], FakeEmbedder()) == library_key([corpus, corpus], FakeEmbedder())


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"id": "1", "text": "crushing chest pain", "emergency": true}\n')
    done = CliRunner().invoke(app, ["eval", "triage", "--data", str(cases), "--out", "/dev/full"])
    assert isinstance(done.exception, PrimumError)
    assert str(done.exception).startswith("/dev/full can't be written to (No space left on device)")


def test_another_embedder_has_another_library(corpus: Path) -> None:
    retrained = FakeEmbedder()
    retrained.fingerprint = "other weights under the same name"
    keys = {library_key([corpus], one) for one in (FakeEmbedder(), FakeEmbedder("other"), retrained)}
    assert len(keys) == 3


def test_a_file_that_changed_has_another_library(corpus: Path) -> None:
    before = library_key([corpus], FakeEmbedder())
    times = corpus.stat()
    os.utime(corpus, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    later = library_key([corpus], FakeEmbedder())
    corpus.write_text("longer than it was before\n" * 9)
    os.utime(corpus, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len({before, later, library_key([corpus], FakeEmbedder())}) == 3


def test_a_folder_beside_counts_with_each_of_its_files(corpus: Path, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "a.md").write_text("# Flu\n\nFever.")
    before = library_key([corpus, beside], FakeEmbedder())
    (beside / "b.md").write_text("# Gout\n\nPain.")
    assert library_key([corpus, beside], FakeEmbedder()) != before


@pytest.mark.parametrize(
    ("task", "option"),
    [
        *(("doses", "--rules-only"), ("memory", "--rules-only"), ("retrieval", "--rules-only")),
        *(("triage", "--with-model"), ("retrieval", "--with-model"), ("understanding", "--with-model")),
        *(("triage", "--beside"), ("understanding", "--beside")),
        *(("sufficiency", "--baseline"), ("safety", "--baseline")),
        *(("triage", "--model"), ("audit", "--evidence"), ("mcq", "--bert-model"), ("answers", "--judge-model")),
    ],
)
def test_an_option_that_a_task_would_ignore_is_refused(corpus: Path, task: str, option: str) -> None:
    value = [] if option in ("--rules-only", "--with-model") else [str(corpus)]
    data = corpus.parent if task in ("retrieval", "sufficiency") else corpus
    done = CliRunner().invoke(app, ["eval", task, "--data", str(data), option, *value])
    assert isinstance(done.exception, BadInput)
    assert str(done.exception).startswith(option) and f"not with {task}. Leave it out." in str(done.exception)
