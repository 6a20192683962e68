from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from primum.retrieval import remote
from primum.retrieval.loaders import Source, Unreadable
from primum.retrieval.remote import is_remote, load_remote
from tests.retrieval import documents


@pytest.fixture
def bucket() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_a_remote_folder_is_read_in_order_and_bad_files_are_named(bucket: Any) -> None:
    for name, data in {
        "ward/b.md": b"# Gout\n\nIt hurts.",
        "ward/a/rows.jsonl": b'{"_id": "x", "text": "A row."}',
        "ward/c.pdf": b"broken",
        "ward/d.bin": b"?",
        "ward/.hidden/e.txt": b"Hidden.",
    }.items():
        bucket.pipe(f"/{name}", data)
    found = list(load_remote("memory://ward"))
    assert [item.uri for item in found if isinstance(item, Source)] == [
        "memory:///ward/a/rows.jsonl#x",
        "memory:///ward/b.md",
    ]
    assert [(item.name, item.reason.split()[0]) for item in found if isinstance(item, Unreadable)] == [
        ("memory:///ward/c.pdf", "a"),
        ("memory:///ward/d.bin", "unknown"),
    ]


def test_one_remote_file_keeps_its_address_and_its_pages(bucket: Any) -> None:
    bucket.pipe("/talks/sepsis.pptx", documents.slides())
    (page,) = load_remote("memory://talks/sepsis.pptx")
    assert isinstance(page, Source)
    assert (page.uri, len(page.pages)) == ("memory:///talks/sepsis.pptx", 3)


def test_a_remote_file_too_large_is_not_fetched(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_FILE", 2**20)
    bucket.pipe("/a.txt", bytes(2**21))
    assert list(load_remote("memory://a.txt")) == [Unreadable("memory:///a.txt", "larger than 1 MB")]


@pytest.mark.parametrize(("name", "why"), [("a.bin", "unknown kind of file"), ("a.doc", "save it as .docx")])
def test_a_remote_file_of_another_kind_is_named_and_not_fetched(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    bucket.pipe(f"/{name}", b"Some bytes.")
    fetched: list[str] = []
    monkeypatch.setattr(remote, "_copy", lambda system, place, file, most: fetched.append(place))
    (found,) = load_remote(f"memory://{name}")
    assert isinstance(found, Unreadable)
    assert found.name == f"memory:///{name}" and why in found.reason and fetched == []


def test_remote_files_of_one_name_never_take_each_others_place(bucket: Any) -> None:
    for name in ("one/rows.jsonl", "two/rows.jsonl", "two/rows.jsonl#1.md"):
        bucket.pipe(f"/{name}", b'{"text": "A row."}')
    uris = [item.uri for item in load_remote("memory://") if isinstance(item, Source)]
    assert uris == ["memory:///one/rows.jsonl#1", "memory:///two/rows.jsonl#1", "memory:///two/rows.jsonl%231.md"]


def test_nothing_of_a_remote_file_stays_on_this_machine(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bucket.pipe("/a.txt", b"Some text.")
    assert [type(item) for item in load_remote("memory://a.txt")] == [Source]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("memory://nothing", "no such file or folder"),
        ("nonsense://bucket/a", "no kind of address"),
        ("gs://bucket/a", "pip install gcsfs"),
    ],
)
def test_an_address_that_cannot_be_read_is_named_with_how_to_mend_it(address: str, why: str) -> None:
    (found,) = load_remote(address)
    assert isinstance(found, Unreadable)
    assert found.name == address and why in found.reason


def test_paths_are_no_addresses() -> None:
    assert is_remote("s3://bucket/folder")
    assert not any(map(is_remote, ["/a/b.md", "a.md", "dailymed:aspirin", "C:\\a.md", Path("s3:/a")]))
