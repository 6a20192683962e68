"""A whole model as one GGUF file, as llama.cpp and Ollama read it: of Llama, Mistral, Qwen2 and Qwen3.

llama.cpp's own converter comes in no package that its makers keep; for any other family its script is the way.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from primum.finetune.adapter import read_header
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import RUN, model_fingerprint, read_json

if TYPE_CHECKING:
    import gguf
    from numpy.typing import NDArray

Quantization = Literal["f16", "bf16", "q8_0"]

OTHERWISE = "llama.cpp's own convert_hf_to_gguf.py knows more: github.com/ggml-org/llama.cpp."
# What `architectures` says of a model, and what llama.cpp calls it.
FAMILIES = {
    "LlamaForCausalLM": "LLAMA",
    "MistralForCausalLM": "LLAMA",
    "Qwen2ForCausalLM": "QWEN2",
    "Qwen3ForCausalLM": "QWEN3",
}
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# How a tokenizer cuts a text before it merges, and what llama.cpp calls that.
CUTS = {_WORDS % r"\p{N}{1,3}": "llama-bpe", _WORDS % r"\p{N}": "qwen2"}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5  # kinds of tokens


def export_gguf(model: Path, file: Path, quantization: Quantization = "f16") -> dict[str, Any]:
    """Writes the model of a folder to a GGUF file, through one beside it; returns what was written.

    Raises:
        BadInput: the folder has no whole model, or one of a family, tokenizer or rope that is not known here.
        TrainingFailed: the file can't be written.
    """
    config = _config(model)
    tokenizer = _tokenizer(model)
    import gguf

    kind = gguf.MODEL_ARCH[FAMILIES[config["architectures"][0]]]
    part = file.with_name(f".{file.name}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(part, gguf.MODEL_ARCH_NAMES[kind], use_temp_file=True)
    try:
        _describe(writer, model, config, quantization)
        _add_tokens(writer, model, config, tokenizer)
        tensors = 0
        for name, values, stored in _tensors(model, config, kind, quantization):
            writer.add_tensor(name, values, raw_dtype=stored)
            tensors += 1
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(file)
    except OSError as error:
        raise TrainingFailed(f"{file} can't be written ({error.strerror}): make room there.") from None
    finally:
        part.unlink(missing_ok=True)
    told = {"file": str(file), "bytes": file.stat().st_size, "tensors": tensors, "quantization": quantization}
    return {**told, "model": model_fingerprint(model)}


def _config(model: Path) -> dict[str, Any]:
    if (model / "adapter_config.json").is_file():
        raise BadInput(f"{model} is an adapter: `primum finetune merge {model} --out DIR` first, then export DIR.")
    config = read_json(model / "config.json")
    if not config or not list(model.glob("*.safetensors")):
        raise BadInput(f"{model} has no whole model (config.json and safetensors files).")
    (family, *_) = config.get("architectures") or ["nothing"]
    if family not in FAMILIES:
        raise BadInput(f"{model} is a {family}; exported here are {', '.join(FAMILIES)}. {OTHERWISE}")
    if "quantization_config" in config:
        raise BadInput(f"{model} is quantised: export the model that it was made of, or merge in bf16.")
    rope = _rope(config).get("rope_type", "default")
    if rope not in ("default", "llama3"):
        raise BadInput(f"{model} has the rope {rope}; exported here are default and llama3. {OTHERWISE}")
    return config


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Positions: newer configurations have them in one place, older ones in two."""
    older = {"rope_theta": config.get("rope_theta", 10_000.0), **(config.get("rope_scaling") or {})}
    return {**older, **(config.get("rope_parameters") or {})}


def _tokenizer(model: Path) -> dict[str, Any]:
    path = model / "tokenizer.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise BadInput(f"{path} is missing or damaged: save the tokenizer beside the model.") from None
    kind = found["model"]
    if kind.get("type") != "BPE" or kind.get("byte_fallback"):
        raise BadInput(f"{path} is no byte-level BPE. {OTHERWISE}")
    _cut(found)
    return dict(found)


def _cut(tokenizer: Mapping[str, Any]) -> str:
    """llama.cpp's name for how the tokenizer cuts. Raises BadInput for a way that is not known here."""
    given = tokenizer.get("pre_tokenizer") or {}
    parts = given.get("pretokenizers", [given])
    match [part.get("type") for part in parts]:
        case ["ByteLevel"] if parts[0].get("use_regex", True):
            return "gpt-2"
        case ["Digits", "ByteLevel"] if parts[0].get("individual_digits"):
            return "smollm"
        case ["Split", "ByteLevel"]:
            if name := CUTS.get((parts[0].get("pattern") or {}).get("Regex", "")):
                return name
    raise BadInput(f"The tokenizer cuts texts in a way that is not known here. {OTHERWISE}")


