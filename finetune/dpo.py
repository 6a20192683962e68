"""DPO: the model learns to prefer the better answer of each pair to the worse one, measured from where it starts."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trl import DPOTrainer

from primum.finetune.preferences import opened
from primum.finetune.recipe import Recipe
from primum.graph.errors import TrainingFailed

START = math.log(2)
NEAR = 0.01  # bf16, and a reference that a 4-bit model holds in other types than what it trains


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains into the folder `out`; returns what stands in its `run.json`.

    The reference is what the run starts from: of a new adapter the frozen base, of `start_from` a frozen copy of that
    run's adapter, named `ref`; of a full training a frozen copy of the model. The loss of step 0 proves it.

    Raises:
        BadInput: the recipe, the pairs or the folder can't be used.
        TrainingFailed: the reference is not the start, it could not go on, or was stopped.
    """
    run, trainer, model = opened(Measured, recipe, out, resume=resume, callbacks=callbacks)
    run.note(reference=reference(trainer))
    trainer.note = run.note
    return run.train(trainer, model)


def reference(trainer: DPOTrainer) -> str:
    """What the policy is measured against, in words."""
    adapters = getattr(trainer.model, "peft_config", {})
    if "ref" in adapters:
        return "the adapter `ref`, a frozen copy of the one that it starts from"
    return "the frozen base model" if adapters else "a frozen copy of the model"


class Measured(DPOTrainer):  # type: ignore[misc]
    """Stops where the loss of step 0 is not what it must be when policy and reference are the same."""

    start: float | None = None
    note: Callable[..., None]

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self.start is None and self.state.global_step == 0 and model.training:
            loss = found[0] if return_outputs else found
            self.start = float(loss.detach())
            self._check(self.start)
            self.note(loss_at_start=self.start)
        return found

    def _check(self, loss: float) -> None:
        if self.args.loss_type == ["sigmoid"] and math.isfinite(loss) and abs(loss - START) > NEAR:
            raise TrainingFailed(
                f"The loss of step 0 is {loss:.4f} and not ln 2 = {START:.4f}: the reference ({reference(self)}) is "
                "not what the training starts from. Name that by `start_from`, and `model` as the base that it was "
                "trained on."
            )
