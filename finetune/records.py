"""The records of a data set as they were published: of a local file, or of a hub's data set, one after the other."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from primum.graph.errors import BadInput

Record = dict[str, Any]

MAX_JSON = 2**30  # bytes; a list of objects is read whole
MAX_FIELD = 2**24  # characters
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_DELIMITERS = ",;\t|"
_LETTER = re.compile("[A-Ea-e]")
_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?::([\w.-]+))?(?:@([\w.\[\]:%-]+))?")
_UNTITLED = ("question", "A", "B", "C", "D", "answer")  # columns of MMLU, whose files have no head


def records(source: str) -> Iterator[tuple[str, Record]]:
    """Each record with its place: a line's or row's number, or the key that it stands under.

    Args:
        source: a file, or a hub's name: `owner/name`, `owner/name:config`, `owner/name@split`.

    Raises:
        BadInput: nothing of that name, a kind of file that isn't known, or one that is broken; it says where.
    """
    path = Path(source)
    if path.is_file():
        yield from _of_file(path)
    elif name := _HUB.fullmatch(source):
        if path.parent.is_dir() and kind_of(path):
            raise BadInput(f"{source}: no such file.")
        yield from _of_hub(name[1], name[2], name[3] or "train")
    else:
        raise BadInput(f"{source}: no such file, and no name of a hub's data set (owner/name).")


def kind_of(path: Path) -> str:
    """The suffix that says how a file is read, `.gz` left aside; nothing if no reader knows it."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _of_file(path: Path) -> Iterator[tuple[str, Record]]:
    readers = {".jsonl": _lines, ".json": _json, ".csv": _table, ".tsv": _table, ".parquet": _parquet}
    kind = kind_of(path)
    if not kind:
        raise BadInput(f"{path}: unknown kind of file. Known are {', '.join(SUFFIXES)}, each also with .gz.")
    try:
        yield from readers[kind](path)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: can't be read ({getattr(error, 'strerror', None) or error}).") from None


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _lines(path: Path) -> Iterator[tuple[str, Record]]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield str(number), _object(line, f"{path}, line {number}")


def _object(line: bytes, place: str) -> Record:
    try:
        value = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        raise BadInput(f"{place}: not UTF-8 text. Save it as UTF-8.") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{place}: not JSON.") from None
    if not isinstance(value, dict):
        raise BadInput(f"{place}: not a JSON object.")
    return value


def _json(path: Path) -> Iterator[tuple[str, Record]]:
    """A list of objects, an object of objects, or, under a name that says otherwise, an object a line."""
    if _is_lines(path):
        yield from _lines(path)
        return
    with _opened(path) as file:
        data = file.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise BadInput(f"{path}: larger than {MAX_JSON // 2**30} GiB, and read whole. Save it as .jsonl or .parquet.")
    try:
        value = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON ({getattr(error, 'msg', 'nested too deeply')}).") from None
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        yield from ((str(number), one) for number, one in enumerate(value, 1))
    elif isinstance(value, dict) and value and all(isinstance(one, dict) for one in value.values()):
        yield from ((key, {"id": key, **one}) for key, one in value.items())
    else:
        raise BadInput(f"{path}: neither a list of objects nor an object of objects.")


def _is_lines(path: Path) -> bool:
    with _opened(path) as file:
        first, second = file.readline(MAX_FIELD), file.readline(MAX_FIELD)
    if not first.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") or not second.strip():
        return False
    try:
        return isinstance(json.loads(first.removeprefix(b"\xef\xbb\xbf")), dict)
    except ValueError:
        return False


def _table(path: Path) -> Iterator[tuple[str, Record]]:
    csv.field_size_limit(MAX_FIELD)
    with _opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        start = text.readline()
        delimiter = max(_DELIMITERS, key=start.count)
        text.seek(0)
        heads: list[str] = []
        try:
            for number, row in enumerate(csv.reader(text, delimiter=delimiter), 1):
                if not any(row):
                    continue
                if not heads:
                    untitled = _is_untitled(row)
                    heads = [*_UNTITLED] if untitled else [head.strip() for head in row]
                    if not untitled:
                        continue
                yield str(number), dict(zip(heads, row, strict=False))
        except csv.Error as error:
            raise BadInput(f"{path}: not a table of values ({error}).") from None


def _is_untitled(row: list[str]) -> bool:
    return len(row) == len(_UNTITLED) and bool(_LETTER.fullmatch(row[-1].strip()))


def _parquet(path: Path) -> Iterator[tuple[str, Record]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1000):
            for record in batch.to_pylist():
                number += 1
                yield str(number), record
    except pyarrow.ArrowException as error:
        raise BadInput(f"{path}: no parquet file that can be read ({type(error).__name__}).") from None


def _of_hub(name: str, config: str | None, split: str) -> Iterator[tuple[str, Record]]:
    import httpx

    try:
        import datasets
    except ImportError:
        raise BadInput("A hub's data set needs the package `datasets`: pip install 'primum[train]'.") from None
    try:
        rows = datasets.load_dataset(name, config, split=split, streaming=True)
        for number, record in enumerate(rows, 1):
            yield str(number), dict(record)
    except (OSError, ValueError, RuntimeError, httpx.HTTPError) as error:
        raise BadInput(
            f"{name}: no such file here, and the hub gave no data set of that name ({type(error).__name__}). "
            "Check the name, the config and the split, and the network; or download the file and give its path."
        ) from None
