"""GGUF files are read by the very llama.cpp that Primum embeds, and it must say what transformers says."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import httpx
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from primum.finetune.export import _rope, _rope_factors, export_gguf
from primum.graph.errors import BadInput
from primum.graph.fingerprint import model_fingerprint
from primum.server.port import free_port
from tests.adapters import write_adapter, write_model

PROMPTS = ("What is the gout?", "Take 12 mg, it's the 2nd dose.", "  the\n\nthe 你好" * 9)


@contextmanager
def served(file: Path) -> Iterator[httpx.Client]:
    port = free_port(8470)
    command = [sys.executable, "-m", "primum", "serve", "model", "--engine", "llamacpp", "--model", str(file)]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            until = time.monotonic() + 60
            while True:
                try:
                    if client.get("/health").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                assert process.poll() is None and time.monotonic() < until, "llama.cpp did not take the file"
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=30)


def next_token(folder: Path, prompt: str) -> dict[int, float]:
    """The log-probability of each token after a prompt, by transformers."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        logits = model(tokenizer(prompt, return_tensors="pt").input_ids).logits[0, -1]
    return dict(enumerate(torch.log_softmax(logits, -1).tolist()))


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("Llama", {"tie_word_embeddings": True}),
        (
            "Llama",
            {
                "rope_parameters": {
                    "rope_type": "llama3",
                    "rope_theta": 10000.0,
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 64,
                }
            },
        ),
        ("Qwen2", {}),
        ("Qwen3", {}),
    ],
)
def test_llama_cpp_reads_the_same_tokens_and_expects_the_same_next(tmp_path: Path, family: str, config: Any) -> None:
    model = write_model(tmp_path / "model", family, **config)
    export_gguf(model, tmp_path / "model.gguf", "f16")
    tokenizer = AutoTokenizer.from_pretrained(model)
    with served(tmp_path / "model.gguf") as server:
        for prompt in PROMPTS:
            ids = tokenizer(prompt).input_ids
            assert server.post("/tokenize", json={"content": prompt, "add_special": True}).json()["tokens"] == ids
            asked = {"prompt": ids, "temperature": 0, "n_predict": 1, "n_probs": 5}
            told = server.post("/completion", json=asked).json().get("completion_probabilities")
            wanted = next_token(model, prompt)
            best = max(wanted, key=lambda token: wanted[token])
            if not told:  # llama.cpp tells nothing of a token that ends the answer, or is half a character
                assert best in tokenizer.all_special_ids or "\ufffd" in tokenizer.decode([best])
                continue
            (first,) = told
            assert first["id"] == best
            for one in first["top_logprobs"]:
                assert one["logprob"] == pytest.approx(wanted[one["id"]], abs=0.03)


def test_the_file_tells_what_it_was_made_of(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    (model / "run.json").write_text(json.dumps({"merged": {"adapter": "a" * 64, "base": "b" * 64}}))
    told = export_gguf(model, tmp_path / "model.gguf", "q8_0")
    read = gguf.GGUFReader(tmp_path / "model.gguf")
    assert read.fields["primum.sha256"].contents() == model_fingerprint(model) == told["model"]
    assert read.fields["primum.adapter"].contents() == "a" * 64
    assert "<|im_start|>" in read.fields["tokenizer.chat_template"].contents()
    kinds = {tensor.name: tensor.tensor_type.name for tensor in read.tensors}
    assert kinds["blk.0.attn_q.weight"] == "Q8_0" and kinds["output_norm.weight"] == "F32"
    assert told["tensors"] == len(read.tensors) and not list(tmp_path.glob(".*.part"))


def test_llama_3s_slowed_frequencies_are_those_of_transformers() -> None:
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config = LlamaConfig(hidden_size=512, num_attention_heads=4, rope_parameters=rope)
    slowed, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1 / 500000.0 ** (np.arange(0, 128, 2) / 128)
    factors = _rope_factors(config.to_dict())
    assert factors is not None
    np.testing.assert_allclose(factors, plain / slowed.numpy(), rtol=1e-4)


def test_older_configurations_of_positions_are_read_too() -> None:
    assert _rope({"rope_theta": 5.0, "rope_scaling": {"rope_type": "llama3"}}) == {
        "rope_theta": 5.0,
        "rope_type": "llama3",
    }


def test_what_is_not_known_here_is_named_and_llama_cpps_own_script_pointed_at(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    tokenizer = json.loads((model / "tokenizer.json").read_text())

    def refused(**other: Any) -> str:
        (model / "config.json").write_text(json.dumps(config | other))
        with pytest.raises(BadInput) as error:
            export_gguf(model, tmp_path / "model.gguf")
        return str(error.value)

    said = refused(architectures=["PhiForCausalLM"])
    assert "PhiForCausalLM" in said and "convert_hf_to_gguf.py" in said
    assert "yarn" in refused(rope_parameters={"rope_type": "yarn"})
    assert "quantised" in refused(quantization_config={"load_in_4bit": True})
    tokenizer["pre_tokenizer"] = {"type": "Whitespace"}
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "cuts texts" in refused()
    with pytest.raises(BadInput, match="finetune merge"):
        export_gguf(write_adapter(tmp_path / "adapter"), tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()
