"""KTO: the model learns from single answers that were liked or not, where the other side does not exist."""

from pathlib import Path
from typing import Any

from trl import KTOTrainer

from primum.finetune.preferences import opened
from primum.finetune.recipe import Recipe

REFERENCE = "what the run starts from"


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains into the folder `out`; returns what stands in its `run.json`.

    Raises:
        BadInput: the recipe, the opinions or the folder can't be used.
        TrainingFailed: it could not go on, or was stopped.
    """
    run, trainer, model = opened(KTOTrainer, recipe, out, resume=resume, callbacks=callbacks)
    run.note(reference=REFERENCE)
    return run.train(trainer, model)
