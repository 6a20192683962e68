"""The trainer of each method."""

from importlib import import_module
from pathlib import Path
from typing import Any

from primum.finetune.recipe import Recipe


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains by the recipe's method into the folder `out`; returns what stands in its `run.json`.

    Raises:
        BadInput: the recipe, the data or the folder can't be used.
        TrainingFailed: it could not go on, or was stopped.
    """
    module = import_module(f"primum.finetune.{recipe.method}")
    done: dict[str, Any] = module.train(recipe, out, resume=resume, callbacks=callbacks)
    return done
