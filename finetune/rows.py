"""The rows that the steps hand on: one JSON object a line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from primum.graph.errors import BadInput

SPLITS = ("train", "validation", "test")


class Message(TypedDict):
    role: Literal["system", "user", "assistant"]
    content: str


class Example(TypedDict):
    """One row of a prepared folder. The last message is the assistant's: what is learned; those before are the prompt.

    `group`: rows of one group never stand in two splits. `kind` says how an answer is judged: `choice` by the letter
    in `answer`, `number` by the number in it, `grounded` by its markers, `open` by `answer` as a reference text.
    """

    id: str
    group: str
    source: str
    licence: str
    language: str
    kind: Literal["open", "choice", "number", "grounded"]
    messages: list[Message]
    answer: NotRequired[str]
    options: NotRequired[dict[str, str]]


class Pair(TypedDict):
    """A better and a worse answer to the same prompt, for DPO.

    `origin`: `audit` (draft and accepted revision of a turn), `clinician` (before and after an edit), `sampled`
    (answers of a model judged by the audit). `findings`: the rules that the rejected one broke. `provenance` names
    the run, the rules' version and the model; `subject` is the pseudonym of the patient, empty where there is none.
    """

    id: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    origin: Literal["audit", "clinician", "sampled"]
    findings: list[str]
    subject: str
    provenance: dict[str, str]


class Opinion(TypedDict):
    """One answer that was liked or not, for KTO: the other side does not exist."""

    id: str
    prompt: list[Message]
    completion: list[Message]
    label: bool
    reasons: list[str]
    subject: str
    provenance: dict[str, str]


def read_rows(path: Path, row: type) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file, each checked against the TypedDict `row`.

    Raises:
        BadInput: no such file, or a line that is no such row; it names file, line and field.
    """
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(row)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _checked(adapter, line, f"{path}, line {number}")
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror})") from None


def _checked(adapter: TypeAdapter[dict[str, Any]], line: bytes, place: str) -> dict[str, Any]:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise BadInput(f"{place}: {f'field {field!r}: ' if field else ''}{first['msg']}") from None


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """Writes the rows, through a file beside so that a broken run leaves no half; returns how many there are."""
    beside = path.with_name(f".{path.name}.part")
    count = 0
    with beside.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    beside.replace(path)
    return count
