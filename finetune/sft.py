"""SFT: the model learns the answers of a prepared folder, word by word; the prompts are read and not learned."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import SFTTrainer

from primum.finetune import policy
from primum.finetune.chat import Chat
from primum.finetune.fitting import Fitting
from primum.finetune.prepared import Data, open_data
from primum.finetune.recipe import Recipe
from primum.finetune.run import Run


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains into the folder `out`; returns what stands in its `run.json`.

    Raises:
        BadInput: the recipe, the data or the folder can't be used.
        TrainingFailed: it could not go on, or was stopped.
    """
    run = Run(recipe, open_data(recipe.data, recipe.method), out, resume=resume)
    chat = policy.chat_of(recipe)
    train_rows, fits = tokenized(run.data, "train", chat, recipe, run.arguments.max_length)
    validation = None
    if run.arguments.eval_strategy != "no":
        validation, _ = tokenized(run.data, "validation", chat, recipe, run.arguments.max_length)
    run.note(rows=fits)
    model = policy.model_of(recipe)
    kind = SFTTrainer if recipe.concise is None else _concise(recipe.concise)
    trainer = kind(
        model=model,
        args=run.arguments,
        train_dataset=train_rows,
        eval_dataset=validation,
        processing_class=chat.tokenizer,
        peft_config=policy.lora_of(recipe, model),
        callbacks=list(callbacks),
    )
    return run.train(trainer, model)


def tokenized(data: Data, split: str, chat: Chat, recipe: Recipe, limit: int | None) -> tuple[Dataset, dict[str, int]]:
    """A split as token ids and labels, and how many of its rows fit.

    Raises:
        BadInput: no row does, or some do not and the recipe does not drop them.
    """
    fitting = Fitting(limit, drop=recipe.too_long == "drop")

    def rows() -> Iterator[tuple[str, int, dict[str, Any]]]:
        for row in data.rows(split):
            ids, labels = chat.tokens(row["messages"])
            yield row["id"], len(ids), {"input_ids": ids, "labels": labels}

    return Dataset.from_list(list(fitting(rows()))), fitting.told


def weights(labels: torch.Tensor, wanted: int) -> torch.Tensor:
    """The weight of each answer of a batch: `wanted` by its length in tokens, at most 1."""
    lengths = (labels != -100).sum(dim=1).clamp(min=1)
    return (wanted / lengths).clamp(max=1.0)


def _concise(wanted: int) -> type[SFTTrainer]:
    class Concise(SFTTrainer):  # type: ignore[misc]
        """An answer that is longer than wanted pulls on the model as much as one of the wanted length, and no more.

        Evaluation is as without, so that runs can be compared.
        """

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not model.training or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            outputs = model(**inputs, use_cache=False, fused_lm_head=True)
            losses = -outputs.log_probs.sum(dim=1) * weights(inputs["labels"], wanted)
            learned = outputs.label_mask.sum()
            correct = (outputs.is_top1.sum() / learned.clamp(min=1)).item()
            self._metrics["train"]["mean_token_accuracy"].append(correct)
            items = learned if num_items_in_batch is None else num_items_in_batch
            loss = losses.sum() / torch.as_tensor(items).clamp(min=1)
            if self.args.average_tokens_across_devices and num_items_in_batch is not None:
                # The items are those of all processes, over which the gradients are averaged once more.
                loss = loss * (self.accelerator.num_processes // self.get_tp_size())
            return loss

    return Concise
