"""A prepared folder, or a file of pairs or opinions, as it is read for training: whole, and as its card says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primum.finetune.rows import SPLITS, Example, Opinion, Pair, read_rows
from primum.graph.errors import BadInput
from primum.graph.fingerprint import file_hash

ROWS: dict[str, tuple[str, type]] = {
    "dpo": ("pairs.jsonl", Pair),
    "orpo": ("pairs.jsonl", Pair),
    "kto": ("opinions.jsonl", Opinion),
}


@dataclass(frozen=True)
class Data:
    """Files by split, with their hashes."""

    files: dict[str, Path]
    row: type

    def rows(self, split: str) -> Iterator[dict[str, Any]]:
        return read_rows(self.files[split], self.row) if split in self.files else iter(())

    @property
    def hashes(self) -> dict[str, str]:
        return {path.name: file_hash(path) for path in self.files.values()}


def open_data(path: Path | None, method: str) -> Data:
    """What a method trains on: a prepared folder, or a file (or its folder) of pairs or opinions.

    Raises:
        BadInput: it is not there, is empty, or is not what its card says.
    """
    if path is None:
        raise BadInput("The recipe names no data: give `data: FOLDER`, or --data FOLDER.")
    if method in ROWS:
        name, row = ROWS[method]
        file = path / name if path.is_dir() else path
        beside = file.with_name(f"validation-{file.name}")
        found = {"train": file} | ({"validation": beside} if beside.is_file() else {})
        return _filled(Data(found, row), file)
    if not path.is_dir():
        raise BadInput(f"{path} is no prepared folder: make one by `primum finetune prepare`.")
    data = Data({s: path / f"{s}.jsonl" for s in SPLITS if (path / f"{s}.jsonl").is_file()}, Example)
    _check_card(path, data)
    return _filled(data, path)


def _filled(data: Data, path: Path) -> Data:
    if "train" not in data.files or not data.files["train"].is_file():
        raise BadInput(f"{path}: there is nothing to train on ({'train.jsonl' if path.is_dir() else 'no such file'}).")
    if next(data.rows("train"), None) is None:
        raise BadInput(f"{data.files['train']} is empty.")
    return data


def _check_card(folder: Path, data: Data) -> None:
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        told: dict[str, str] = card["hashes"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{folder} has no card.json with hashes: prepare it by `primum finetune prepare`.") from None
    for name, found in data.hashes.items():
        if told.get(name, "").removeprefix("sha256:") != found:
            raise BadInput(
                f"{folder / name} is not the file that card.json tells of: it was changed afterwards. "
                "Prepare the folder again."
            )
