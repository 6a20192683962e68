"""A recipe: what is trained, on what, and how, as one YAML file in the training classes' own words."""

import dataclasses
import difflib
import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError, model_validator
from pydantic.errors import PydanticSchemaGenerationError

from primum.graph.errors import BadInput

Method = Literal["sft", "dpo", "orpo", "kto", "grpo", "seq2seq"]
METHODS: tuple[Method, ...] = get_args(Method)

CONFIGS = Path(__file__).parent / "configs"
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ARGUMENTS = {
    "sft": ("trl", "SFTConfig"),
    "dpo": ("trl", "DPOConfig"),
    "orpo": ("trl.experimental.orpo", "ORPOConfig"),
    "kto": ("trl", "KTOConfig"),
    "grpo": ("trl", "GRPOConfig"),
    "seq2seq": ("transformers", "Seq2SeqTrainingArguments"),
}
OURS = ("output_dir", "disable_tqdm", "chat_template_path", "model_init_kwargs")  # what is set elsewhere


class Space(BaseModel):
    """What a search tries: ranges of the learning rate (on a log scale), ranks and numbers of epochs."""

    model_config = ConfigDict(extra="forbid")

    trials: PositiveInt = 20
    learning_rate: tuple[float, float] = (1e-5, 1e-3)
    rank: list[PositiveInt] = Field([8, 16, 32, 64], min_length=1)
    epochs: list[PositiveInt] = Field([1, 2, 3], min_length=1)


class Recipe(BaseModel):
    """One training run.

    `model`: a folder, a hub's name, or `packaged`. `start_from`: an earlier run, whose adapter is trained on (of a full
    training: whose model). `adapter`: fields of PEFT's LoraConfig; without it all weights are trained. `training`:
    fields of the method's own class (see `ARGUMENTS`). `loading`: arguments of `from_pretrained`, such as `dtype`.
    `too_long`: what becomes of rows that do not fit into `max_length`; none is ever cut. `concise`: for `sft`, the
    tokens that an answer may have; a longer one weighs as much as one of that length. `rewards`: for `grpo`, the
    weight of each reward by its name. `early_stopping`: the evaluations without gain after which it ends.
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    method: Method
    model: str
    start_from: Path | None = None
    data: Path | None = None
    adapter: dict[str, Any] | None = None
    quantization: Literal["nf4", "none"] = "none"
    loading: dict[str, Any] = {}
    chat_template: Path | None = None
    chat_template_kwargs: dict[str, Any] = {}
    too_long: Literal["fail", "drop"] = "fail"
    concise: PositiveInt | None = None
    rewards: dict[str, float] | None = None
    early_stopping: PositiveInt | None = None
    search: Space | None = None
    training: dict[str, Any] = {}

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        if self.quantization == "nf4" and self.adapter is None and not self.start_from:
            raise ValueError("4-bit weights can't be trained: add `adapter: {r: 16}`, or leave `quantization` out")
        if self.concise and self.method != "sft":
            raise ValueError("`concise` goes with `method: sft`")
        if self.concise and self.training.get("packing"):
            raise ValueError("`concise` weighs answers one by one, which packing joins: leave one of the two out")
        if (self.rewards is not None) != (self.method == "grpo"):
            raise ValueError("`rewards` goes with `method: grpo`, which needs it: name each reward with its weight")
        if self.start_from and self.adapter is not None:
            raise ValueError("`start_from` trains that run's own adapter on: leave `adapter` out")
        return self


def read(name: str, changes: Sequence[str] = (), methods: Sequence[Method] = METHODS) -> Recipe:
    """The recipe of a YAML file, or of one of Primum's own by its name; `changes` are like `training.max_steps=10`.

    Raises:
        BadInput: no such file, no YAML, a key or value that does not fit, or none of the methods; it says which.
    """
    path = find(name)
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path} can't be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(told, dict):
        raise BadInput(f"{path} is no recipe: it needs keys such as `method` and `model`.")
    for change in changes:
        _change(told, change)
    recipe = _checked(told, path)
    if recipe.method not in methods:
        raise BadInput(f"{name} is a recipe for `{recipe.method}`, not for {' or '.join(methods)}.")
    if recipe.chat_template and not recipe.chat_template.is_absolute():
        recipe = recipe.model_copy(update={"chat_template": path.parent / recipe.chat_template})
    return recipe.model_copy(update={"training": typed(recipe.method, recipe.training)})


def find(name: str) -> Path:
    """The file of that name, or Primum's own recipe."""
    own = CONFIGS / f"{name}.yaml"
    if Path(name).is_file() or not own.is_file():
        if not Path(name).is_file():
            known = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml")))
            raise BadInput(f"There is no recipe {name}: give a YAML file, or one of {known}.")
        return Path(name)
    return own


