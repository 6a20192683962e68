"""Folds an adapter into its base model: in bf16, into weights that are not quantised, and proven afterwards.

A merge into 4-bit weights drifts (peft#2321): a model that was trained on them is merged into the whole ones.
"""

import gc
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primum.finetune.adapter import lint
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import CARD, RUN, fingerprint, model_fingerprint, read_json

if TYPE_CHECKING:
    import torch

PROMPTS = (
    "What are the symptoms of type 2 diabetes?",
    "Can I take ibuprofen while pregnant?",
    "A farmer has 17 sheep and buys 5 more. How many sheep are there?",
)
# Bits a token by which merged and unmerged may differ: rounding costs SmolLM2-135M 0.003. And half at most of what the
# adapter changes, or a merge that left a weak adapter out would pass; less than ROUNDING can't be told from rounding.
TOLERANCE = 0.05
ROUNDING = 0.01
# What can't be in the way of a merge: only servers mind it.
HARMLESS = {"modules_to_save", "use_dora", "rank", "trainable_token_indices", "names", "target_modules", "bias"}


def merge(run: Path, out: Path, base: Path | None = None, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Writes the whole model to the new folder `out`, with tokenizer, cards and hashes; returns what was written down.

    Args:
        run: the folder of a training run, with an adapter.
        out: must not be there yet; it appears once the merged model was read again and agrees with base and adapter.
        base: the folder of the base model; else the one that the adapter names.
        tolerance: bits a token by which the two may differ.

    Raises:
        BadInput: there is no adapter, or its base model is not here, is quantised, or is another one.
        TrainingFailed: the merged model does not say what base and adapter say, or can't be written.
    """
    config = read_json(run / "adapter_config.json")
    if not config:
        raise BadInput(f"{run} has no adapter: a whole model needs no merging. Export it, or serve it as it is.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is there already: give another --out.")
    source = base or Path(str(config.get("base_model_name_or_path")))
    _check(run, source, base)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with _written(part):
        ids, adapted, plain = _merged(run, source, part)
        change, drift = difference(adapted, plain), difference(adapted, _logits(_load(part), ids))
        limit = min(tolerance, max(change, ROUNDING) / 2)
        if not drift <= limit:  # NaN too
            raise TrainingFailed(
                f"The merged model differs from base and adapter by {drift:.4f} bits a token, more than {limit:.4f}; "
                f"the adapter itself changes {change:.4f}. Nothing was written. Serve it unmerged, or train longer."
            )
        figures = {"drift_bits": round(drift, 6), "change_bits": round(change, 6)}
        told = {"adapter": fingerprint(run), "base": model_fingerprint(source), **figures}
        _hand_on(run, part, told)
        if out.exists():
            out.rmdir()
        part.replace(out)
    return {"model": str(out), "sha256": model_fingerprint(out), **told}


def difference(before: "Sequence[torch.Tensor]", after: "Sequence[torch.Tensor]") -> float:
    """Bits a token that are lost by taking the second model for the first: the mean Kullback–Leibler divergence."""
    import torch
    from torch.nn.functional import kl_div, log_softmax

    with torch.inference_mode():
        each = [
            kl_div(log_softmax(b.float(), -1), log_softmax(a.float(), -1), log_target=True, reduction="none").sum(-1)
            for a, b in zip(before, after, strict=True)
        ]
        return float(torch.cat(each).mean() / torch.log(torch.tensor(2.0)))


def _check(run: Path, source: Path, given: Path | None) -> None:
    if not (source / "config.json").is_file():
        raise BadInput(f"The base model {source} is no folder here: give --base FOLDER with its unquantised weights.")
    if "quantization_config" in read_json(source / "config.json"):
        raise BadInput(f"{source} is quantised, and a merge into it drifts: give --base FOLDER with the whole weights.")
    faults = [one for one in lint(run, source).faults if one.rule not in HARMLESS]
    if given is not None:  # it may have been moved or renamed: its hash, if the run wrote it down, says more
        faults = [one for one in faults if "not on" not in one.text]
    if faults:
        raise BadInput(f"{faults[0].text} {faults[0].remedy}")


def _merged(run: Path, source: Path, part: Path) -> "tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]":
    """Saves the merged model and its tokenizer; the prompts' tokens, and the logits with the adapter and without."""
    from peft import PeftModel
    from transformers import AutoTokenizer

    where = run if (run / "tokenizer_config.json").is_file() else source
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
        model = PeftModel.from_pretrained(_load(source, len(tokenizer)), run).eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        said = " ".join(str(error).split())[:300]
        raise BadInput(f"{run} does not go on {source}: name the base model that it was trained on. ({said})") from None
    ids = [tokenizer(prompt, return_tensors="pt").input_ids for prompt in PROMPTS]
    adapted = _logits(model, ids)
    with model.disable_adapter():
        plain = _logits(model, ids)
    try:
        merged = model.merge_and_unload(safe_merge=True)
    except ValueError as error:  # NaN
        raise TrainingFailed(f"The adapter is broken: {' '.join(str(error).split())[:200]}") from None
    merged.save_pretrained(part)
    tokenizer.save_pretrained(part)
    del model, merged
    gc.collect()
    return ids, adapted, plain


def _load(folder: Path, tokens: int = 0) -> Any:
    """A model in bf16; with its embeddings made larger if the tokenizer has got more tokens."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kind = AutoModelForSeq2SeqLM if AutoConfig.from_pretrained(folder).is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.bfloat16, device_map="auto" if torch.cuda.is_available() else None)
    embeddings: Any = model.get_input_embeddings()
    if tokens > embeddings.weight.shape[0]:
        model.resize_token_embeddings(tokens)
    return model.eval()


def _logits(model: Any, ids: "Sequence[torch.Tensor]") -> "list[torch.Tensor]":
    import torch

    asked: dict[str, Any]
    with torch.inference_mode():
        told = []
        for one in ids:
            asked = {"input_ids": one.to(model.device)}
            if model.config.is_encoder_decoder:
                asked["labels"] = asked["input_ids"]
            told.append(model(**asked).logits[0].cpu())
        return told


def _hand_on(run: Path, part: Path, told: dict[str, Any]) -> None:
    """The data card and the run's record go along."""
    for name in (CARD, "README.md"):
        if (run / name).is_file() and not (name == "README.md" and _of_peft(run / name)):
            shutil.copyfile(run / name, part / name)
    record = read_json(run / RUN) | {"merged": told}
    (part / RUN).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _of_peft(readme: Path) -> bool:
    """Whether it is PEFT's empty form of a model card."""
    return "[More Information Needed]" in readme.read_text("utf-8")


@contextmanager
def _written(part: Path) -> Iterator[None]:
    """Leaves no half of a model behind. Raises TrainingFailed if the disk is full or takes nothing."""
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except OSError as error:
        raise TrainingFailed(f"{part.parent} can't be written to ({error.strerror}): make room there.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