def _describe(writer: "gguf.GGUFWriter", model: Path, config: Mapping[str, Any], quantization: str) -> None:
    import gguf

    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_name(model.resolve().name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(_rope(config)["rope_theta"])
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantization.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_string("primum.sha256", model_fingerprint(model))
    if merged := read_json(model / RUN).get("merged"):
        writer.add_string("primum.adapter", str(merged.get("adapter")))
        writer.add_string("primum.base", str(merged.get("base")))


def _add_tokens(
    writer: "gguf.GGUFWriter", model: Path, config: Mapping[str, Any], tokenizer: Mapping[str, Any]
) -> None:
    from transformers import AutoTokenizer

    tokens, kinds = _tokens(tokenizer, int(config["vocab_size"]))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_cut(tokenizer))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in merges])
    loaded = AutoTokenizer.from_pretrained(model)
    ids = {"bos": loaded.bos_token_id, "eos": loaded.eos_token_id, "pad": loaded.pad_token_id}
    for name, number in ids.items():
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    first = loaded("a").input_ids[:1]
    writer.add_add_bos_token(loaded.bos_token_id is not None and first == [loaded.bos_token_id])
    writer.add_add_space_prefix(False)
    if loaded.chat_template:
        writer.add_chat_template(loaded.chat_template)


def _tokens(tokenizer: Mapping[str, Any], size: int) -> tuple[list[str], list[int]]:
    """Every row of the embedding, those too that no token has."""
    tokens, kinds = [f"[PAD{number}]" for number in range(size)], [UNUSED] * size
    for token, number in tokenizer["model"]["vocab"].items():
        tokens[number], kinds[number] = token, NORMAL
    for one in tokenizer.get("added_tokens") or []:
        tokens[one["id"]] = one["content"]
        kinds[one["id"]] = CONTROL if one.get("special") else USER_DEFINED
    return tokens, kinds


def _tensors(
    model: Path, config: Mapping[str, Any], kind: "gguf.MODEL_ARCH", quantization: Quantization
) -> "Iterator[tuple[str, NDArray[Any], gguf.GGMLQuantizationType]]":
    """llama.cpp's name of each tensor, its bytes, and how they are to be read. Raises BadInput for an unknown one."""
    import gguf
    import torch
    from safetensors import safe_open

    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    if (scaled := _rope_factors(config)) is not None:
        yield "rope_freqs.weight", scaled, gguf.GGMLQuantizationType.F32
    tied = bool(config.get("tie_word_embeddings"))
    for file in sorted(model.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            for name in sorted(read_header(file)):
                if name.endswith("rotary_emb.inv_freq") or (tied and name == "lm_head.weight"):
                    continue
                ours = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if ours is None:
                    raise BadInput(f"{file} has {name}, which llama.cpp's {gguf.MODEL_ARCH_NAMES[kind]} has not.")
                values = opened.get_tensor(name).to(torch.float32).numpy()
                if kind is gguf.MODEL_ARCH.LLAMA:
                    values = _permuted(name, values, config)
                stored = _stored(values, quantization)
                yield ours, gguf.quants.quantize(values, stored), stored


def _stored(values: "NDArray[Any]", quantization: Quantization) -> "gguf.GGMLQuantizationType":
    """Vectors stay as they are; a row that does not fill its blocks stays in 16 bits."""
    import gguf

    if values.ndim < 2:
        return gguf.GGMLQuantizationType.F32
    wanted = gguf.GGMLQuantizationType[quantization.upper()]
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return wanted if values.shape[-1] % block == 0 else gguf.GGMLQuantizationType.F16


def _permuted(name: str, values: "NDArray[Any]", config: Mapping[str, Any]) -> "NDArray[Any]":
    """llama.cpp turns neighbouring pairs of a Llama's query and key, transformers the two halves of a head."""
    heads = int(config["num_attention_heads"])
    if "k_proj" in name:
        heads = int(config.get("num_key_value_heads") or heads)
    elif "q_proj" not in name:
        return values
    rows = values.shape[0] // heads // 2
    return values.reshape(heads, 2, rows, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _rope_factors(config: Mapping[str, Any]) -> "NDArray[Any] | None":
    """By how much Llama 3 slows each frequency down; None where it is left as it is."""
    import numpy as np

    rope = _rope(config)
    if rope.get("rope_type", "default") != "llama3":
        return None
    head = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
    lengths = 2 * np.pi * rope["rope_theta"] ** (np.arange(0, head, 2, dtype=np.float64) / head)
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    smooth = (rope["original_max_position_embeddings"] / lengths - low) / (high - low)
    smooth = np.clip(smooth, 0, 1)  # 0: slowed down by the whole factor; 1: left alone
    return np.asarray(1 / ((1 - smooth) / rope["factor"] + smooth), dtype=np.float32)
