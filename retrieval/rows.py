"""Rows that are documents, or a document of rows: .jsonl, .json lists, .csv and .tsv."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from primum.retrieval.plaintext import clean, decoded, line
from primum.retrieval.source import PlainPage, Unreadable
from primum.retrieval.table import table_lines

MAX_ROW = 5 * 2**20  # bytes of one line of a .jsonl
_DELIMITERS = ",;\t|"
_TEXT, _TITLE = ("text", "answer"), ("title", "question")


def is_jsonl(name: str) -> bool:
    """Whether a file of this name holds one JSON object a line."""
    return name.lower().endswith((".jsonl", ".jsonl.gz"))


def opened_rows(file: Path) -> IO[bytes]:
    """A .jsonl or .jsonl.gz, unpacked as it is read."""
    return gzip.open(file, "rb") if file.suffix.lower() == ".gz" else file.open("rb")  # type: ignore[return-value]


def jsonl_pages(stream: IO[bytes]) -> Iterator[PlainPage | Unreadable]:
    """One document a line; the names of bad lines are their numbers. Raises ValueError if it is empty or breaks off."""
    number = 0
    try:
        while row := stream.readline(MAX_ROW + 1):
            number += 1
            try:
                if len(row) > MAX_ROW:
                    while row and not row.endswith(b"\n"):
                        row = stream.readline(MAX_ROW)
                    raise ValueError(f"a row larger than {MAX_ROW // 2**20} MB")
                if row.strip():
                    yield _row_page(_parsed(row), number)
            except ValueError as error:
                yield Unreadable(str(number), str(error))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"broken gzip after line {number}: {error}") from None
    if number == 0:
        raise ValueError("empty")


def _parsed(row: bytes) -> object:
    try:
        return json.loads(row)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


def object_pages(objects: list[Any]) -> Iterator[PlainPage | Unreadable]:
    """One document for each object of a JSON list."""
    for number, fields in enumerate(objects, 1):
        try:
            yield _row_page(fields, number)
        except ValueError as error:
            yield Unreadable(str(number), str(error))


def _row_page(fields: object, number: int) -> PlainPage:
    if not isinstance(fields, dict):
        raise ValueError("not an object with a `text`")
    text = _first(fields, _TEXT)
    if not isinstance(text, str):
        raise ValueError("not an object with a `text`")
    identity = line(str(fields.get("_id", fields.get("id", number))))
    title = line(str(_first(fields, _TITLE) or "")) or identity
    if not clean(text):
        raise ValueError("no text in it")
    return PlainPage(title, clean(text), fields, identity=f"#{identity}")


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def table_pages(data: bytes, name: str) -> Iterator[PlainPage | Unreadable]:
    """A .csv or .tsv: one document a row if it has a column `text` or `answer`, else one document with a line a row."""
    text = decoded(data)
    csv.field_size_limit(MAX_ROW)
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise ValueError(f"not a table of values: {error}") from None
    if not rows:
        raise ValueError("empty")
    heads = [line(head) for head in rows[0]]
    keys = [head.lower() for head in heads]
    if len(rows) > 1 and set(keys) & set(_TEXT) and set(keys) & set(_TITLE):
        yield from object_pages([dict(zip(keys, row, strict=False)) for row in rows[1:]])
        return
    width = max(map(len, rows))
    grid = [row + [""] * (width - len(row)) for row in rows]
    yield PlainPage(name, clean("\n".join(table_lines(grid, 1 if len(grid) > 1 else 0, groups=False))))
