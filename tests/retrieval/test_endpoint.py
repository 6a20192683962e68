import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from primum.graph.errors import RetrievalFailed
from primum.retrieval.embedder import load_embedder
from tests.fakes import FakeEmbedder

Answer = Callable[[dict[str, Any]], tuple[int, Any]]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address of an endpoint that answers so; its key is `secret`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(asked) if self.headers["Authorization"] == "Bearer secret" else (401, {})
            if self.path != "/v1/embeddings":
                status = 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def as_openai(asked: dict[str, Any]) -> tuple[int, Any]:
    """Vectors twice as long as they should be, the last one first: what a server may do."""
    vectors = FakeEmbedder().embed_passages(asked["input"])
    rows = [{"index": i, "embedding": [2 * x for x in vector]} for i, vector in enumerate(vectors)]
    return (200, {"data": rows[::-1]}) if asked["model"] == "bge" else (404, {"error": "no such model"})


def test_an_endpoint_embeds_as_the_model_behind_it_does_in_order_and_of_length_one() -> None:
    texts = [f"text number {number}" for number in range(150)]
    with serving(as_openai) as url:
        embedder = load_embedder("bge", url, "secret")
        assert (embedder.name, embedder.dimensions, embedder.pooling) == ("bge", 64, "server")
        vectors = embedder.embed_passages(texts)
        for mine, its in zip(vectors, FakeEmbedder().embed_passages(texts), strict=True):
            assert mine == pytest.approx(its)
        assert embedder.embed_queries(texts[:1])[0] == pytest.approx(vectors[0])
        assert embedder.embed_passages([]) == []
        assert embedder.fingerprint == load_embedder("bge", url + "/", "secret").fingerprint


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: (500, {}), "answers 500 for the model bge. Check PRIMUM_EMBEDDER"),
        (lambda _: (200, b"<html>"), "none of OpenAI's shape"),
        (lambda _: (200, {"data": [{"index": 0}]}), "none of OpenAI's shape"),
        (lambda _: (200, {"data": []}), "gave 0 vectors for 1 texts"),
        (lambda _: (200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]}), "without a direction"),
    ],
)
def test_an_endpoint_that_does_not_embed_is_told_apart(answer: Answer, said: str) -> None:
    with serving(answer) as url, pytest.raises(RetrievalFailed, match=said):
        load_embedder("bge", url, "secret")


def test_a_wrong_key_a_wrong_model_and_no_server_are_named() -> None:
    with serving(as_openai) as url:
        with pytest.raises(RetrievalFailed, match="answers 401"):
            load_embedder("bge", url, "wrong")
        with pytest.raises(RetrievalFailed, match="answers 404 for the model other"):
            load_embedder("other", url, "secret")
    with pytest.raises(RetrievalFailed, match="can't be reached"):
        load_embedder("bge", url, "secret")