def _change(told: dict[str, Any], change: str) -> None:
    key, sign, value = change.partition("=")
    if not sign or not key:
        raise BadInput(f"--set {change}: write it as key=value, such as training.learning_rate=1e-4.")
    *folders, last = key.split(".")
    for folder in folders:
        inner = told.setdefault(folder, {})
        if not isinstance(inner, dict):
            raise BadInput(f"--set {change}: {folder} holds no keys.")
        told = inner
    try:
        told[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        told[last] = value


def _checked(told: dict[str, Any], path: Path) -> Recipe:
    try:
        return Recipe.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise BadInput(f"{path}: {unknown(key, Recipe.model_fields)}") from None
        said = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{path}: {f'{key}: ' if key else ''}{said}") from None


def unknown(key: str, known: Any, prefix: str = "") -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f" Do you mean `{prefix}{near[0]}`?" if near else ""
    return f"there is no key `{prefix}{key}`.{hint}"


def typed(method: Method, training: dict[str, Any]) -> dict[str, Any]:
    """The fields of the method's class, each of its type: YAML reads 1e-4 as a text.

    Raises:
        BadInput: a field that the class has not, or a value that is none of its type.
    """
    kinds = _kinds(method)
    checked = {}
    for key, value in training.items():
        if key in OURS:
            raise BadInput(f"`training.{key}` is set by --out, `chat_template` or `loading`: leave it out.")
        if key not in kinds:
            raise BadInput(f"{'.'.join(ARGUMENTS[method])}: {unknown(key, kinds, 'training.')}")
        try:
            checked[key] = _of_kind(kinds[key], value)
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise BadInput(f"training.{key}: {said}") from None
        except PydanticSchemaGenerationError:
            checked[key] = value
    return checked


def _of_kind(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError:
        if value is not False:
            raise
        return _adapter(kind).validate_python("no")  # as `eval_strategy=no` was written: to YAML that is false


@cache
def _kinds(method: Method) -> dict[str, Any]:
    chosen = arguments_class(method)
    hints = get_type_hints(chosen)
    return {field.name: hints.get(field.name, Any) for field in dataclasses.fields(chosen) if field.init}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def arguments_class(method: Method) -> type[Any]:
    """The class whose fields `training` has.

    Raises:
        BadInput: the extra `train` is not installed.
    """
    module, name = ARGUMENTS[method]
    try:
        found: type[Any] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise BadInput(f"Training needs more packages ({error.name}): pip install 'primum[train]'") from None
    return found


def arguments(recipe: Recipe, out: Path) -> Any:
    """The method's own arguments. Without a GPU they are set to run on the CPU.

    Raises:
        BadInput: the class refuses them.
    """
    import torch

    given: dict[str, Any] = {"report_to": "none", **recipe.training, "output_dir": str(out), "disable_tqdm": True}
    if not torch.accelerator.is_available():
        given |= {"use_cpu": True, "dataloader_pin_memory": False}
    if recipe.early_stopping:
        given = {"eval_strategy": "epoch", "metric_for_best_model": "eval_loss", "greater_is_better": False} | given
        given["load_best_model_at_end"] = True
        given |= {name: given[f"eval_{part}"] for part in ("strategy", "steps") if f"eval_{part}" in given
                  for name in [f"save_{part}"] if name not in given}  # fmt: skip
    _check_reporters(given["report_to"])
    try:
        return arguments_class(recipe.method)(**given)
    except (ValueError, TypeError, ImportError) as error:
        raise BadInput(f"training: {' '.join(str(error).split())}") from None


def _check_reporters(wanted: str | list[str] | None) -> None:
    """Raises BadInput for one that is not known or not installed: the trainer would end in a traceback."""
    from transformers.integrations import INTEGRATION_TO_CALLBACK, get_available_reporting_integrations

    named = [wanted] if isinstance(wanted, str) else wanted or []
    for one in named:
        if one in ("all", "none") or one in get_available_reporting_integrations():
            continue
        if one not in INTEGRATION_TO_CALLBACK:
            known = ", ".join(sorted(INTEGRATION_TO_CALLBACK))
            raise BadInput(f"training.report_to: there is no {one}, only {known}.")
        raise BadInput(f"training.report_to: {one} is not installed: pip install {one}, or leave report_to out.")
