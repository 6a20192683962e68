"""The parts of the page as HTML, from `templates/`, where whatever comes from the API is escaped unless told not to."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from primum.page.chart import in_order
from primum.page.prose import to_html

STEPS = {
    "recall": "Recalling what you told me",
    "triage": "Looking for warning signs",
    "router": "Understanding the question",
    "rewrite": "Choosing what to look for",
    "retrieve": "Searching the library",
    "further": "Thinking of other searches",
    "look_up": "Looking in the literature",
    "act": "Calculating",
    "draft": "Writing an answer",
    "critique": "Checking every sentence",
    "refine": "Repairing what was not proven",
    "respond": "Putting the answer together",
}
TROUBLES = {
    ("database", "down"): "The database can't be reached, so nothing can be asked or shown.",
    ("model", "down"): "The language model does not answer: you get quotes from the library only.",
    ("model", "missing"): "The model server does not have the model: you get quotes from the library only.",
    ("embedder", "mismatch"): "The library was indexed for another search model and must be read in again.",
    ("corpus", "empty"): "The library is empty: add documents with “primum ingest”.",
}


# Where a fact comes from.
ORIGINS = {
    "rules": "You said so on {}",
    "model": "Found by the model in what you said on {}",
    "form": "Filled in by hand on {}",
    "import": "From a record, imported on {}",
}
# What a receipt counts, in words; what is not named here are the records of Primum's own work.
COUNTS = {
    "threads": ("conversation", "conversations"),
    "turns": ("question with its answer", "questions with their answers"),
    "facts": ("fact, each version counted", "facts, each version counted"),
    "contradictions": ("contradiction", "contradictions"),
    "summaries": ("summary", "summaries"),
    "feedback": ("rating", "ratings"),
}


def show(template: str, **values: object) -> None:
    st.html(render(template, **values))


def plain(text: str) -> str:
    """The text as it is, in one line, where Streamlit takes Markdown."""
    return re.sub(r"([!#$&*+./:<=>@\[-`{-~-])", r"\\\1", " ".join(text.split()))


def render(template: str, **values: object) -> str:
    return _TEMPLATES.get_template(f"{template}.html").render(values)


def step(name: str) -> str:
    return STEPS.get(name, name.replace("_", " ").capitalize())


def why_quoted(answer: Mapping[str, Any]) -> str:
    """Why an answer is made of quotes."""
    if any(problem.startswith(("router:", "rewrite:", "draft:")) for problem in answer["trace"]["problems"]):
        return "The language model gave no usable answer, so these are the sources' own sentences."
    if answer["support"].get("removed"):
        return "The language model's wording could not be proven, so these are the sources' own sentences."
    return "These are the sources' own sentences; nothing was reworded."


def timings(trace: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds of the steps of a turn, in their order."""
    return {name: trace["timings_ms"][name] for name in STEPS if name in trace["timings_ms"]}


def troubles(health: Mapping[str, Any]) -> list[str]:
    """A sentence for each part that is not as it should be."""
    return [text for (part, state), text in TROUBLES.items() if health.get(part, {}).get("state") == state]


KINDS = {
    "guideline": "guideline",
    "review": "review of studies",
    "trial": "clinical trial",
    "case": "report of single cases",
    "label": "official label",
    "textbook": "textbook",
}


def place(citation: Mapping[str, Any]) -> str:
    """The section of a quote, and its page."""
    heading = str(citation["heading"])
    section = heading if heading and heading != citation["title"] else "Opening"
    return f"{section}, page {citation['page']}" if citation.get("page") else section


def standing(citation: Mapping[str, Any]) -> str:
    """What speaks for and against a source: its kind of evidence, its dates, its licence."""
    parts = [
        KINDS.get(citation.get("evidence", ""), ""),
        f"published {day(citation['published'])}" if citation.get("published") else "",
        f"reviewed {day(citation['reviewed'])}" if citation.get("reviewed") else "",
        "may be out of date" if citation.get("stale") else "",
        citation.get("licence", ""),
    ]
    told = " · ".join(part for part in parts if part)
    return told[:1].upper() + told[1:]


def web(url: str) -> str:
    """The address if it is one of the web, else nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def day(iso: str) -> str:
    try:
        parsed = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{parsed.day} {parsed:%B} {parsed.year}"


def origin(fact: Mapping[str, Any]) -> str:
    """Where a fact comes from, and of which day it is."""
    return ORIGINS.get(fact.get("source", ""), "Noted on {}").format(day(fact["said"]))


def erased(receipt: Mapping[str, Any]) -> list[str]:
    """What a receipt counts, in words."""
    counts = dict(receipt["counts"])
    named = [(counts.pop(name, 0), one, many) for name, (one, many) in COUNTS.items()]
    named.append((sum(counts.values()), "record of the work on it", "records of the work on it"))
    return [f"{count:,} {one if count == 1 else many}" for count, one, many in named if count]


def seconds(ms: float) -> str:
    minutes, rest = divmod(ms / 1000, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def degree(confidence: float) -> str:
    return "high" if confidence >= 0.7 else "medium" if confidence >= 0.45 else "low"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {f.__name__: f for f in (step, place, standing, web, day, seconds, degree, origin, in_order)}
_TEMPLATES.globals |= {f.__name__: f for f in (to_html, why_quoted, timings, troubles, erased)}
