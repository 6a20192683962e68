"""One training run: its folder, what is written down of it, how it is stopped, and what its failures mean."""

import errno
import importlib.metadata
import json
import math
import platform
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback

from primum.finetune import policy
from primum.finetune.learned import score_learned_alone
from primum.finetune.prepared import Data
from primum.finetune.recipe import Recipe, arguments
from primum.graph.errors import BadInput, PrimumError, TrainingFailed
from primum.graph.fingerprint import CARD, RUN, file_hash, fingerprint, model_fingerprint, read_json

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "primum")
SAME = ("method", "model", "adapter", "quantization", "start_from")  # without which a checkpoint does not fit
# How the libraries that write weights say that a disk is full: only some of them pass on the system's own words.
FULL = ("No space left on device", "os error 28", "file write failed", "iostream error", "unexpected pos")
STOPS = (signal.SIGINT, signal.SIGTERM)


class Stopped(TrainingFailed):
    """It was told to stop."""


class Unfit(TrainingFailed):
    """With these values it can't go on, with others it may: the loss is no number any more, or memory ran out."""


class Run:
    """A run in its folder.

    Raises:
        BadInput: the folder holds another run, or with `resume` none that can go on.
    """

    def __init__(self, recipe: Recipe, data: Data, out: Path, *, resume: bool = False) -> None:
        self.recipe, self.data, self.out = recipe, data, out
        self.checkpoint = _checkpoint(out) if resume else None
        self.record: dict[str, Any] = {
            "method": recipe.method,
            "recipe": recipe.model_dump(mode="json", exclude_none=True),
            "git": _revision(),
            "packages": {name: version for name in PACKAGES if (version := _version(name))},
            "python": platform.python_version(),
            "machine": _machine(),
            "data": {"folder": str(recipe.data and recipe.data.resolve()), "hashes": data.hashes},
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if resume:
            before = json.loads((out / RUN).read_text(encoding="utf-8"))
            self._check_same(before)
            self._note_changed(before)
        elif (out / RUN).exists():
            raise BadInput(f"{out} holds a run already: go on with --resume, or give another --out.")
        self.arguments = arguments(recipe, out)

    def _check_same(self, before: dict[str, Any]) -> None:
        ours = self.record["recipe"]
        other = [key for key in SAME if before["recipe"].get(key) != ours.get(key)]
        if other or before["data"]["hashes"] != self.record["data"]["hashes"]:
            said = ", ".join(other) or "data"
            raise BadInput(f"--resume: {self.out} was begun with another {said}. Use the same, or another --out.")

    def _note_changed(self, before: dict[str, Any]) -> None:
        """By what was trained until here, where it goes on by something else."""
        changed = list(before.get("until", []))
        if self.checkpoint and before["recipe"] != self.record["recipe"]:
            changed.append({"step": _step(self.checkpoint), "recipe": before["recipe"]})
        if changed and self.checkpoint:
            self.note(until=changed)

    def note(self, **more: Any) -> None:
        """Adds to what is written down."""
        self.record |= more

    def train(self, trainer: Any, model: Any) -> dict[str, Any]:
        """Trains to the end, saves, and returns what is written down in `run.json`.

        Of a launcher's processes the first writes it. Told to stop, all end after the same step.

        Raises:
            TrainingFailed: it could not go on, or was stopped; it says what to change, or how to go on.
        """
        first = trainer.is_world_process_zero()
        self.note(processes=trainer.accelerator.num_processes)
        if first:
            self._note_base(model)
            with failures(self.recipe):
                self.out.mkdir(parents=True, exist_ok=True)
                self._write(outcome="running")
        score_learned_alone(trainer)
        bar = _Bar()
        stop = _watched(trainer, self.recipe, bar)
        if self.checkpoint:
            trainer.add_callback(_Rate())
        began = time.perf_counter()
        with failures(self.recipe), _signals(stop.told):
            try:
                trainer.train(resume_from_checkpoint=str(self.checkpoint) if self.checkpoint else None)
            finally:
                bar.stop()  # also where training breaks: it holds the terminal
        if stop.agreed:
            if first:
                self._write(outcome="stopped", steps=trainer.state.global_step)
            else:
                raise SystemExit  # the first tells it, and is not ended by the launcher meanwhile
            raise Stopped(
                f"Stopped at step {trainer.state.global_step}, which is saved in {self.out}. "
                "The same command with --resume goes on from there."
            )
        with failures(self.recipe):
            trainer.save_model(str(self.out))
            if first:
                self._finish(trainer, time.perf_counter() - began)
        return self.record

    def _note_base(self, model: Any) -> None:
        """What it starts from, by the hashes of its files."""
        start = self.recipe.start_from
        source = str(start) if self._whole() else policy.folder_of(self.recipe)
        self.note(base={"name": self.recipe.model, "hash": policy.fingerprint(model, source)})
        if start:
            self.note(start_from=model_fingerprint(start) if self._whole() else fingerprint(start))
        if before := lineage(start or Path(policy.folder_of(self.recipe))):
            self.note(before=before)

    def _whole(self) -> bool:
        return bool(self.recipe.start_from) and not policy.adapter_of(Path(str(self.recipe.start_from)))

    def _finish(self, trainer: Any, seconds: float) -> None:
        shutil.rmtree(self.out / "ref", ignore_errors=True)  # DPO's copy of what it started from
        history = trainer.state.log_history
        (self.out / "log_history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
        weights = next(
            (p for p in (self.out / "adapter_model.safetensors", self.out / "model.safetensors") if p.is_file()), None
        )
        self._write_card()
        self._write(
            outcome="finished" if trainer.state.global_step >= trainer.state.max_steps else "stopped early",
            steps=trainer.state.global_step,
            seconds=round(seconds, 1),
            peak_memory_mib=peak_memory_mib(),
            # DeepSpeed leaves a process a part of each, and the whole number in `ds_numel`.
            trained_parameters=sum(
                getattr(p, "ds_numel", p.numel()) for p in trainer.model.parameters() if p.requires_grad
            ),
            weights={"file": weights.name, "sha256": file_hash(weights)} if weights else None,
            figures=_last(history),
        )

    def _write_card(self) -> None:
        """The card of all that it learned from, in earlier runs too: it goes where the adapter goes."""
        card = read_json(self.data.files["train"].with_name(CARD)) or {"hashes": self.data.hashes}
        if before := self.record.get("before"):
            card["before"] = [one | {"data": (one["data"] or {}).get("hashes")} for one in before]  # no paths
        (self.out / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def _write(self, **more: Any) -> None:
        self.record |= more
        self.record["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
        part = self.out / f".{RUN}.part"
        part.write_text(json.dumps(self.record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        part.replace(self.out / RUN)


def lineage(run: Path) -> list[dict[str, Any]]:
    """What the weights of a run's folder learned from, the first run first; nothing of a folder that is none's."""
    record = read_json(run / RUN)
    if not record:
        return []
    card = {name: told for name, told in read_json(run / CARD).items() if name != "before"}
    return [*record.get("before", []), {"method": record.get("method"), "data": record.get("data"), "card": card}]


def _checkpoint(out: Path) -> Path | None:
    """The last checkpoint that was written whole: the trainer's state is written last. None: none yet, begin anew."""
    if not (out / RUN).is_file():
        raise BadInput(f"--resume: {out} holds no run. Leave --resume out to begin one.")
    whole = [path.parent for path in out.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _last(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The last value of each figure that was logged."""
    return {key: value for line in history for key, value in line.items() if key not in ("step", "epoch")}


def _revision() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    place = Path(__file__).resolve().parent
    done = subprocess.run(  # noqa: S603 (the command line is ours)
        [git, "-C", str(place), "describe", "--always", "--dirty", "--abbrev=40"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> dict[str, Any]:
    gpus = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return {"system": platform.platform(), "threads": torch.get_num_threads(), "gpus": gpus}


def peak_memory_mib() -> int:
    """The most that was held at once: of the GPU's memory, or on a CPU of the process's."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() >> 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _watched(trainer: Any, recipe: Recipe, bar: "_Bar") -> "_Stop":
    """Gives the trainer its progress bar, its brakes and early stopping; telling the brake stops it."""
    stop = _Stop(trainer.accelerator)
    trainer.remove_callback(PrinterCallback)  # prints to stdout, which is for results
    trainer.add_callback(stop)
    if trainer.is_world_process_zero():
        trainer.add_callback(bar)
    if recipe.early_stopping:
        trainer.add_callback(EarlyStoppingCallback(recipe.early_stopping))
    step: Callable[..., Any] = trainer.training_step

    def checked(*given: Any, **named: Any) -> Any:
        loss = step(*given, **named)
        if not math.isfinite(float(loss)):
            kept = _checkpoint(Path(trainer.args.output_dir))
            goes_on = f"goes on from {kept.name}, or" if kept else "begins anew: there is no checkpoint yet; or"
            raise Unfit(
                f"The loss is no number any more, at step {trainer.state.global_step + 1}. Lower "
                "training.learning_rate or training.max_grad_norm, warm up longer (training.warmup_steps), or train "
                f"in bf16 instead of fp16; then --resume {goes_on} begin in another --out."
            )
        return loss

    trainer.training_step = checked
    return stop


class _Stop(TrainerCallback):  # type: ignore[misc]
    """Saves after the step in which one of the processes was told to stop, and ends all of them there."""

    def __init__(self, accelerator: Any) -> None:
        self.told = threading.Event()
        self.agreed = False
        self._accelerator = accelerator

    def on_step_end(self, _arguments: Any, _state: Any, control: Any, **_: Any) -> Any:
        told = torch.tensor(float(self.told.is_set()), device=self._accelerator.device)
        # A signal reaches each process in a step of its own; one that went on alone would wait for ever.
        self.agreed = bool(self._accelerator.reduce(told, reduction="sum") > 0)
        if self.agreed:
            control.should_save = control.should_training_stop = True
            control.should_evaluate = False
        return control


class _Rate(TrainerCallback):  # type: ignore[misc]
    """Lets a run that goes on learn at the rate that is told now: its checkpoint holds the one of before."""

    def on_train_begin(
        self, arguments: Any, _state: Any, _control: Any, optimizer: Any, lr_scheduler: Any, **_: Any
    ) -> None:
        rate = arguments.learning_rate
        for group in optimizer.param_groups:
            began = group.get("initial_lr", group["lr"])
            group["lr"] = float(group["lr"]) * rate / began if began else rate  # as far down its schedule as it was
            group["initial_lr"] = rate
        schedule = getattr(lr_scheduler, "scheduler", lr_scheduler)
        schedule.base_lrs = [rate for _ in optimizer.param_groups]
        schedule._last_lr = [group["lr"] for group in optimizer.param_groups]  # what the log tells


class _Bar(TrainerCallback):  # type: ignore[misc]
    """Steps, times and the loss, on stderr; where that is no terminal, one line for each log."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self.bar = Progress(
            TextColumn("Training"), *columns, TextColumn("{task.description}"),
            console=self.console, disable=not self.console.is_terminal,
        )  # fmt: skip

    def on_train_begin(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        self.bar.start()
        self.task = self.bar.add_task("", total=state.max_steps, completed=state.global_step)

    def on_step_end(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, _arguments: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        shown = (
            {k: logs[k] for k in ("loss", "eval_loss", "reward", "rewards/margins", "learning_rate") if k in logs}
            if logs
            else {}
        )
        said = " · ".join(f"{key} {float(value):.4g}" for key, value in shown.items())
        if not said:
            return
        self.bar.update(self.task, description=said)
        if not self.console.is_terminal:
            self.console.print(f"Training {state.global_step}/{state.max_steps} {said}", highlight=False)

    def stop(self) -> None:
        self.bar.stop()


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets the step end and saves; the second ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {int(number): signal.getsignal(number) for number in STOPS}

    def told(number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(number, before[number] or signal.SIG_DFL)
        Console(stderr=True).print("Stopping after this step, to save. Once more ends it at once.")

    for number in STOPS:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number in STOPS:
            signal.signal(number, before[number] or signal.SIG_DFL)


@contextmanager
def failures(recipe: Recipe) -> Iterator[None]:
    """Turns what a machine or a library says into what is to be changed.

    Raises:
        TrainingFailed: memory or disk ran out.
    """
    try:
        yield
    except PrimumError:
        raise
    except Exception as error:
        said = str(error)
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "allocate memory" in said:
            raise Unfit(_memory(recipe)) from None
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(words in said for words in FULL):
            raise TrainingFailed(DISK) from None
        raise


DISK = (
    "The disk is full. Make room, or keep fewer checkpoints (training.save_total_limit: 1); then --resume goes on from "
    "the last whole one."
)


def _memory(recipe: Recipe) -> str:
    size = recipe.training.get("per_device_train_batch_size", 8)
    ways = []
    if size > 1:
        accumulated = recipe.training.get("gradient_accumulation_steps", 1)
        ways.append(
            f"training.per_device_train_batch_size={size // 2} with "
            f"training.gradient_accumulation_steps={accumulated * 2}, which learns the same"
        )
    if not recipe.training.get("gradient_checkpointing", True):
        ways.append("training.gradient_checkpointing=true")
    if recipe.adapter is None and not recipe.start_from:
        ways.append("an adapter instead of all weights (adapter.r=16)")
    elif recipe.quantization == "none":
        ways.append("quantization=nf4")
    if recipe.method != "seq2seq":
        longest = "max_completion_length" if recipe.method == "grpo" else "max_length"
        ways.append(f"a smaller training.{longest}")
    return f"The memory is not enough. Try --set {'; or '.join(ways)}."
