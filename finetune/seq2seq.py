"""Encoder–decoder models (T5 and its like): the prompt goes into the encoder, the answer is what is generated."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer

from primum.evals.folder import plain
from primum.finetune import policy
from primum.finetune.fitting import Fitting
from primum.finetune.prepared import Data, open_data
from primum.finetune.recipe import Recipe
from primum.finetune.run import Run

_IGNORED = -100


def train(recipe: Recipe, out: Path, *, resume: bool = False, callbacks: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Trains into the folder `out`; returns what stands in its `run.json`.

    With `training.predict_with_generate` an evaluation generates, and tells ROUGE-L and how many answers are exact.

    Raises:
        BadInput: the recipe, the data or the folder can't be used.
        TrainingFailed: it could not go on, or was stopped.
    """
    run = Run(recipe, open_data(recipe.data, recipe.method), out, resume=resume)
    tokenizer = policy.tokenizer_of(recipe)
    limit = _window(tokenizer)
    rows, fits = tokenized(run.data, "train", tokenizer, recipe, limit)
    validation = None
    if run.arguments.eval_strategy != "no":
        validation, _ = tokenized(run.data, "validation", tokenizer, recipe, limit)
    run.note(rows=fits)
    model = policy.model_of(recipe)
    config = policy.lora_of(recipe, model)
    if config is not None:
        from peft import get_peft_model

        model = get_peft_model(model, config)
    trainer = Seq2SeqTrainer(
        model=model,
        args=run.arguments,
        train_dataset=rows,
        eval_dataset=validation,
        processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model, label_pad_token_id=_IGNORED),
        compute_metrics=_scores(tokenizer) if run.arguments.predict_with_generate else None,
        callbacks=list(callbacks),
    )
    return run.train(trainer, model)


def tokenized(
    data: Data, split: str, tokenizer: Any, recipe: Recipe, limit: int | None
) -> tuple[Dataset, dict[str, int]]:
    """A split as ids of prompt and answer, and how many of its rows fit.

    Raises:
        BadInput: no row does, or some do not and the recipe does not drop them.
    """
    fitting = Fitting(limit, drop=recipe.too_long == "drop")

    def rows() -> Iterator[tuple[str, int, dict[str, Any]]]:
        for row in data.rows(split):
            read = tokenizer(plain(row["messages"][:-1]))["input_ids"]
            written = tokenizer(text_target=row["messages"][-1]["content"])["input_ids"]
            ids = {"input_ids": read, "attention_mask": [1] * len(read), "labels": written}
            yield row["id"], max(len(read), len(written)), ids

    return Dataset.from_list(list(fitting(rows()))), fitting.told


def _window(tokenizer: Any) -> int | None:
    """The tokens that the encoder takes, where its tokenizer tells."""
    length = int(tokenizer.model_max_length)
    return length if length < 1_000_000 else None


def _scores(tokenizer: Any) -> Callable[[Any], dict[str, float]]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])

    def scores(predicted: Any) -> dict[str, float]:
        said, wanted = (
            tokenizer.batch_decode(np.where(ids == _IGNORED, tokenizer.pad_token_id, ids), skip_special_tokens=True)
            for ids in (predicted.predictions, predicted.label_ids)
        )
        rouge = [scorer.score(b, a)["rougeL"].fmeasure for a, b in zip(said, wanted, strict=True)]
        exact = [_plain(a) == _plain(b) for a, b in zip(said, wanted, strict=True)]
        return {"rougeL": float(np.mean(rouge)), "exact": float(np.mean(exact))}

    return scores


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()
