"""Small models and adapters for tests: random weights, made here, of the very form that training writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPES = {"model.layers.0.self_attn.q_proj": (8, 8), "model.layers.0.mlp.up_proj": (16, 8)}
TEMPLATE = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tensors(file: Path, tensors: dict[str, NDArray[Any]]) -> None:
    """A safetensors file, byte by byte as its format says, so that what reads one is not tested against itself."""
    header, start = {}, 0
    names = {"float32": "F32", "float16": "F16", "uint16": "BF16", "int8": "I8"}
    for name, values in tensors.items():
        end = start + values.nbytes
        header[name] = {"dtype": names[str(values.dtype)], "shape": list(values.shape), "data_offsets": [start, end]}
        start = end
    head = json.dumps(header).encode()
    file.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(one.tobytes() for one in tensors.values()))


def write_adapter(
    folder: Path,
    *,
    shapes: dict[str, tuple[int, int]] = SHAPES,
    base: str = "tiny",
    rank: int = 2,
    seed: int = 1,
    scale: float = 0.05,
    **config: object,
) -> Path:
    """A LoRA adapter of random numbers for these modules, given by their weights' shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    tensors: dict[str, NDArray[Any]] = {}
    for module, (rows, columns) in shapes.items():
        for half, shape in (("A", (rank, columns)), ("B", (rows, rank))):
            values = random.normal(0, scale, shape).astype(np.float32)
            tensors[f"base_model.model.{module}.lora_{half}.weight"] = values
    write_tensors(folder / "adapter_model.safetensors", tensors)
    targets = sorted({module.rpartition(".")[2] for module in shapes})
    told: dict[str, object] = {"peft_type": "LORA", "base_model_name_or_path": base, "r": rank, "lora_alpha": 2 * rank}
    told |= {"target_modules": targets, "bias": "none", "modules_to_save": None, "task_type": "CAUSAL_LM"}
    (folder / "adapter_config.json").write_text(json.dumps(told | config))
    return folder


def write_base(folder: Path, shapes: dict[str, tuple[int, int]] = SHAPES) -> Path:
    """A base model as far as the linter looks: a configuration, and weights of these shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    tensors: dict[str, NDArray[Any]] = {f"{m}.weight": np.zeros(shape, np.float32) for m, shape in shapes.items()}
    write_tensors(folder / "model.safetensors", tensors)
    return folder


def write_model(folder: Path, family: str = "Llama", **config: Any) -> Path:
    """A whole model of some thousand random parameters with a byte-level tokenizer and a chat template."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocab = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocab |= {"Ġt": 256, "he": 257, "Ġthe": 258}
    tokenizer = Tokenizer(models.BPE(vocab, [("Ġ", "t"), ("h", "e"), ("Ġt", "he")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast: Any = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"vocab_size": 264, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "head_dim": 16}
    ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id}
    made = getattr(transformers, f"{family}Config")(**sizes, **ids, **config)
    model = getattr(transformers, f"{family}ForCausalLM")(made)
    for parameter in model.parameters():  # large enough that the tokens differ
        torch.nn.init.normal_(parameter, 0, 0.3) if parameter.ndim > 1 else torch.nn.init.normal_(parameter, 1, 0.2)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder
