"""The parts of the page as HTML, from `templates/`, where whatever comes from the API is escaped unless told not to."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import urlsplit

import streamlit as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from primum.page.chart import in_order
from primum.page.client import Refused
from primum.page.prose import to_html
from primum.page.words import ENGLISH, language, say

P = ParamSpec("P")

STEPS = {
    "recall": "Recalling what you told me",
    "triage": "Looking for warning signs",
    "router": "Understanding the question",
    "rewrite": "Choosing what to look for",
    "retrieve": "Searching the library",
    "further": "Thinking of other searches",
    "look_up": "Looking in the literature",
    "act": "Calculating",
    "gather": "Finding what the case may be",
    "draft": "Writing an answer",
    "work_up": "Working up the case",
    "critique": "Checking every sentence",
    "refine": "Repairing what was not proven",
    "mend": "Repairing what was not proven",
    "respond": "Putting the answer together",
}
STATUSES = {
    "answered": "answered",
    "evidence_only": "quoted only",
    "emergency": "emergency",
    "declined": "declined",
    "unverified": "unproven",
    "waiting": "waits for a clinician",
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
    "rules": "You said so on {day}",
    "model": "Found by the model in what you said on {day}",
    "form": "Filled in by hand on {day}",
    "import": "From a record, imported on {day}",
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


def heading(title: str, text: str = "") -> None:
    show("heading", title=title, text=text)


def problem(title: str, refused: Refused) -> None:
    """What could not be done, and why, as the API said it. Whose key holds no longer is led to the door."""
    if refused.status == 401 and st.session_state.pop("visitor", None):
        st.rerun()
    show("problem", heading=title, text=say(refused.message, **refused.given))


def dialog(title: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """As `st.dialog`, with a title in the language of who opens it."""

    def dialogs(show: Callable[P, None]) -> Callable[P, None]:
        @wraps(show)
        def opened(*args: P.args, **kwargs: P.kwargs) -> None:
            st.dialog(say(title))(show)(*args, **kwargs)

        return opened

    return dialogs


def plain(text: str) -> str:
    """The text as it is, in one line, where Streamlit takes Markdown."""
    return re.sub(r"([!#$&*+./:<=>@\[-`{-~-])", r"\\\1", " ".join(text.split()))


def render(template: str, **values: object) -> str:
    return _TEMPLATES.get_template(f"{template}.html").render(values)


def step(name: str) -> str:
    return say(STEPS[name]) if name in STEPS else name.replace("_", " ").capitalize()


def why_quoted(answer: Mapping[str, Any]) -> str:
    """Why an answer is made of quotes."""
    if any(problem.startswith(("router:", "rewrite:", "draft:")) for problem in answer["trace"]["problems"]):
        return say("The language model gave no usable answer, so these are the sources' own sentences.")
    if answer["support"].get("removed"):
        return say("The language model's wording could not be proven, so these are the sources' own sentences.")
    return say("These are the sources' own sentences; nothing was reworded.")


def signature(answer: Mapping[str, Any]) -> str:
    """What a clinician made of the answer before it left; nothing if nobody signed it."""
    match (answer.get("signed") or {}).get("decision"):
        case "approved":
            return say("Checked by a clinician.")
        case "edited":
            return say("Edited by a clinician.")
    return ""


def timings(trace: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds of the steps of a turn, in their order."""
    return {name: trace["timings_ms"][name] for name in STEPS if name in trace["timings_ms"]}


def troubles(health: Mapping[str, Any]) -> list[str]:
    """A sentence for each part that is not as it should be."""
    return [say(text) for (part, state), text in TROUBLES.items() if health.get(part, {}).get("state") == state]


EVIDENCE = {
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
    section = heading if heading and heading != citation["title"] else say("Opening")
    return say("{section}, page {page}", section=section, page=citation["page"]) if citation.get("page") else section


def standing(source: Mapping[str, Any]) -> str:
    """What speaks for and against a source: its kind of evidence, its dates, its licence."""
    parts = [
        say("retracted") if source.get("retracted") else "",
        say(EVIDENCE.get(source.get("evidence", ""), "")),
        say("published {day}", day=day(source["published"])) if source.get("published") else "",
        say("reviewed {day}", day=day(source["reviewed"])) if source.get("reviewed") else "",
        say("may be out of date") if source.get("stale") else "",
        source.get("licence", ""),
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
    if language() != ENGLISH:
        return f"{parsed.year}年{parsed.month}月{parsed.day}日"
    return f"{parsed.day} {parsed:%B} {parsed.year}"


def origin(fact: Mapping[str, Any]) -> str:
    """Where a fact comes from, and of which day it is."""
    return say(ORIGINS.get(fact.get("source", ""), "Noted on {day}"), day=day(fact["said"]))


def erased(receipt: Mapping[str, Any]) -> list[str]:
    """What a receipt counts, in words."""
    counts = dict(receipt["counts"])
    named = [(counts.pop(name, 0), one, many) for name, (one, many) in COUNTS.items()]
    named.append((sum(counts.values()), "record of the work on it", "records of the work on it"))
    return [f"{count:,} {say(one if count == 1 else many)}" for count, one, many in named if count]


def seconds(ms: float) -> str:
    minutes, rest = divmod(ms / 1000, 60)
    if minutes:
        return say("{minutes} min {rest} s", minutes=f"{minutes:.0f}", rest=f"{rest:.0f}")
    return say("{rest} s", rest=f"{rest:.1f}")


def degree(confidence: float) -> str:
    return say("high" if confidence >= 0.7 else "medium" if confidence >= 0.45 else "low")


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {f.__name__: f for f in (step, place, standing, web, day, seconds, degree, origin, in_order)}
_TEMPLATES.globals |= {f.__name__: f for f in (say, to_html, why_quoted, signature, timings, troubles, erased)}
