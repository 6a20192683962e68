"""Which adapter it is: a hash of its files, and the card of the data that made it."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from primum.graph.errors import BadInput

FILES = ("adapter_config.json", "adapter_model.safetensors")
CARD, RUN = "card.json", "run.json"
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "config.json")  # `training_args.bin` is no part of a model
HASH = 64  # signs of a SHA-256; a hub's commit has 40
SHOWN = ("method", "git", "outcome", "steps", "figures", "merged")  # of a run
SHORT = 12  # hex digits by which an answer's trace tells an adapter
MOST = 256 * 1024  # bytes of a card that is shown


def fingerprint(folder: Path) -> str:
    """What `cd FOLDER && sha256sum adapter_config.json adapter_model.safetensors | sha256sum` prints.

    Read again only if a file's size or time has changed. Raises BadInput if a file can't be read.
    """
    try:
        known = tuple((name, (state := (folder / name).stat()).st_size, state.st_mtime_ns) for name in FILES)
        return _hashed(folder, known)
    except OSError as error:
        raise BadInput(f"{error.filename}: can't be read ({error.strerror}).") from None


@lru_cache(maxsize=64)
def _hashed(folder: Path, known: tuple[tuple[str, int, int], ...]) -> str:
    lines = (f"{file_hash(folder / name)}  {name}\n" for name, *_ in known)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def model_fingerprint(folder: Path) -> str:
    """Of a whole model: the hash of the names and hashes of its configuration and its weights, as `run.json` has it.

    Raises BadInput if a file can't be read.
    """
    files = sorted({path for pattern in WEIGHTS for path in folder.glob(pattern)})
    try:
        told = [[path.name, file_hash(path)] for path in files]
    except OSError as error:
        raise BadInput(f"{error.filename}: can't be read ({error.strerror}).") from None
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def card_of(folder: Path) -> dict[str, Any]:
    """What an adapter's folder tells of its data (`card.json`) and its training (`run.json`), without paths.

    What is not there is left out.
    """
    card, run = read_json(folder / CARD), read_json(folder / RUN)
    told = {name: run[name] for name in SHOWN if name in run}
    base, data = run.get("base"), run.get("data")
    if isinstance(base, dict):
        told["base"] = {"name": Path(str(base.get("name"))).name, "hash": base.get("hash")}
    if isinstance(data, dict):
        told["data"] = data.get("hashes")
    return ({"data": card} if card else {}) | ({"training": told} if told else {})


def template_of(folder: Path) -> Mapping[str, Any] | None:
    """What a run told its chat template, such as `enable_thinking`; None of a folder that is no run's."""
    recipe = read_json(folder / RUN).get("recipe")
    return (recipe.get("chat_template_kwargs") or {}) if isinstance(recipe, dict) else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one if there is none, or it is too long to be a card."""
    try:
        told = json.loads(path.read_text("utf-8")) if path.stat().st_size <= MOST else None
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
