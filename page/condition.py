"""What /health says, in plain words."""

from collections.abc import Mapping
from html import escape
from typing import Any

TROUBLES = {
    ("database", "down"): "The database can't be reached, so nothing can be asked or shown.",
    ("model", "down"): "The language model does not answer: you get quotes from the library only.",
    ("model", "missing"): "The model server does not have the model: you get quotes from the library only.",
    ("embedder", "mismatch"): "The library was indexed for another search model and must be read in again.",
    ("corpus", "empty"): "The library is empty: add documents with “primum ingest”.",
}


def troubles(health: Mapping[str, Any]) -> list[str]:
    """One sentence for each part that is not as it should be."""
    return [text for (part, state), text in TROUBLES.items() if health.get(part, {}).get("state") == state]


def card(health: Mapping[str, Any]) -> str:
    """A dot and a word; folded behind them the parts."""
    state = str(health["state"])
    word = {"up": "Ready", "degraded": "Working with limits"}.get(state, "Not available")
    model, corpus = health.get("model", {}), health.get("corpus", {})
    rows = {"Model": _model(model), "Library": _library(corpus), "Version": str(health.get("version", ""))}
    listed = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows.items() if text)
    said = "".join(f"<p>{escape(text)}</p>" for text in troubles(health))
    dot = {"up": "good", "degraded": "fair"}.get(state, "bad")
    return (
        f'<div class="pm-health pm-{dot}">{said}<details><summary>{word}</summary><dl>{listed}</dl></details></div>'
    )


def unreachable(message: str) -> str:
    return f'<div class="pm-health pm-bad"><p>{escape(message)}</p><details><summary>Not available</summary></details></div>'


def _model(model: Mapping[str, Any]) -> str:
    name = str(model.get("name", ""))
    return f"{name}, adapter {model['adapter']}" if model.get("adapter") else name


def _library(corpus: Mapping[str, Any]) -> str:
    if not corpus.get("documents"):
        return ""
    return f"{corpus['documents']:,} pages in {corpus['chunks']:,} passages"
