"""The second look of a turn's triage, for evaluations: likeness to examples, without a graph."""

from pathlib import Path

from primum.nodes.examples import load_examples, meaningful
from primum.nodes.triage import look_again, may_be_more
from primum.retrieval.embedder import Embedder
from primum.safety.harm import Refusal
from primum.safety.red_flags import Triage


class SecondLook:
    """Adds to what the rules found, as `nodes.triage` does. Loading takes half a minute the first time."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self._examples = load_examples(embedder, folder)

    def __call__(self, text: str, signs: Triage, refusal: Refusal | None) -> tuple[Triage, Refusal | None]:
        if not may_be_more(text, signs):
            return signs, refusal
        (vector,) = self._embedder.embed_queries([meaningful(text)])
        return look_again(text, vector, signs, refusal, self._examples)
