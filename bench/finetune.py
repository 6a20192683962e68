"""What Primum's SFT costs beside a bare TRL script, what 4-bit weights save, what packing gains; prints JSON.

    python -m bench.finetune [--model DIR] [--steps 8] [--rounds 2]

Each measurement is a process of its own, those to be compared by turns; no network. The model is the packaged one.
Memory is the process's peak; "above" is what is over the imported libraries, which a large model does not notice.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from primum.finetune.rows import Example, write_rows
from primum.retrieval.starter import STARTER

WARM = 2  # steps that are not counted
ROWS = 200
SETTINGS: dict[str, Any] = {
    "per_device_train_batch_size": 4, "learning_rate": 2e-4, "bf16": True, "gradient_checkpointing": False,
    "max_length": 256, "logging_steps": 1, "save_strategy": "no", "seed": 42,
}  # fmt: skip
LORA = {"r": 16, "lora_alpha": 32}
SMALL = {"per_device_train_batch_size": 2, "gradient_checkpointing": True, "max_length": 256}


def rows() -> list[Example]:
    """Sections of the starter library as answers, of 8 to 120 words."""
    found: list[Example] = []
    for path in sorted(Path(STARTER).glob("*.md")):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            if 8 <= len(paragraph.split()) <= 120 and not paragraph.startswith(("#", "-", "*", "|")):
                name = f"{path.stem}-{len(found)}"
                said: Any = [{"role": "user", "content": f"Tell me of {path.stem.replace('-', ' ')}."},
                             {"role": "assistant", "content": paragraph}]  # fmt: skip
                row: Any = {"id": name, "group": path.stem, "source": "starter", "licence": "", "language": "en"}
                found.append(row | {"kind": "open", "messages": said})
    return found[:ROWS]


def prepare(folder: Path) -> Path:
    folder.mkdir()
    for split in ("train", "validation", "test"):
        write_rows(folder / f"{split}.jsonl", rows())
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jsonl")}
    (folder / "card.json").write_text(json.dumps({"hashes": hashes}))
    return folder


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def timer() -> Any:
    """A callback that keeps the time at which each step begins, by the clock and of the process's own work."""
    from transformers import TrainerCallback

    class Timer(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.began: list[tuple[float, float]] = []

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began.append((perf_counter(), process_time()))

    return Timer()


def bare(model: str, data: Path, out: Path, steps: int) -> dict[str, Any]:
    """As the TRL documentation writes it."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from primum.finetune.recipe import PROJECTIONS

    tokenizer = AutoTokenizer.from_pretrained(model)
    told = [json.loads(line)["messages"] for line in (data / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [
        {
            "prompt": tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True),
            "completion": messages[-1]["content"] + "<|im_end|>",
        }
        for messages in told
    ]
    before, watch = peak_mib(), timer()
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(str(out), max_steps=steps, use_cpu=True, report_to="none", disable_tqdm=True,
                       model_init_kwargs={"dtype": "auto"}, **SETTINGS),
        train_dataset=Dataset.from_list(texts),
        processing_class=tokenizer,
        peft_config=LoraConfig(target_modules=PROJECTIONS, task_type="CAUSAL_LM", **LORA),
        callbacks=[watch],
    )  # fmt: skip
    trainer.train()
    return measured(watch.began, before, trainer.state.log_history)


def ours(model: str, data: Path, out: Path, steps: int, **more: Any) -> dict[str, Any]:
    from primum.finetune import policy, sft  # noqa: F401 (what is imported before the peak is taken)
    from primum.finetune.recipe import Recipe, typed

    training = SETTINGS | {"max_steps": steps} | more.pop("training", {})
    recipe = Recipe(method="sft", model=model, data=data, training=typed("sft", training), too_long="drop",
                    **({"adapter": LORA} | more))  # fmt: skip
    before, watch = peak_mib(), timer()
    sft.train(recipe, out, callbacks=(watch,))
    return measured(watch.began, before, json.loads((out / "log_history.json").read_text()))


def measured(began: list[tuple[float, float]], before: int, history: list[dict[str, Any]]) -> dict[str, Any]:
    steps = list(zip(began[WARM:], began[WARM + 1 :], strict=False))
    took, worked = ([later[n] - first[n] for first, later in steps] for n in (0, 1))
    tokens = [line["num_tokens"] for line in history if "num_tokens" in line]
    counted = tokens[-2] - tokens[WARM - 1]  # those of the steps that were timed
    return {
        "step_s": round(median(took), 3),
        "step_cpu_s": round(sum(worked) / len(worked), 3),
        "tokens_a_cpu_second": round(counted / sum(worked), 1),
        "peak_mib": peak_mib(),
        "above_mib": peak_mib() - before,
        "loss": [line["loss"] for line in history if "loss" in line][-1],
    }


FULL = {"adapter": None, "loading": {"dtype": "float32"}, "training": SMALL}
QLORA = {"quantization": "nf4", "training": SMALL}
PACKED = {"training": {"packing": True, "per_device_train_batch_size": 2}}
UNPACKED = {"training": {"per_device_train_batch_size": 8}}
KINDS: dict[str, Any] = {"ours": {}, "full": FULL, "qlora": QLORA, "packed": PACKED, "unpacked": UNPACKED}


def one(kind: str, model: str, data: Path, steps: int) -> dict[str, Any]:
    """Measured in a process of its own."""
    argv = [sys.executable, "-m", "bench.finetune", "--kind", kind, "--model", model, "--data", str(data)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([*argv, "--steps", str(steps)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{kind}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(kind, found, file=sys.stderr)
    return found


def of_eight_billion() -> dict[str, Any]:
    """GiB without activations, counted for Llama-3.1-8B: full in fp32 with AdamW, and 4-bit with rank 16."""
    layers, hidden, inner, kv, words, rank = 32, 4096, 14336, 1024, 128_256, 16
    shapes = [(hidden, hidden), (hidden, kv), (hidden, kv), (hidden, hidden)] + 3 * [(hidden, inner)]
    linear = layers * sum(a * b for a, b in shapes)
    embeddings = 2 * words * hidden
    adapter = layers * rank * sum(a + b for a, b in shapes)
    gib = 2**30
    full = (linear + embeddings) * 16 / gib  # weight, gradient and two moments of 4 bytes
    four = (linear * 4.127 / 8 + embeddings * 2 + adapter * 8) / gib  # adapter, gradient and moments in bf16
    return {"full_gib": round(full, 1), "qlora_gib": round(four, 1), "ratio": round(four / full, 3),
            "adapter_parameters": adapter}  # fmt: skip


def measure(model: str, steps: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        data = prepare(Path(folder) / "prepared")
        turns = [(one("bare", model, data, steps), one("ours", model, data, steps)) for _ in range(rounds)]
        full, four = one("full", model, data, WARM + 2), one("qlora", model, data, WARM + 2)
        packed, unpacked = one("packed", model, data, steps), one("unpacked", model, data, steps)
    return {
        "step": compared(turns),
        "memory": {
            "full": full, "qlora": four, "ratio_of_peaks": round(four["peak_mib"] / full["peak_mib"], 3),
            "ratio_above_libraries": round(four["above_mib"] / full["above_mib"], 3), "of_8b": of_eight_billion(),
        },
        "tokens_a_cpu_second": {
            "packed": packed["tokens_a_cpu_second"], "unpacked": unpacked["tokens_a_cpu_second"],
            "gain": round(packed["tokens_a_cpu_second"] / unpacked["tokens_a_cpu_second"], 2),
        },
    }  # fmt: skip


def compared(turns: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """The least of the rounds, since whatever else runs on a machine only adds; CPU time feels that less."""
    found: dict[str, Any] = {}
    for name in ("step_s", "step_cpu_s"):
        plain, own = (min(turn[side][name] for turn in turns) for side in (0, 1))
        found[name] = {"bare": plain, "ours": own, "ratio": round(own / plain, 3)}
    found["peak_mib"] = {name: max(turn[n]["peak_mib"] for turn in turns) for n, name in enumerate(("bare", "ours"))}
    found["last_loss"] = [[turn[0]["loss"], turn[1]["loss"]] for turn in turns]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    model = given.model
    if model is None:
        from primum.finetune.packaged import packaged_folder
        from primum.graph.settings import read_settings

        model = str(packaged_folder(read_settings().cache))
    if given.kind is None:
        print(json.dumps(measure(model, given.steps, given.rounds), indent=2))
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        measure_one = bare if given.kind == "bare" else ours
        print(json.dumps(measure_one(model, given.data, out, given.steps, **KINDS.get(given.kind, {}))))


if __name__ == "__main__":
    main()
