"""The linter: what keeps an adapter from being served, or from doing what it was trained to. Needs no torch.

What vLLM refuses follows its `vllm/lora/peft_helper.py` (0.32); the rest it would take without a word.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primum.graph.errors import BadInput
from primum.graph.fingerprint import FILES, HASH, RUN, SHORT, fingerprint, model_fingerprint, read_json

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the LoRA ranks that vLLM has kernels for
PREFIX = "base_model.model."
MATRIX = re.compile(r"(?P<module>.+)\.lora_(?P<kind>A|B|embedding_A|embedding_B)(?:\.weight)?$")
# Ways to start an adapter that change the base model too; the others leave plain LoRA behind.
PLAIN_STARTS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# A field that vLLM refuses when it is set, and what to do instead.
REFUSED = {
    "modules_to_save": "Train without it (`modules_to_save: null`), or merge the adapter and serve the whole model.",
    "use_dora": "Train with `use_dora: false`, or merge the adapter.",
    "lora_bias": "Train with `lora_bias: false`, or merge the adapter.",
    "alora_invocation_tokens": "Train plain LoRA: activated LoRA is not served.",
    "layer_replication": "Train without it, or merge the adapter.",
    "use_bdlora": "Train plain LoRA, or merge the adapter.",
    "use_qalora": "Train plain LoRA, or merge the adapter.",
    "trainable_token_indices": "Train without new tokens, or merge the adapter.",
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an adapter, and how to mend it."""

    rule: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """What the linter found; `unchecked` says what it could not look at, and why."""

    adapter: str
    sha256: str | None
    rank: int
    faults: tuple[Fault, ...]
    unchecked: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a safetensors file, still on disk."""

    dtype: str
    shape: tuple[int, ...]
    path: Path
    start: int

    def values(self) -> NDArray[Any]:
        """The numbers; bfloat16 as their 16 bits, of which `_broken` and `any` make sense all the same."""
        count = int(np.prod(self.shape))
        return np.memmap(self.path, DTYPES[self.dtype], "r", self.start, (count,)) if count else np.empty(0)


def lint(folder: Path, base: Path | None = None, max_rank: int = RANKS[-1]) -> Report:
    """Looks at an adapter before it is served; `base` is the folder of the model that it goes on.

    Raises:
        BadInput: there is no adapter in the folder, or its files can't be read.
    """
    config = _config(folder)
    faults = [*_refused(config), *_rank(config, max_rank), *_files(folder)]
    unchecked: list[str] = []
    if (file := folder / FILES[1]).is_file():
        tensors = read_header(file)
        faults += [*_tensors(tensors, config), *_numbers(tensors)]
        found, left = _against_base(folder, tensors, config, base)
        faults += found
        unchecked += left
    hashed = fingerprint(folder) if file.is_file() else None
    return Report(folder.name, hashed, largest_rank(config), tuple(faults), tuple(unchecked))


def checked(folder: Path, base: Path | None = None, max_rank: int = RANKS[-1]) -> Report:
    """The report of an adapter without a fault. Raises BadInput with the first faults of another."""
    report = lint(folder, base, max_rank)
    if report.faults:
        few = " ".join(f"{one.text} {one.remedy}" for one in report.faults[:3])
        more = f" And {len(report.faults) - 3} more: `primum finetune lint {folder}`." if report.faults[3:] else ""
        raise BadInput(f"The adapter in {folder} can't be served. {few}{more}")
    return report


def largest_rank(config: Mapping[str, Any]) -> int:
    """The largest rank of any module."""
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    return max((rank for rank in ranks if isinstance(rank, int)), default=0)


def read_header(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. Raises BadInput if it is none or was cut off."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 0 < length <= size - 8:
                raise ValueError
            header = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        start = 8 + length
        if start + max((one["data_offsets"][1] for one in header.values()), default=0) > size:
            raise BadInput(f"{file} was cut off: copy it again.")
        return {
            name: Tensor(one["dtype"], tuple(one["shape"]), file, start + one["data_offsets"][0])
            for name, one in header.items()
        }
    except OSError as error:
        raise BadInput(f"{file}: can't be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{file} is no safetensors file. Save the adapter again with PEFT.") from None


def _config(folder: Path) -> dict[str, Any]:
    path = folder / FILES[0]
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError:
        raise BadInput(f"{folder} has no {FILES[0]}: give the folder that the training wrote.") from None
    except ValueError:
        raise BadInput(f"{path} is not JSON.") from None
    if not isinstance(config, dict):
        raise BadInput(f"{path} is no JSON object.")
    return config


def _refused(config: Mapping[str, Any]) -> Iterator[Fault]:
    if (kind := config.get("peft_type")) != "LORA":
        yield Fault("peft_type", f"It is {kind}, not LORA.", "vLLM serves LoRA alone: merge it, or train LoRA.")
    for name in ("r", "lora_alpha", "target_modules"):
        if not config.get(name):
            yield Fault("config", f"adapter_config.json has no {name}.", "Save the adapter again with PEFT.")
    for name, remedy in REFUSED.items():
        if config.get(name):
            yield Fault(name, f"It has {name}, which vLLM refuses.", remedy)
    if config.get("bias", "none") != "none":
        yield Fault("bias", f"bias is {config['bias']}; vLLM takes none.", "Train with `bias: none`, or merge it.")
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in PLAIN_STARTS:
        remedy = "Convert it with PEFT's path_initial_model_for_weight_conversion, or merge it."
        yield Fault("init_lora_weights", f"It was begun by {start}, which changes the base model as well.", remedy)


def _rank(config: Mapping[str, Any], most: int) -> Iterator[Fault]:
    rank = largest_rank(config)
    if rank > RANKS[-1]:
        yield Fault("rank", f"Its rank is {rank}; vLLM serves up to {RANKS[-1]}.", "Train with a smaller r.")
    elif rank > most:
        remedy = f"Start the server with --max-rank {next(one for one in RANKS if one >= rank)}."
        yield Fault("rank", f"Its rank is {rank}, above the server's {most}.", remedy)


def _files(folder: Path) -> Iterator[Fault]:
    if (folder / FILES[1]).is_file():
        return
    if pickles := sorted(path.name for path in folder.glob("adapter_model*") if path.suffix in (".bin", ".pt", ".pth")):
        remedy = "A pickle may run code when it is read: save it with `save_pretrained(…, safe_serialization=True)`."
        yield Fault("pickle", f"Its weights are {pickles[0]}, not {FILES[1]}.", remedy)
    else:
        yield Fault(
            "files", f"There is no {FILES[1]}.", "Give the folder that the training wrote, or train to its end."
        )


def _tensors(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Iterator[Fault]:
    """Names and shapes against the adapter's own configuration."""
    halves: dict[str, set[str]] = {}
    for name, tensor in tensors.items():
        match = MATRIX.match(name.removeprefix(PREFIX))
        if not (name.startswith(PREFIX) and match):
            yield Fault(
                "names", f"{name} is no LoRA matrix.", "vLLM refuses it: merge the adapter, or train LoRA alone."
            )
            continue
        module, kind = match["module"], match["kind"][-1]
        halves.setdefault(module, set()).add(kind)
        rank = _rank_of(module, config)
        if len(tensor.shape) != 2 or tensor.shape[0 if kind == "A" else 1] != rank:
            text = f"{name} has the shape {list(tensor.shape)}, which does not fit rank {rank}."
            yield Fault("shapes", text, "Weights and configuration are of two trainings: copy the folder as a whole.")
    for module in (module for module, kinds in halves.items() if len(kinds) == 1):
        yield Fault("names", f"{module} has one of its two matrices.", "Copy the folder again, or save it again.")
    for target in _targets(config):
        if not any(module == target or module.endswith(f".{target}") for module in halves):
            yield Fault("target_modules", f"No weights for {target}.", "Copy the folder as a whole, or train it again.")


