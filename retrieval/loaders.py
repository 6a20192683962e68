"""Files and folders in, sources out. What can't be read is named, and never stops the rest."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from primum.retrieval.markup import PlainPage, html_page, markdown_page, pdf_page, text_page
from primum.retrieval.plaintext import clean, line, web_address

MAX_FILE = 50 * 2**20  # bytes
MAX_ROW = 5 * 2**20  # bytes of one line of a .jsonl
STARTER = Path(__file__).resolve().parent / "starter"
_FORMAT = 1  # raise it when loading or chunking changes, so that everything is ingested again


@dataclass(frozen=True)
class Source:
    """One document: its identity, what is known about it, and its plain text with `## Heading` lines."""

    uri: str
    title: str
    text: str
    kind: str = "page"
    url: str = ""
    aliases: list[str] = field(default_factory=list)
    sources: list[dict[str, str]] = field(default_factory=list)
    reviewed: date | None = None
    origin: str = ""
    language: str = "en"
    audience: str = ""
    licence: str = ""
    evidence: str = ""
    published: date | None = None
    retracted: bool = False
    pages: list[int] = field(default_factory=list)

    @property
    def content_hash(self) -> str:
        """Changes when anything that is stored of this source changes."""
        content = json.dumps([_FORMAT, asdict(self)], default=str, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Unreadable:
    """What could not be read, and why; `name` is a path, or `path:line` for a row."""

    name: str
    reason: str


class _SkipError(Exception):
    """A reason to skip one file or row."""


def load(path: Path) -> Iterator[Source | Unreadable]:
    """All documents of a file or folder (recursive, sorted, hidden files left out)."""
    for file in _files(path):
        try:
            yield from _load_file(file)
        except _SkipError as error:
            yield Unreadable(str(file), str(error))
        except OSError as error:
            yield Unreadable(str(file), error.strerror or type(error).__name__)


def count(path: Path) -> int:
    """How many documents `load` will come to, roughly: one a file, one a line of a .jsonl."""
    return sum(_count_file(file) for file in _files(path))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = (file for file in path.rglob("*") if file.is_file())
    return sorted(f for f in inside if not any(part.startswith(".") for part in f.relative_to(path).parts))


def _count_file(file: Path) -> int:
    if not _is_jsonl(file):
        return 1
    try:
        with _open(file) as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b"")) or 1
    except (OSError, EOFError, zlib.error):
        return 1


def _is_jsonl(file: Path) -> bool:
    return file.name.lower().endswith((".jsonl", ".jsonl.gz"))


def _open(file: Path) -> Any:
    return gzip.open(file, "rb") if file.suffix.lower() == ".gz" else file.open("rb")


def _load_file(file: Path) -> Iterator[Source | Unreadable]:
    if _is_jsonl(file):
        yield from _load_rows(file)
        return
    reader = _READERS.get(file.suffix.lower())
    if not file.is_file():
        raise _SkipError("no such file")
    if reader is None:
        raise _SkipError(f"unknown kind of file; known are {', '.join(_READERS)}, .jsonl and .jsonl.gz")
    if file.stat().st_size > MAX_FILE:
        raise _SkipError(f"larger than {MAX_FILE // 2**20} MB")
    try:
        page = reader(file.read_bytes(), file.stem.replace("-", " ").replace("_", " ").strip())
    except UnicodeDecodeError as error:
        raise _SkipError(f"not UTF-8 text (byte {error.start})") from None
    except ValueError as error:
        raise _SkipError(str(error)) from None
    yield _source(_uri(file), page)


_READERS: dict[str, Callable[[bytes, str], PlainPage]] = {
    ".md": markdown_page,
    ".txt": text_page,
    ".html": html_page,
    ".htm": html_page,
    ".pdf": pdf_page,
}


def _uri(file: Path) -> str:
    file = file.resolve()
    return f"starter:{file.stem}" if file.parent == STARTER else f"file:{clean(str(file))}"


def _load_rows(file: Path) -> Iterator[Source | Unreadable]:
    number = 0
    try:
        with _open(file) as stream:
            while row := stream.readline(MAX_ROW + 1):
                number += 1
                try:
                    if len(row) > MAX_ROW:
                        while row and not row.endswith(b"\n"):
                            row = stream.readline(MAX_ROW)
                        raise _SkipError(f"a row larger than {MAX_ROW // 2**20} MB")
                    if row.strip():
                        yield _row_source(file.name, number, row)
                except _SkipError as error:
                    yield Unreadable(f"{file}:{number}", str(error))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _SkipError(f"broken gzip after line {number}: {error}") from None
    if number == 0:
        raise _SkipError("empty")


def _row_source(name: str, number: int, row: bytes) -> Source:
    try:
        fields = json.loads(row)
    except (ValueError, RecursionError):
        raise _SkipError("not JSON") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise _SkipError("not an object with a `text`")
    identity = line(str(fields.get("_id", fields.get("id", number))))
    title = line(str(fields.get("title") or "")) or identity
    return _source(f"{clean(name)}#{identity}", PlainPage(title, clean(fields["text"]), fields))


def _source(uri: str, page: PlainPage) -> Source:
    if not page.text:
        raise _SkipError("no text in it")
    meta = page.meta
    url = web_address(meta.get("url"))
    return Source(
        uri=uri,
        title=page.title,
        text=page.text,
        kind=line(str(meta.get("kind") or "page")),
        url=url,
        aliases=[line(str(alias)) for alias in _list(meta.get("aliases"))],
        sources=_sources(meta, page.title, url),
        reviewed=_date(meta.get("reviewed")),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _sources(meta: dict[str, Any], title: str, url: str) -> list[dict[str, str]]:
    given = [source for source in _list(meta.get("sources")) if isinstance(source, dict)]
    if not given and isinstance(meta.get("source"), str):
        given = [{"title": title, "publisher": meta["source"], "url": url}]
    return [
        {
            "title": line(str(source.get("title") or "")),
            "publisher": line(str(source.get("publisher") or "")),
            "url": web_address(source.get("url")),
        }
        for source in given
    ]


def _date(value: object) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
