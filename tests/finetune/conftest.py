"""Tiny random models, a Llama and a T5, and prepared folders to train them on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from primum.finetune.rows import Example, write_rows
from tests.finetune.tiny import example, tiny_tokenizer


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of some thousand parameters."""
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = tiny_tokenizer(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
            pad_token_id=0, eos_token_id=1, bos_token_id=3, tie_word_embeddings=True,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 of some thousand parameters."""
    folder = tmp_path_factory.mktemp("t5")
    tokenizer = tiny_tokenizer(folder, template=None)
    torch.manual_seed(0)
    T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
            pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


Prepare = Callable[..., Path]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Writes a prepared folder of these rows; its validation rows are the same ones."""

    def write(rows: Iterable[Example], name: str = "prepared") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = list(rows)
        for split, some in (("train", rows), ("validation", rows[:4]), ("test", rows[:1])):
            write_rows(folder / f"{split}.jsonl", some)
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jsonl")}
        (folder / "card.json").write_text(json.dumps({"hashes": hashes}))
        return folder

    return write


@pytest.fixture
def sums(prepare: Prepare) -> Path:
    """Sixteen sums of one figure each."""
    return prepare(
        example(n, f"what is {n % 4 + 1} + {n // 4 + 1} =", f"#### {n % 4 + n // 4 + 2}", kind="number",
                answer=str(n % 4 + n // 4 + 2))
        for n in range(16)
    )  # fmt: skip
