"""What DPO, ORPO and KTO share: pairs and opinions as the texts that they compare, and a run that is ready to go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset

from primum.finetune import policy
from primum.finetune.chat import Chat
from primum.finetune.fitting import Fitting
from primum.finetune.prepared import Data, open_data
from primum.finetune.recipe import Recipe
from primum.finetune.run import Run


def opened(kind: Any, recipe: Recipe, out: Path, *, resume: bool, callbacks: tuple[Any, ...]) -> tuple[Run, Any, Any]:
    """The run in its folder, TRL's trainer of this kind, and the model as it was loaded.

    Raises:
        BadInput: the recipe, the data or the folder can't be used.
    """
    run = Run(recipe, open_data(recipe.data, recipe.method), out, resume=resume)
    chat = policy.chat_of(recipe)
    rows, fits = compared(run.data, "train", chat, recipe, run.arguments.max_length)
    validation = None
    if run.arguments.eval_strategy != "no":
        validation, _ = compared(run.data, "validation", chat, recipe, run.arguments.max_length)
    run.note(rows=fits)
    model = policy.model_of(recipe)
    trainer = kind(
        model=model,
        args=run.arguments,
        train_dataset=rows,
        eval_dataset=validation,
        processing_class=chat.tokenizer,
        peft_config=policy.lora_of(recipe, model),
        callbacks=list(callbacks),
    )
    return run, trainer, model


def compared(data: Data, split: str, chat: Chat, recipe: Recipe, limit: int | None) -> tuple[Dataset, dict[str, int]]:
    """A split of pairs (prompt, chosen, rejected) or opinions (prompt, completion, label), and how many fit.

    Raises:
        BadInput: no row does, or some do not and the recipe does not drop them.
    """
    fitting = Fitting(limit, drop=recipe.too_long == "drop")
    sides = ("completion",) if recipe.method == "kto" else ("chosen", "rejected")

    def rows() -> Iterator[tuple[str, int, dict[str, Any]]]:
        for row in data.rows(split):
            prompt = chat.prompt(row["prompt"])
            texts = {side: chat.completion(prompt, row[side][-1]["content"]) for side in sides}
            length = chat.length(prompt) + max(chat.length(text) for text in texts.values())
            more = {"label": row["label"]} if "label" in row else {}
            yield row["id"], length, {"prompt": chat.bare(prompt), **texts, **more}

    return Dataset.from_list(list(fitting(rows()))), fitting.told
