"""Files and folders in, sources out. What can't be read is named, and never stops the rest."""

import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from primum.retrieval import archive
from primum.retrieval.markup import html_page, markdown_page, text_page
from primum.retrieval.openfda import is_label_file, label_pages
from primum.retrieval.pdf import pdf_page
from primum.retrieval.plaintext import decoded
from primum.retrieval.rows import MAX_ROW, is_jsonl, jsonl_pages, object_pages, opened_rows, table_pages
from primum.retrieval.slides import slides_page
from primum.retrieval.source import Empty, PlainPage, Source, Unreadable, escaped, source_of, title_of
from primum.retrieval.word import word_page
from primum.retrieval.xml_file import xml_pages

__all__ = [
    "MAX_FILE",
    "MAX_ROW",
    "STARTER",
    "Source",
    "Unreadable",
    "count",
    "files",
    "is_hidden",
    "is_known",
    "leads_out",
    "load",
    "load_as",
    "uri_of",
]

MAX_FILE = 50 * 2**20  # bytes
STARTER = Path(__file__).resolve().parent / "starter"

Pages = Iterable[PlainPage | Unreadable]


def load(path: Path) -> Iterator[Source | Unreadable]:
    """All documents of a file or folder (recursive, sorted, hidden files left out)."""
    for file in files(path):
        if leads_out(file, path):
            yield Unreadable(str(file), "a link that leads out of the folder; give the file that it leads to")
        else:
            yield from load_as(file, uri_of(file), str(file))


def load_as(file: Path, uri: str, name: str) -> Iterator[Source | Unreadable]:
    """All documents of one file that stands for another place.

    Args:
        uri: the identity of the file's only document; those of rows and of an archive's files begin with it and `#`.
        name: what to call the file if it can't be read.
    """
    try:
        for page in _pages(file):
            if isinstance(page, Unreadable):
                yield replace(page, name=f"{name}:{page.name}")
            else:
                yield from _source(page, uri, name)
    except OSError as error:
        yield Unreadable(name, error.strerror or type(error).__name__)
    except ValueError as error:
        yield _refused(name, error)
    except RecursionError:
        yield Unreadable(name, "nested too deeply")


def _source(page: PlainPage, uri: str, name: str) -> Iterator[Source | Unreadable]:
    identity = uri + page.identity if page.identity[:1] in ("", "#") else page.identity
    try:
        yield source_of(page, identity)
    except ValueError as error:
        yield _refused(f"{name}:{page.identity}" if page.identity else name, error)


def _refused(name: str, error: ValueError) -> Unreadable:
    reason = f"not UTF-8 text (byte {error.start})" if isinstance(error, UnicodeDecodeError) else str(error)
    return Unreadable(name, reason, isinstance(error, Empty))


def count(path: Path) -> int:
    """How many documents `load` will come to, roughly: one a file, one a line of a .jsonl."""
    return sum(_count_file(file) for file in files(path))


def is_known(file: Path) -> bool:
    """Whether files of this kind can be read."""
    return is_jsonl(file.name) or file.suffix.lower() in (*_READERS, *_COLLECTIONS, ".zip")


def files(path: Path) -> list[Path]:
    """A file, or all files of a folder that are not hidden, each once, whether they can be read or not."""
    if not path.is_dir():
        return [path]
    inside = [file for file in path.rglob("*") if not is_hidden(file.relative_to(path)) and file.is_file()]
    inside.sort(key=lambda file: (file.is_symlink(), file))
    return sorted({file.resolve(): file for file in reversed(inside)}.values())


def is_hidden(path: Path) -> bool:
    """Whether a path in a folder is left out: a name begins with a point, or as those of Office's lock files do."""
    return any(part.startswith((".", "~$")) for part in path.parts)


def leads_out(file: Path, folder: Path) -> bool:
    """Whether a file that was found in a folder lies elsewhere, by a link."""
    return not file.resolve().is_relative_to(folder.resolve())


def uri_of(file: Path) -> str:
    """The identity of a file's only document: where it lies; `#` never stands in it but before what is in the file."""
    file = file.resolve()
    return f"starter:{file.stem}" if file.parent == STARTER else f"file:{escaped(str(file))}"


def _count_file(file: Path) -> int:
    if not is_jsonl(file.name):
        return 1
    try:
        with opened_rows(file) as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b"")) or 1
    except (OSError, EOFError, zlib.error):
        return 1


def _pages(file: Path) -> Pages:
    if not file.is_file():
        raise ValueError("no such file")
    if is_jsonl(file.name):
        return _rows(file)
    if file.suffix.lower() == ".zip":
        return _zip_pages(file)
    if is_known(file) and file.stat().st_size > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE // 2**20} MB")
    return read(file.name, file.read_bytes if is_known(file) else bytes)


def _rows(file: Path) -> Pages:
    with opened_rows(file) as stream:
        yield from jsonl_pages(stream)


def read(name: str, content: Callable[[], bytes]) -> Pages:
    """The documents of a file of this name. Raises ValueError, also as it goes, if it can't be read."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if old := _OLD.get(suffix):
        raise ValueError(f"an old kind of file; save it as {old}")
    if suffix in _READERS:
        return [_READERS[suffix](content(), title_of(path.name))]
    if suffix == ".jsonl":
        return jsonl_pages(io.BytesIO(content()))
    if suffix in _COLLECTIONS:
        return _COLLECTIONS[suffix](content(), title_of(path.name))
    known = ", ".join([*_READERS, *_COLLECTIONS, ".zip", ".jsonl"])
    raise ValueError(f"unknown kind of file; known are {known} and .jsonl.gz")


def _zip_pages(file: Path) -> Pages:
    """The documents of an archive's files; an archive in an archive is left alone."""
    with archive.opened(file) as opened:
        for member in archive.members(opened):
            try:
                for page in read(member.filename, lambda: archive.unpacked(opened, member)):  # noqa: B023
                    if isinstance(page, Unreadable):
                        yield replace(page, name=f"{member.filename}:{page.name}")
                    else:
                        yield _within(page, member.filename)
            except ValueError as error:
                yield _refused(member.filename, error)
            except RecursionError:
                yield Unreadable(member.filename, "nested too deeply")


def _within(page: PlainPage, member: str) -> PlainPage:
    """A page whose identity is not a whole uri is named after its place in the archive."""
    return replace(page, identity=f"#{escaped(member)}{page.identity}") if page.identity[:1] in ("", "#") else page


def _json_pages(data: bytes, _name: str) -> Pages:
    try:
        content = json.loads(decoded(data))
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    if is_label_file(content):
        return label_pages(content)
    if isinstance(content, list):
        return object_pages(content)
    raise ValueError("an unknown kind of JSON; known are openFDA drug labels and lists of objects with a `text`")


_READERS: dict[str, Callable[[bytes, str], PlainPage]] = {
    ".md": markdown_page,
    ".txt": text_page,
    ".html": html_page,
    ".htm": html_page,
    ".pdf": pdf_page,
    ".docx": word_page,
    ".pptx": slides_page,
}
_COLLECTIONS: dict[str, Callable[[bytes, str], Pages]] = {
    ".csv": table_pages,
    ".tsv": table_pages,
    ".xml": xml_pages,
    ".json": _json_pages,
}
_OLD = {".doc": ".docx", ".ppt": ".pptx", ".xls": ".csv", ".xlsx": ".csv", ".rtf": ".docx", ".odt": ".docx"}
