"""An OpenAI-compatible embeddings endpoint, such as vLLM's with a pooling model, as an embedder."""

import hashlib
import json
import math
from collections.abc import Sequence
from time import monotonic
from typing import Any

import httpx

from primum.graph.errors import RetrievalFailed
from primum.retrieval.embedder import Vector

_BATCH = 64  # texts of one request: the server makes its own batches of them
_TOKEN = 3  # characters, a low guess: how the server cuts a text is not known here
_CONNECT, _REQUEST, _TEXT = 5.0, 10.0, 2.0  # seconds: until it takes a request, for one, and for each text in it


class EndpointEmbedder:
    """Asks for vectors over HTTP. Its identity is the model's name and size: the weights can't be seen from here."""

    pooling = "server"

    def __init__(self, name: str, url: str, key: str) -> None:
        """Raises RetrievalFailed if there is no such model."""
        self.name = name
        self._http = httpx.Client(base_url=url.rstrip("/") + "/", headers={"Authorization": f"Bearer {key}"})
        self.dimensions = len(self._ask(["fever"])[0])
        self.fingerprint = hashlib.sha256(f"{name} {self.dimensions}".encode()).hexdigest()

    def count_tokens(self, text: str) -> int:
        return math.ceil(len(text.encode()) / _TOKEN)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        return self.embed_passages(texts)

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        starts = range(0, len(texts), _BATCH)
        return [vector for start in starts for vector in self._ask(list(texts[start : start + _BATCH]))]

    def _ask(self, texts: list[str]) -> list[Vector]:
        try:
            rows = sorted(self._answer(texts)["data"], key=lambda row: row["index"])
            vectors = [[float(x) for x in row["embedding"]] for row in rows]
        except httpx.HTTPStatusError as error:
            raise RetrievalFailed(
                f"The embeddings endpoint answers {error.response.status_code} for the model {self.name}."
                " Check PRIMUM_EMBEDDER, PRIMUM_EMBEDDER_URL and PRIMUM_EMBEDDER_KEY."
            ) from None
        except httpx.HTTPError as error:
            raise RetrievalFailed(f"The embeddings endpoint can't be reached ({type(error).__name__}).") from None
        except (ValueError, KeyError, TypeError):
            raise RetrievalFailed("The embeddings endpoint's answer is none of OpenAI's shape.") from None
        if len(vectors) != len(texts):
            raise RetrievalFailed(f"The embeddings endpoint gave {len(vectors)} vectors for {len(texts)} texts.")
        return [_of_length_one(vector) for vector in vectors]

    def _answer(self, texts: list[str]) -> Any:
        """What it says, within its time also where that comes byte by byte. Raises httpx.HTTPError, ValueError."""
        seconds = _REQUEST + _TEXT * len(texts)
        limit = monotonic() + seconds
        asked = {"model": self.name, "input": texts, "encoding_format": "float"}
        timeout = httpx.Timeout(seconds, connect=_CONNECT)
        with self._http.stream("POST", "embeddings", json=asked, timeout=timeout) as response:
            response.raise_for_status()
            said = bytearray()
            for piece in response.iter_bytes():
                said += piece
                if monotonic() > limit:
                    raise httpx.ReadTimeout("too slow")
        return json.loads(said)


def _of_length_one(vector: Vector) -> Vector:
    length = math.sqrt(sum(x * x for x in vector))
    if not math.isfinite(length) or length == 0:
        raise RetrievalFailed("The embeddings endpoint gave a vector without a direction.")
    return [x / length for x in vector]
