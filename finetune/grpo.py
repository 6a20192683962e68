"""GRPO: the model tries each prompt several times, and learns from the tries that earn more than the others."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import GRPOTrainer

from primum.finetune import policy
from primum.finetune.chat import Chat
from primum.finetune.fitting import Fitting
from primum.finetune.prepared import Data, open_data
from primum.finetune.recipe import Recipe
from primum.finetune.rewards import REWARDS, reward
from primum.finetune.run import Run
from primum.graph.errors import BadInput


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains into the folder `out`; returns what stands in its `run.json`.

    Raises:
        BadInput: the recipe, the data or the folder can't be used.
        TrainingFailed: it could not go on, or was stopped.
    """
    wanted = recipe.rewards or {}
    _check(wanted)
    run = Run(recipe, open_data(recipe.data, recipe.method), out, resume=resume)
    run.arguments.reward_weights = list(wanted.values())
    chat = policy.chat_of(recipe)
    if recipe.chat_template_kwargs:
        run.arguments.chat_template_kwargs = recipe.chat_template_kwargs
    model = policy.model_of(recipe)
    limit = _window(model, run.arguments.max_completion_length)
    prompts, fits = prompted(run.data, "train", chat, recipe, limit)
    validation = None
    if run.arguments.eval_strategy != "no":
        validation, _ = prompted(run.data, "validation", chat, recipe, limit)
    run.note(rows=fits)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[reward(name) for name in wanted],
        args=run.arguments,
        train_dataset=prompts,
        eval_dataset=validation,
        processing_class=chat.tokenizer,
        peft_config=policy.lora_of(recipe, model),
        callbacks=list(callbacks),
    )
    return run.train(trainer, model)


def prompted(data: Data, split: str, chat: Chat, recipe: Recipe, limit: int | None) -> tuple[Dataset, dict[str, int]]:
    """A split as prompts with what the rewards need to judge an answer, and how many of its rows fit.

    Raises:
        BadInput: no row does, or some do not and the recipe does not drop them.
    """
    fitting = Fitting(limit, drop=recipe.too_long == "drop", remedy="lower training.max_completion_length")

    def rows() -> Iterator[tuple[str, int, dict[str, Any]]]:
        for row in data.rows(split):
            prompt = row["messages"][:-1]
            told = {"prompt": prompt, "kind": row["kind"], "answer": row.get("answer", "")}
            if row["kind"] in ("choice", "number") and not told["answer"]:
                raise BadInput(f"{data.files[split]}: row {row['id']} is a {row['kind']} and has no `answer`.")
            yield row["id"], chat.length(chat.prompt(prompt)), told

    return Dataset.from_list(list(fitting(rows()))), fitting.told


def _window(model: Any, answer: int | None) -> int | None:
    """What is left for the prompt of the tokens that the model takes."""
    whole = getattr(model.config, "max_position_embeddings", None)
    return whole - (answer or 0) if whole else None


def _check(wanted: dict[str, float]) -> None:
    for name in wanted:
        if name not in REWARDS:
            near = difflib.get_close_matches(name, REWARDS, n=1)
            hint = f" Do you mean `{near[0]}`?" if near else ""
            raise BadInput(f"rewards: there is no reward `{name}`, only {', '.join(REWARDS)}.{hint}")
    if not wanted:
        raise BadInput(f"rewards: name at least one of {', '.join(REWARDS)}, with its weight.")