def _numbers(tensors: Mapping[str, Tensor]) -> Iterator[Fault]:
    moved = False
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            yield Fault("dtype", f"{name} is {tensor.dtype}.", "Save the adapter in float32, float16 or bfloat16.")
            return
        values = tensor.values()
        if _broken(values, tensor.dtype):
            remedy = "The training broke: lower its learning rate, and take an earlier checkpoint."
            yield Fault("nan", f"{name} holds NaN or infinity.", remedy)
            return
        zero = values & 0x7FFF if tensor.dtype == "BF16" else values
        moved = moved or (("lora_B" in name or "embedding_B" in name) and bool(np.any(zero)))
    if not moved:
        remedy = "It was never trained, or its training changed nothing: look at the loss of its run."
        yield Fault("untrained", "All its B matrices are zero, so that it changes nothing.", remedy)


def _broken(values: NDArray[Any], dtype: str) -> bool:
    if dtype == "BF16":
        return bool(np.any((values & 0x7F80) == 0x7F80))
    return not bool(np.all(np.isfinite(values)))


def _against_base(
    folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any], base: Path | None
) -> tuple[list[Fault], list[str]]:
    """Modules, shapes and name against the base model, if its folder is here; and what could not be looked at."""
    named = str(config.get("base_model_name_or_path") or "")
    given = base or Path(named)
    if not (named or base) or not (given / "config.json").is_file():
        return [], [f"The base model ({given if base or named else 'not named'}) is not in a folder here: give --base."]
    faults = list(_same_base(folder, named, given))
    if "quantization_config" in json.loads((given / "config.json").read_text("utf-8")):
        return faults, ["The base model is quantised: its shapes tell nothing."]
    shapes = {
        name: one.shape for file in sorted(given.glob("*.safetensors")) for name, one in read_header(file).items()
    }
    if not shapes:
        return faults, [f"{given} has no safetensors files to compare with."]
    return faults + list(_shapes(tensors, shapes)), []


