"""What reads a question and a passage together, and so ranks the few that a search found better than vectors can."""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol

from primum.graph.errors import RetrievalFailed
from primum.retrieval.embedder import model_folder

M3 = "m3:"  # before the name of a model of BGE-M3's kind
_READ = 512  # tokens of question and passage together


class Reranker(Protocol):
    """Blocking: async callers go through `asyncio.to_thread`."""

    @property
    def name(self) -> str: ...
    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, 0 to 1."""
        ...


def load_reranker(name: str) -> Reranker:
    """A cross-encoder's folder or hub name; `m3:` before it ranks by the dense, sparse and ColBERT scores of BGE-M3.

    Raises:
        RetrievalFailed: it can't be loaded; the text says how to mend it.
    """
    folder = model_folder(name.removeprefix(M3), "PRIMUM_RERANKER")
    try:
        return M3Reranker(name, str(folder)) if name.startswith(M3) else CrossEncoder(name, str(folder))
    except ImportError as error:
        raise RetrievalFailed(f"The reranker needs the package {error.name}: pip install 'primum[local]'") from None
    except (OSError, ValueError, KeyError) as error:
        raise RetrievalFailed(f"The reranker {name} can't be loaded from {folder}: {error}") from error


class CrossEncoder:
    """A model such as bge-reranker-v2-m3, which reads question and passage as one text."""

    def __init__(self, name: str, folder: str) -> None:
        from FlagEmbedding import FlagReranker

        self.name = name
        self._model = FlagReranker(folder, max_length=_READ, normalize=True, **_device())
        self._lock = Lock()

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        with self._lock:  # the model is not made for two threads at once
            found = self._model.compute_score([(query, text) for text in texts]) if texts else []
        return [float(score) for score in (found if isinstance(found, list) else [found])]


class M3Reranker:
    """BGE-M3's three scores together, weighted as its authors do for reranking (0.4 dense, 0.2 sparse, 0.4 ColBERT).

    Chen et al., M3-Embedding, 2024.
    """

    def __init__(self, name: str, folder: str) -> None:
        from FlagEmbedding import BGEM3FlagModel

        self.name = name
        self._model = BGEM3FlagModel(folder, **_device())
        self._lock = Lock()

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        pairs = [(query, text) for text in texts]
        with self._lock:
            found = self._model.compute_score(
                pairs, max_query_length=_READ, max_passage_length=_READ, weights_for_different_modes=[0.4, 0.2, 0.4]
            )
        return [min(1.0, max(0.0, float(score))) for score in found["colbert+sparse+dense"]]


def _device() -> dict[str, Any]:
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    on_gpu = torch.cuda.is_available()
    return {"use_fp16": on_gpu, "devices": "cuda:0" if on_gpu else "cpu"}
