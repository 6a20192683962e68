"""Multiple-choice questions as their publishers give them: MedQA, MedMCQA, PubMedQA, MMLU, and prepared rows."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primum.evals.cases import Case

LETTERS = "ABCDEFGHIJ"
DECISIONS = ("yes", "no", "maybe")


@dataclass(frozen=True)
class Question:
    """`answer` is a letter of `options`; `context` what the publisher gives with it, `messages` a prompt as it is."""

    id: str
    source: str
    question: str
    options: Mapping[str, str]
    answer: str
    context: str = ""
    messages: Sequence[Mapping[str, str]] = ()


def read(paths: Sequence[Path]) -> list[Question]:
    """The questions of all files; one of PubMedQA's that holds nothing but decisions says which are of the test split.

    Raises:
        ValueError: a file can't be read, or its form is none that is known; it says which, and where.
    """
    found: list[Question] = []
    split: set[str] = set()
    for path in paths:
        text = _text(path)
        if path.name.removesuffix(".gz").endswith(".csv"):
            found += _mmlu(path, text)
        elif isinstance(whole := _json(text), dict) and all(isinstance(value, str) for value in whole.values()):
            split |= whole.keys()
        elif isinstance(whole, dict) and all(isinstance(value, dict) for value in whole.values()):
            found += [_pubmedqa(path, name, row) for name, row in whole.items()]
        else:
            found += _rows(path, whole if isinstance(whole, list) else _lines(path, text))
    if split:
        found = [one for one in found if one.id in split]
    if not found:
        raise ValueError(f"{', '.join(map(str, paths))}: no questions in it")
    return found


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: can't be read ({getattr(error, 'strerror', None) or error})") from None


def _json(text: str) -> Any:
    """The file as one JSON value; None where it is one a line."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) or not isinstance(value, dict) or "question" not in value else [value]


def _lines(path: Path, text: str) -> list[Case]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError:
                raise ValueError(f"{path}, line {number}: no JSON") from None
    return rows


def _mmlu(path: Path, text: str) -> list[Question]:
    """MMLU's CSV has no header: question, four options, letter."""
    subject = path.name.partition(".")[0].removesuffix("_test").removesuffix("_dev").removesuffix("_val")
    found = []
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        if len(row) < 4 or row[-1] not in LETTERS[: len(row) - 2]:
            raise ValueError(f"{path}, row {number}: no row of MMLU (question, options, letter)")
        options = dict(zip(LETTERS, row[1:-1], strict=False))
        found.append(Question(f"{subject}:{number}", f"mmlu/{subject}", row[0], options, row[-1]))
    return found


def _pubmedqa(path: Path, name: str, row: Mapping[str, Any]) -> Question:
    """Never its LONG_ANSWER, which is the abstract's conclusion and tells the decision."""
    decision = row.get("final_decision")
    if decision not in DECISIONS:
        raise ValueError(f"{path}, {name}: final_decision is {decision!r}, not yes, no or maybe")
    contexts = row.get("CONTEXTS") or row.get("context", {}).get("contexts") or []
    options = dict(zip(LETTERS, DECISIONS, strict=False))
    question = row.get("QUESTION") or row["question"]
    return Question(name, "pubmedqa", question, options, LETTERS[DECISIONS.index(decision)], "\n\n".join(contexts))


def _rows(path: Path, rows: Iterable[Case]) -> list[Question]:
    rows = list(rows)
    base = _first_option([row["cop"] for row in rows if "cop" in row], path)
    return [
        question
        for number, row in enumerate(rows, 1)
        if (question := _row(row, f"{path.name}:{number}", base, path)) is not None
    ]


def _first_option(codes: Sequence[Any], path: Path) -> int:
    """What `cop` calls the first option: 1 in MedMCQA's own file, 0 in the Hugging Face copy, whose test has -1."""
    if not codes:
        return 0
    if bool({0, -1} & {*codes}) == (4 in codes):
        raise ValueError(f"{path}: it can't be told whether `cop` counts from 0 or from 1. Give the whole file.")
    return 1 if 4 in codes else 0


def _row(row: Case, name: str, base: int, path: Path) -> Question | None:
    """A question; None where the publisher keeps the answer back."""
    try:
        if "opa" in row:
            place = int(row["cop"]) - base
            options = {letter: row[f"op{letter.lower()}"] for letter in "ABCD"}
            return (
                None
                if place < 0
                else Question(str(row.get("id", name)), "medmcqa", row["question"], options, "ABCD"[place])
            )
        if "messages" in row:
            prompt = row["messages"][:-1]
            return Question(row["id"], row["source"], prompt[-1]["content"], row["options"], row["answer"], "", prompt)
        if "final_decision" in row:
            return _pubmedqa(path, str(row.get("pubid", name)), row)
        if "choices" in row:
            options = dict(zip(LETTERS, row["choices"], strict=False))
            return Question(name, f"mmlu/{row.get('subject', '')}", row["question"], options, LETTERS[row["answer"]])
        given = row["options"]
        options = given if isinstance(given, dict) else {one["key"]: one["value"] for one in given}
        letter = row.get("answer_idx") or next(key for key, text in options.items() if text == row["answer"])
        return Question(str(row.get("id", name)), "medqa", row["question"], options, _among(letter, options))
    except (KeyError, TypeError, IndexError, StopIteration, ValueError) as error:
        raise ValueError(
            f"{path}, {name}: no question of MedQA, MedMCQA, PubMedQA, MMLU or a prepared folder ({error})"
        ) from None


def _among(letter: str, options: Mapping[str, str]) -> str:
    if letter not in options:
        raise ValueError(f"the answer {letter!r} is none of its options")
    return letter
