"""ORPO: SFT on the better answer of each pair, and away from the worse one, with no reference model."""

from pathlib import Path
from typing import Any

from trl.experimental.orpo import ORPOTrainer

from primum.finetune.preferences import opened
from primum.finetune.recipe import Recipe


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains into the folder `out`; returns what stands in its `run.json`.

    Raises:
        BadInput: the recipe, the pairs or the folder can't be used.
        TrainingFailed: it could not go on, or was stopped.
    """
    run, trainer, model = opened(ORPOTrainer, recipe, out, resume=resume, callbacks=callbacks)
    run.note(reference="none")
    return run.train(trainer, model)
