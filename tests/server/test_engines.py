"""The command that serves a model, as a table over hardware and wishes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from primum.graph.errors import BadInput, LocalServerFailed
from primum.server import llamacpp
from primum.server.engines import (
    PROFILES,
    Hardware,
    Lora,
    find_hardware,
    find_profile,
    find_vllm,
    lint_adapters,
    parse_adapters,
    profile_command,
    vllm_command,
)
from tests.adapters import write_adapter

LAPTOP = Hardware(gpus=0, cores=(0, 1), memory=16)
SERVER = Hardware(gpus=0, cores=(4, 5, 6, 7), memory=64)
ONE_GPU = Hardware(gpus=1, cores=(0,), memory=64)


def command(hardware: Hardware, model: str = "Qwen/Qwen3-32B", **adapters: str) -> tuple[str, dict[str, str]]:
    made = vllm_command("vllm", hardware, model, "primum", "127.0.0.1", 8401, Lora(adapters))
    return " ".join(made.argv), made.env


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 2048}))
    return str(tmp_path)


def adapter(folder: Path, rank: int) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return str(folder)


@pytest.mark.parametrize(("gpus", "engine"), [(0, "llamacpp"), (1, "vllm"), (8, "vllm")])
def test_a_gpu_gets_vllm_and_a_machine_without_one_llamacpp(gpus: int, engine: str) -> None:
    assert Hardware(gpus, (0,), 16).engine == engine


@pytest.mark.parametrize(("gpus", "parallel"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8)])
def test_the_model_is_spread_over_a_power_of_two_of_gpus(gpus: int, parallel: int) -> None:
    argv, env = command(Hardware(gpus, (0,), 64))
    assert f"--tensor-parallel-size {parallel}" in argv
    assert env == {"VLLM_NO_USAGE_STATS": "1"}


@pytest.mark.parametrize("hardware", [LAPTOP, ONE_GPU])
def test_every_server_gets(hardware: Hardware) -> None:
    argv, env = command(hardware)
    assert argv.startswith("vllm serve Qwen/Qwen3-32B --host 127.0.0.1 --port 8401 --served-model-name primum")
    for flags in (
        "--dtype auto",
        "--max-model-len 16384",
        "--enable-prefix-caching",
        "--enable-auto-tool-choice --tool-call-parser hermes",
        '--structured-outputs-config {"backend": "xgrammar", "disable_any_whitespace": true}',
    ):
        assert flags in argv
    assert "--enable-lora" not in argv
    assert env["VLLM_NO_USAGE_STATS"] == "1"


@pytest.mark.parametrize(
    ("hardware", "bound", "threads", "memory"), [(LAPTOP, "0", "1", "2"), (SERVER, "4,5,6", "3", "8")]
)
def test_processor_cores_are_bound_but_for_one(hardware: Hardware, bound: str, threads: str, memory: str) -> None:
    argv, env = command(hardware)
    told = yaml.safe_load(find_profile("laptop-cpu").read_text())
    assert told["enforce-eager"] is True
    flags = f"--block-size {told['block-size']} --max-num-seqs {told['max-num-seqs']} --enforce-eager"
    assert argv.endswith(flags)
    assert "--tensor-parallel-size" not in argv
    assert env["VLLM_CPU_OMP_THREADS_BIND"] == bound
    assert env["OMP_NUM_THREADS"] == threads
    assert env["TORCH_COMPILE_DISABLE"] == "1"
    assert env["VLLM_CPU_KVCACHE_SPACE"] == memory


def test_a_profile_too_is_told_of_the_processors_where_there_is_no_gpu() -> None:
    made = profile_command("vllm", SERVER, find_profile("laptop-cpu"), None, "primum", "127.0.0.1", 8401, Lora())
    assert made.argv[:4] == ["vllm", "serve", "--config", str(PROFILES / "laptop-cpu.yaml")]
    assert made.env == command(SERVER)[1]
    gpu = profile_command("vllm", ONE_GPU, find_profile("gpu-24gb"), None, "primum", "127.0.0.1", 8401, Lora())
    assert gpu.env == {"VLLM_NO_USAGE_STATS": "1"}


def test_the_laptops_profile_fits_into_what_eight_gigabytes_leave_for_prompts() -> None:
    told = yaml.safe_load(find_profile("laptop-cpu").read_text())
    layers, heads, size = 28, 8, 128  # of Qwen3-1.7B: config.json
    small = profile_command("vllm", Hardware(0, (0, 1), 8), PROFILES / "laptop-cpu.yaml", None, "", "", 1, Lora())
    assert told["max-model-len"] * layers * heads * size * 2 * 2 < int(small.env["VLLM_CPU_KVCACHE_SPACE"]) * 2**30


def test_a_folder_says_how_long_its_model_reads(model: str) -> None:
    argv, env = command(ONE_GPU, model)
    assert "--max-model-len 2048" in argv
    assert env["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(
    ("word", "parser"),
    [("<|python_tag|>", "llama3_json"), ("[TOOL_CALLS]", "mistral"), ("<tool_call>", "hermes"), ("", "hermes")],
)
def test_a_folders_tokenizer_says_how_its_model_calls_tools(model: str, word: str, parser: str) -> None:
    (Path(model) / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": word}]}))
    assert f"--tool-call-parser {parser}" in command(ONE_GPU, model)[0]


@pytest.mark.parametrize(
    ("name", "parser"),
    [("meta-llama/Llama-3.3-70B-Instruct", "llama3_json"), ("mistralai/Mistral-Small", "mistral"), ("a/b", "hermes")],
)
def test_a_hubs_name_says_how_its_model_calls_tools(name: str, parser: str) -> None:
    assert f"--tool-call-parser {parser}" in command(ONE_GPU, name)[0]


@pytest.mark.parametrize(("ranks", "limit"), [((8,), 8), ((12,), 16), ((4, 64), 64), ((200,), 256)])
def test_adapters_are_served_by_name_up_to_their_largest_rank(
    tmp_path: Path, ranks: tuple[int, ...], limit: int
) -> None:
    given = [f"a{i}={adapter(tmp_path / str(i), rank)}" for i, rank in enumerate(ranks)]
    argv, _ = command(ONE_GPU, **parse_adapters(given))
    assert f"--enable-lora --max-lora-rank {limit} --max-loras {len(ranks)} --lora-modules {' '.join(given)}" in argv


def trained(folder: Path, recipe: Mapping[str, object]) -> str:
    adapter(folder, 8)
    (folder / "run.json").write_text(json.dumps({"recipe": recipe}))
    return str(folder)


def test_prompts_are_rendered_as_they_were_in_training(tmp_path: Path) -> None:
    quiet = {"chat_template_kwargs": {"enable_thinking": False}}
    one, two, other = (trained(tmp_path / name, recipe) for name, recipe in zip("abc", (quiet, quiet, {}), strict=True))
    flag = '--default-chat-template-kwargs {"enable_thinking": false}'
    assert flag in command(ONE_GPU, a=one, b=two)[0]
    assert flag in command(ONE_GPU, model=one)[0]
    profile = profile_command("vllm", ONE_GPU, find_profile("gpu-80gb"), None, "m", "127.0.0.1", 1, Lora({"a": one}))
    assert flag in " ".join(profile.argv)
    assert "chat-template" not in command(ONE_GPU, a=other)[0] + command(ONE_GPU)[0]
    with pytest.raises(BadInput, match="serve each kind on its own"):
        command(ONE_GPU, a=one, b=other)


@pytest.mark.parametrize("given", ["med", "=folder", "med=", "med=/nowhere"])
def test_an_adapter_that_cannot_be_meant_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match="--adapter"):
        parse_adapters([given])


def test_a_rank_that_vllm_has_no_kernel_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="rank 1024"):
        command(ONE_GPU, **parse_adapters([f"med={adapter(tmp_path / 'a', 1024)}"]))


def test_a_missing_vllm_is_said_to_need_its_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalServerFailed, match="environment of its own"):
        find_vllm(None)
    with pytest.raises(LocalServerFailed, match="No vLLM at"):
        find_vllm(tmp_path / "vllm")


def test_gpus_are_counted_as_nvidia_smi_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\necho 'GPU 1: NVIDIA H100 (UUID: GPU-2)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_hardware().gpus == 2
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2\nexit 9\n")
    assert find_hardware().gpus == 0


def test_the_packaged_model_is_found_without_importing_its_package() -> None:
    assert llamacpp.packaged_model().suffix == ".gguf"


def test_a_folder_with_no_or_many_model_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has 0"):
        llamacpp.model_file(str(tmp_path))
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match="has 2"):
        llamacpp.model_file(str(tmp_path))
    assert llamacpp.model_file(str(tmp_path / "a.gguf")) == tmp_path / "a.gguf"


@pytest.mark.parametrize("profile", sorted(path.stem for path in PROFILES.glob("*.yaml")))
def test_a_profile_is_a_file_of_vllms_own_arguments(profile: str) -> None:
    """Whether vLLM knows them, its own parser says: `.ci/vllm test`."""
    told = yaml.safe_load(find_profile(profile).read_text())
    assert {"model", "max-model-len", "max-num-seqs", "enable-prefix-caching", "structured-outputs-config"} <= set(told)


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_card_that_a_profile_names_lacks_what_it_sets(path: Path) -> None:
    """An A10 and an A100 are of a generation without 8-bit floats, in which vLLM could keep prompts."""
    named = re.search(r"\bA1(?:0|00)\b", path.read_text().partition("\nmodel:")[0])
    assert not (named and "fp8" in str(yaml.safe_load(path.read_text()).get("kv-cache-dtype")))


def test_32_calls_fit_into_the_smallest_card_beside_weights_and_adapters() -> None:
    told = yaml.safe_load(find_profile("gpu-24gb").read_text())
    layers, heads, size = 36, 8, 128  # of Qwen3-8B: config.json
    token = layers * heads * size * 2 * 2  # a key and a value, 16 bits each
    weights = 6.1e9
    rank = told["max-lora-rank"] * layers * 75_776  # what goes in and out of each matrix of a layer
    left = told["gpu-memory-utilization"] * 22.5 * 2**30 - weights - told["max-loras"] * rank * 2 - 2 * 2**30
    assert left / token > told["max-num-seqs"] * 2_500 > told["max-model-len"]


def test_what_is_given_beside_a_profile_holds_in_its_stead(tmp_path: Path) -> None:
    lora = Lora(parse_adapters([f"med={adapter(tmp_path / 'med', 16)}"]), hot=True)
    made = profile_command("vllm", ONE_GPU, find_profile("gpu-24gb"), "own/model", "primum", "127.0.0.1", 8401, lora)
    assert made.argv[:5] == ["vllm", "serve", "own/model", "--config", str(PROFILES / "gpu-24gb.yaml")]
    assert made.argv[5:11] == ["--host", "127.0.0.1", "--port", "8401", "--served-model-name", "primum"]
    assert "--lora-modules" in made.argv and made.env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    alone = profile_command("vllm", ONE_GPU, find_profile("gpu-80gb"), None, "primum", "127.0.0.1", 8401, Lora())
    assert alone.argv[:3] == ["vllm", "serve", "--config"]


def test_a_profile_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(BadInput, match=r"--profile gpu: give a file, or one of gpu-24gb, gpu-80gb, .*nodes"):
        find_profile("gpu")


def test_an_adapter_of_a_profiles_own_model_is_not_held_against_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    monkeypatch.chdir(tmp_path)
    lint_adapters({"med": str(write_adapter(tmp_path / "med"))}, None, None)
