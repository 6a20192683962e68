"""Recipes of a few steps for the tiny models."""

from pathlib import Path
from typing import Any

from primum.finetune.recipe import Recipe, typed

QUICK = {
    "max_steps": 4, "per_device_train_batch_size": 4, "learning_rate": 0.01, "logging_steps": 1, "bf16": False,
    "save_strategy": "no",
}  # fmt: skip


def recipe(method: Any, model: Path, data: Path, training: dict[str, Any] | None = None, **more: Any) -> Recipe:
    checkpointing = {} if method == "seq2seq" else {"gradient_checkpointing": False}
    told = typed(method, QUICK | checkpointing | (training or {}))
    given = {"adapter": None if more.get("start_from") else {"r": 4}} | more
    return Recipe(method=method, model=str(model), data=data, training=told, **given)