def _same_base(folder: Path, named: str, base: Path) -> Iterator[Fault]:
    known = str((read_json(folder / RUN).get("base") or {}).get("hash") or "")
    if len(known) == HASH:
        if known != (found := model_fingerprint(base)):
            text = f"It was trained on a model with the hash {known[:SHORT]}; {base} has {found[:SHORT]}."
            yield Fault("base", text, "Serve the model that it was trained on.")
    # Of a hub's model the commit is known, by which its folder in the cache is called.
    elif named and base.name not in (Path(named).name, known):
        text = f"It was trained on {named}, not on {base.name}."
        yield Fault("base", text, "Serve that model, or set base_model_name_or_path if the two are the same.")


def _shapes(tensors: Mapping[str, Tensor], base: Mapping[str, tuple[int, ...]]) -> Iterator[Fault]:
    for name, tensor in tensors.items():
        match = MATRIX.match(name.removeprefix(PREFIX))
        if match is None or len(tensor.shape) != 2:
            continue
        shape = base.get(f"{match['module']}.weight")
        if shape is None:
            yield Fault("base", f"The base model has no {match['module']}.", "It was trained on another model.")
            return
        wanted = shape[1] if match["kind"] == "A" else shape[0]
        if match["kind"] in "AB" and tensor.shape[1 if match["kind"] == "A" else 0] != wanted:
            text = f"{name} has the shape {list(tensor.shape)}; the base model's weight is {list(shape)}."
            yield Fault("base", text, "It was trained on a model of another size.")
            return


def _targets(config: Mapping[str, Any]) -> Sequence[str]:
    given = config.get("target_modules")
    return sorted(map(str, given)) if isinstance(given, list) else []  # a text is a pattern: its tensors tell


def _rank_of(module: str, config: Mapping[str, Any]) -> int:
    for pattern, rank in (config.get("rank_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return int(rank)
    return int(config.get("r") or 0)
