"""Cases from JSONL files, each row checked against its task's fields. What can't be read names its file and line."""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

Case = Mapping[str, Any]
Report = dict[str, Any]


@cache
def _adapter(row: type) -> TypeAdapter[Any]:
    return TypeAdapter(row)


def read(path: Path, row: type) -> list[Case]:
    """The cases of a `.jsonl` or `.jsonl.gz` file as dicts with the fields of the TypedDict `row`.

    Fields that the task doesn't know are dropped. A case without an `id` is called after its file and line.

    Raises:
        ValueError: no file, no case in it, or a line that is no JSON object with the fields; it says which.
    """
    cases: list[Case] = []
    for number, line in _lines(path):
        try:
            case = _adapter(row).validate_json(line, strict=True)
        except ValidationError as error:
            raise ValueError(f"{path}, line {number}: {_said(error)}") from None
        cases.append({"id": f"{path.name}:{number}"} | case)
    if not cases:
        raise ValueError(f"{path}: no cases in it")
    return cases


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: can't be read ({getattr(error, 'strerror', None) or error})") from None
    for number, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line


def _said(error: ValidationError) -> str:
    """The first complaint: which field, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function"))
    if first["type"] == "missing":
        return f"field {field!r} is missing"
    return f"field {field!r}: {first['msg']}" if field else str(first["msg"])


def share(part: int, whole: int) -> float | None:
    """A share to four places; None of nothing."""
    return round(part / whole, 4) if whole else None


def ids(cases: Iterable[Case]) -> list[str]:
    return [str(case.get("id", "")) for case in cases]
