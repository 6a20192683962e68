"""Search: which learning rate, rank and number of epochs leave the lowest loss on the validation rows."""

import gc
import math
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState
from transformers import TrainerCallback

from primum.finetune.recipe import Recipe, Space
from primum.finetune.run import Stopped, Unfit
from primum.finetune.training import train
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.writing import writing

STARTUP = 3  # trials before a bad one is broken off
STORE, PLOT, BEST = "search.sqlite", "search.png", "best.yaml"
REASON = "reason"  # why a trial came to nothing


def search(recipe: Recipe, out: Path, *, resume: bool = False) -> dict[str, Any]:
    """Tries until as many trials as the recipe wants are done; writes `best.yaml`, the plot and every trial's folder.

    A trial whose loss is above the median of those before it, at the same evaluation, is broken off; one whose loss is
    no number, or which does not fit into the memory, ends as one that is worse than all others.

    Raises:
        BadInput: the recipe can't be searched, or the folder holds another search.
        TrainingFailed: it was stopped, the disk is full, or no trial came to its end.
    """
    space = _space(recipe)
    store = out / STORE
    if store.exists() != resume:
        hint = "go on with --resume, or give another --out" if store.exists() else "leave --resume out to begin one"
        raise BadInput(f"{out} holds {'a' if store.exists() else 'no'} search: {hint}.")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # of a trial that fails it would show the traceback
    study = optuna.create_study(
        study_name="search",
        storage=f"sqlite:///{store}",
        load_if_exists=resume,
        sampler=optuna.samplers.TPESampler(seed=recipe.training.get("seed", 42) + _tried(store)),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
    )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):  # broken off by kill -9
        study.tell(trial.number, state=TrialState.FAIL)
    left = space.trials - len(_done(study))
    if left > 0:
        study.optimize(lambda trial: _try(trial, recipe, space, out), n_trials=left)
    return _report(study, recipe, out)


def _space(recipe: Recipe) -> Space:
    if recipe.search is None:
        raise BadInput("The recipe has no `search:` with trials, learning_rate, rank and epochs.")
    if recipe.method == "grpo" or recipe.adapter is None:
        raise BadInput("A search wants an `adapter`, and a method with a loss on validation rows: not grpo.")
    return recipe.search


def _tried(store: Path) -> int:
    """So that a search that goes on draws other points than the first time."""
    if not store.exists():
        return 0
    return len(optuna.load_study(study_name="search", storage=f"sqlite:///{store}").trials)


def _done(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _try(trial: optuna.Trial, recipe: Recipe, space: Space, out: Path) -> float:
    chosen = varied(
        recipe,
        rate=trial.suggest_float("learning_rate", *space.learning_rate, log=True),
        rank=trial.suggest_categorical("rank", space.rank),
        epochs=trial.suggest_categorical("epochs", space.epochs),
    )
    watch = _Watch(trial)
    try:
        train(chosen, out / f"trial-{trial.number}", callbacks=(watch,))
    except Stopped:
        raise Stopped(
            f"Stopped in trial {trial.number}. The same command with --resume goes on, with another in its stead."
        ) from None
    except Unfit as error:
        trial.set_user_attr(REASON, str(error))
        raise optuna.TrialPruned from None
    finally:
        gc.collect()
    return watch.loss


def varied(recipe: Recipe, rate: float, rank: int, epochs: int) -> Recipe:
    """The recipe with these; alpha stays in proportion to the rank."""
    adapter = dict(recipe.adapter or {})
    scale = adapter.get("lora_alpha", 2 * adapter.get("r", 16)) / adapter.get("r", 16)
    adapter |= {"r": rank, "lora_alpha": round(scale * rank)}
    # Early stopping goes back to the best checkpoint, and so needs them.
    evaluated = {"eval_strategy": "epoch"} | ({} if recipe.early_stopping else {"save_strategy": "no"})
    training = evaluated | recipe.training | {"learning_rate": rate, "num_train_epochs": float(epochs)}
    return recipe.model_copy(update={"adapter": adapter, "training": training, "search": None})


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Tells the search each loss, and breaks off a trial that it gives up."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.loss, self.times = trial, float("inf"), 0

    def on_evaluate(self, _arguments: Any, _state: Any, _control: Any, metrics: dict[str, float], **_: Any) -> None:
        self.loss = metrics["eval_loss"]
        self.times += 1
        if not math.isfinite(self.loss):
            self.trial.set_user_attr(REASON, "The loss of its validation rows is no number.")
            raise optuna.TrialPruned
        self.trial.report(self.loss, self.times)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def _report(study: optuna.Study, recipe: Recipe, out: Path) -> dict[str, Any]:
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        reasons = [trial.user_attrs[REASON] for trial in study.trials if REASON in trial.user_attrs]
        raise TrainingFailed(f"No trial came to its end. Of the last: {reasons[-1]}")
    best = study.best_trial
    chosen = varied(recipe, best.params["learning_rate"], best.params["rank"], best.params["epochs"])
    told = chosen.model_dump(mode="json", exclude_none=True)
    with writing(out):
        (out / BEST).write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")
        plot(study, out / PLOT)
    states = [trial.state for trial in study.trials]
    return {
        "best": {"trial": best.number, "eval_loss": best.value, **best.params},
        "folder": str(out / f"trial-{best.number}"),
        "recipe": str(out / BEST),
        "plot": str(out / PLOT),
        "trials": {state.name.lower(): states.count(state) for state in dict.fromkeys(states)},
    }


def plot(study: optuna.Study, path: Path) -> None:
    """Each finished trial's loss by what it tried; those broken off are hollow, at their last loss."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, sharey=True)
    for axis, name in zip(axes, ("learning_rate", "rank", "epochs"), strict=True):
        for trial in _done(study):
            whole = trial.state == TrialState.COMPLETE
            if not whole and not trial.intermediate_values:
                continue  # it came to no evaluation
            loss = trial.value if whole else list(trial.intermediate_values.values())[-1]
            axis.plot(trial.params[name], loss, "o", color="#1f6f8b", fillstyle="full" if whole else "none")
        axis.set_xlabel(name.replace("_", " "))
    axes[0].set_xscale("log")
    axes[0].set_ylabel("loss on the validation rows")
    figure.savefig(path, dpi=120)
