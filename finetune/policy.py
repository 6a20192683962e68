"""The model that is trained: its weights, its tokenizer and its adapter, as the recipe wants them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from primum.finetune.chat import Chat
from primum.finetune.packaged import MADE
from primum.finetune.recipe import PROJECTIONS, Recipe, unknown
from primum.graph.errors import BadInput
from primum.graph.fingerprint import HASH, RUN, model_fingerprint, read_json


def folder_of(recipe: Recipe) -> str:
    """The base model: a folder, or a hub's name."""
    if recipe.model not in MADE:
        return recipe.model
    from primum.graph.settings import read_settings

    return str(MADE[recipe.model](read_settings().cache))


def adapter_of(run: Path) -> bool:
    """Whether a run's folder holds an adapter, and not a whole model.

    Raises:
        BadInput: it holds neither.
    """
    if (run / "adapter_config.json").is_file():
        return True
    if (run / "config.json").is_file():
        return False
    raise BadInput(f"start_from: {run} is no finished run; it holds neither an adapter nor a model.")


def tokenizer_of(recipe: Recipe) -> Any:
    """The tokenizer, with the recipe's chat template if it names one.

    Raises:
        BadInput: there is none, or the template can't be read.
    """
    from transformers import AutoTokenizer

    with _found(recipe):
        tokenizer = AutoTokenizer.from_pretrained(folder_of(recipe))
    if recipe.chat_template:
        try:
            tokenizer.chat_template = recipe.chat_template.read_text(encoding="utf-8")
        except OSError as error:
            raise BadInput(f"chat_template: {recipe.chat_template} can't be read ({error.strerror})") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def chat_of(recipe: Recipe) -> Chat:
    return Chat(tokenizer_of(recipe), **recipe.chat_template_kwargs)


def model_of(recipe: Recipe) -> Any:
    """The weights to train, loaded; with the adapter of the run that they start from.

    Raises:
        BadInput: they can't be loaded, or the run they start from was trained on others.
    """
    import transformers
    from peft import PeftModel

    kind = transformers.AutoModelForSeq2SeqLM if recipe.method == "seq2seq" else transformers.AutoModelForCausalLM
    start = recipe.start_from
    adapted = adapter_of(start) if start else False
    if start and adapted:
        _check_base(recipe, start)
    source = folder_of(recipe) if not start or adapted else str(start)
    with _found(recipe):
        model = kind.from_pretrained(source, **_loading(recipe))
    if not start or not adapted:
        return model
    return PeftModel.from_pretrained(model, str(start), is_trainable=True)


def _loading(recipe: Recipe) -> dict[str, Any]:
    given = {"dtype": "auto", **recipe.loading}
    if recipe.quantization == "nf4":
        import torch
        from transformers import BitsAndBytesConfig

        given["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    return given


def lora_of(recipe: Recipe, model: Any) -> Any:
    """PEFT's configuration of a new adapter; None if all weights are trained, or those of an earlier run.

    Raises:
        BadInput: a field that it has not, or a module that the model has not.
    """
    if recipe.adapter is None:
        return None
    from peft import LoraConfig

    known = [field.name for field in fields(LoraConfig) if field.init]
    for key in recipe.adapter:
        if key not in known:
            raise BadInput(f"peft.LoraConfig: {unknown(key, known, 'adapter.')}")
    rank = recipe.adapter.get("r", 16)
    task = "SEQ_2_SEQ_LM" if recipe.method == "seq2seq" else "CAUSAL_LM"
    given = {"r": rank, "lora_alpha": 2 * rank, "target_modules": PROJECTIONS, "task_type": task, **recipe.adapter}
    if isinstance(given["target_modules"], list):
        _check_modules(given["target_modules"], model)
    try:
        return LoraConfig(**given)
    except (ValueError, TypeError) as error:
        raise BadInput(f"adapter: {' '.join(str(error).split())}") from None


def _check_modules(wanted: Iterable[str], model: Any) -> None:
    """PEFT is content if one of them is there, and would leave the others untrained without a word."""
    names = [name for name, _module in model.named_modules()]
    missing = [one for one in wanted if not any(name == one or name.endswith(f".{one}") for name in names)]
    if missing:
        layers = {
            name.rpartition(".")[2] for name, module in model.named_modules() if "Linear" in type(module).__name__
        }
        raise BadInput(
            f"adapter.target_modules: the model has no {', '.join(missing)}. Its layers: {', '.join(sorted(layers))}."
        )


def fingerprint(model: Any, source: str) -> str:
    """What tells these weights from others: the hash of a folder's files, the commit of a hub's."""
    folder = Path(source)
    if not folder.is_dir():
        return str(getattr(model.config, "_commit_hash", None) or source)
    return model_fingerprint(folder)


def _check_base(recipe: Recipe, start: Path) -> None:
    folder = Path(folder_of(recipe))
    trained_on = str((read_json(start / RUN).get("base") or {}).get("hash") or "")
    if folder.is_dir() and len(trained_on) == HASH and trained_on != model_fingerprint(folder):
        raise BadInput(f"start_from: {start} was trained on another base model than {recipe.model}. Name that one.")


@contextmanager
def _found(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        said = " ".join(str(error).split())[:300]
        raise BadInput(
            f"model: {recipe.model} can't be loaded. Give a folder with config.json and weights, the name of one on a "
            f"hub that is reachable, or `packaged`. ({said})"
        ) from None
