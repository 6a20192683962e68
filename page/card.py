"""The parts of a conversation as HTML. Every value from the API is escaped here or in prose.py."""

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any
from urllib.parse import urlsplit

from primum.page.prose import chip, to_html

STEPS = {
    "triage": "Looking for warning signs",
    "recall": "Recalling what you told me",
    "router": "Understanding the question",
    "rewrite": "Choosing what to look for",
    "retrieve": "Searching the library",
    "act": "Using a tool",
    "draft": "Writing an answer",
    "critique": "Checking every sentence",
    "refine": "Repairing what was not proven",
    "respond": "Putting the answer together",
}

# The heading of an answer that is not simply an answer, and why it is so.
STATES = {
    "evidence_only": "Quoted from the library, word for word",
    "declined": "Outside what I answer",
    "unverified": "No proven answer",
    "emergency": "This may be an emergency",
}


def welcome() -> str:
    return (
        '<div class="pm-welcome"><h1>What would you like to know?</h1><p>Ask about a symptom, a condition, a medicine or '
        "first aid. Every sentence of an answer is checked against the library, and every number in it opens the "
        "proof.</p></div>"
    )


def disclaimer() -> str:
    return (
        '<p class="pm-disclaimer">Primum informs; it does not replace a doctor. '
        "In an emergency call your local emergency number: 112, 911 or 999.</p>"
    )


def question(text: str) -> str:
    return f'<div class="pm-question"><p>{escape(text)}</p></div>'


def working(steps: Mapping[str, bool], titles: Sequence[str]) -> str:
    """The steps of a running turn, the titles of what was found, and a word on what comes."""
    rows = []
    for name, finished in steps.items():
        found = "".join(f"<li>{escape(title)}</li>" for title in titles) if name == "retrieve" else ""
        found = f'<ul class="pm-found">{found}</ul>' if found else ""
        rows.append(f'<li class="{"done" if finished else "now"}">{escape(_step(name))}{found}</li>')
    if not steps or all(steps.values()):
        rows.append('<li class="now">One moment</li>' if not steps else "")
    return f'<div class="pm-working" role="status"><ol class="pm-steps">{"".join(rows)}</ol></div>'


def still_working() -> str:
    """For a turn that was started elsewhere, or before the page was loaded anew."""
    return (
        '<div class="pm-working" role="status"><ol class="pm-steps"><li class="now">Still working on the answer</li>'
        '</ol></div><p class="pm-waited">It will appear here by itself.</p>'
    )


def retrying() -> str:
    return '<p class="pm-waited" role="status">Trying again every few seconds.</p>'


def waited(seconds: int) -> str:
    return f'<p class="pm-waited">{seconds} s so far. You see the answer once every sentence in it is checked.</p>'


def problem(heading: str, text: str) -> str:
    return f'<div class="pm-state pm-problem" role="alert"><strong>{escape(heading)}</strong><p>{escape(text)}</p></div>'


def answer(given: Mapping[str, Any], clinician: bool) -> str:
    """An answer with its citations, how well it is proven, and how it was made."""
    status, trace = str(given["status"]), given["trace"]
    card = f"cite-{trace['run_id']}"
    citations = given["citations"]
    text = to_html(str(given["text"]), [citation["marker"] for citation in citations], card)
    parts = [
        _state(given),
        f'<div class="pm-text">{text}</div>',
        _warnings(given.get("safety", {})),
        _sources(citations, card),
        *(_citation(citation, card) for citation in citations),
        _check(given),
        _making(trace, clinician),
        _reasoning(given.get("reasoning")) if clinician else "",
    ]
    return f'<article class="pm-answer pm-{escape(status)}">{"".join(parts)}</article>'


def _step(name: str) -> str:
    return STEPS.get(name, name.replace("_", " ").capitalize())


def _state(given: Mapping[str, Any]) -> str:
    heading = STATES.get(str(given["status"]))
    if heading is None:
        return ""
    why = f"<p>{escape(_why_quoted(given))}</p>" if given["status"] == "evidence_only" else ""
    return f'<div class="pm-state"><strong>{escape(heading)}</strong>{why}</div>'


def _why_quoted(given: Mapping[str, Any]) -> str:
    if any(str(problem).startswith(("draft:", "rewrite:", "router:")) for problem in given["trace"]["problems"]):
        return "The language model gave no usable answer, so these are the sources' own sentences."
    if given["support"].get("removed"):
        return "The language model's wording could not be proven, so these are the sources' own sentences."
    return "These are the sources' own sentences; nothing was reworded."


def _warnings(safety: Mapping[str, Any]) -> str:
    warnings = "".join(f"<li>{escape(str(warning))}</li>" for warning in safety.get("warnings", []))
    return f'<ul class="pm-warnings">{warnings}</ul>' if warnings else ""


def _sources(citations: Sequence[Mapping[str, Any]], card: str) -> str:
    """The cited documents, each with the chips of its places."""
    documents: dict[str, list[Mapping[str, Any]]] = {}
    for citation in citations:
        documents.setdefault(str(citation["title"]), []).append(citation)
    rows = []
    for title, places in documents.items():
        chips = "".join(chip(int(place["marker"]), card, _place(place)) for place in places)
        publishers = dict.fromkeys(s.get("publisher", "") for place in places for s in place["sources"])
        names = ", ".join(name for name in publishers if name)
        rest = f" <span>{escape(names)}</span>" if names else ""
        rows.append(f'<li><p><b>{escape(title)}</b>{rest}</p><div class="pm-chips">{chips}</div></li>')
    return f'<ul class="pm-sources" aria-label="Sources">{"".join(rows)}</ul>' if rows else ""


def _place(citation: Mapping[str, Any]) -> str:
    heading = str(citation["heading"])
    return heading if heading and heading != citation["title"] else "Opening"


def _citation(citation: Mapping[str, Any], card: str) -> str:
    """The card behind a chip: the quote, where it stands, and what that page rests on."""
    own = f"{escape(card)}-{int(citation['marker'])}"
    quote = "".join(f"<p>{escape(part)}</p>" for part in str(citation["quote"]).split(" … "))
    page = {"title": "Open the page", "url": citation["url"]}
    links = [_source(page)] if _web(citation["url"]) else []
    links += [_source(source) for source in citation["sources"]]
    rests = f'<p class="pm-label">Where this comes from</p><ul>{"".join(links)}</ul>' if links else ""
    reviewed = citation.get("reviewed")
    checked = f'<p class="pm-reviewed">Reviewed {escape(_day(str(reviewed)))}</p>' if reviewed else ""
    return (
        f'<section id="{own}" class="pm-card" popover="auto" aria-label="Citation {int(citation["marker"])}">'
        f'<header><span class="pm-number">{int(citation["marker"])}</span>'
        f"<div><b>{escape(str(citation['title']))}</b><span>{escape(_place(citation))}</span></div>"
        f'<button type="button" class="pm-close" popovertarget="{own}" popovertargetaction="hide" aria-label="Close">'
        f"&#10005;</button></header><blockquote>{quote}</blockquote>{rests}{checked}</section>"
    )


def _source(source: Mapping[str, str]) -> str:
    title = escape(source.get("title") or source.get("url", ""))
    publisher = f" <span>{escape(source['publisher'])}</span>" if source.get("publisher") else ""
    url = _web(source.get("url", ""))
    linked = f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{title}</a>' if url else title
    return f"<li>{linked}{publisher}</li>"


def _web(url: str) -> str:
    """The address if it is one of the web, else nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def _day(iso: str) -> str:
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{day.day} {day:%B} {day.year}"


def _check(given: Mapping[str, Any]) -> str:
    """One line on how well the text is proven; none for a greeting or a refusal."""
    support, confidence = given["support"], float(given["confidence"])
    words = "high" if confidence >= 0.7 else "medium" if confidence >= 0.45 else "low"
    scale = f'<span title="{confidence:.2f} of 1">{words}</span>'
    if given["status"] == "answered" and support.get("sentences"):
        left = f", {support['removed']} left out" if support.get("removed") else ""
        line = f"Checked: {support['supported']} of {support['sentences']} sentences proven{left}. Confidence: {scale}."
    elif given["status"] == "evidence_only":
        line = f"Each sentence stands in its source exactly so. Match with your question: {scale}."
    else:
        return ""
    return f'<p class="pm-check">{line}</p>'


def _making(trace: Mapping[str, Any], clinician: bool) -> str:
    """The folded steps; for clinicians with everything that the trace holds."""
    timings = {name: float(ms) for name, ms in trace["timings_ms"].items() if name in STEPS}
    steps = "".join(
        f"<li class='done'>{escape(_step(name))}<span>{_seconds(timings[name])}</span></li>"
        for name in STEPS
        if name in timings
    )
    details = ""
    if clinician:
        rows = {
            "Run": trace["run_id"],
            "Model": trace["model"] + (f" with {trace['adapter']}" if trace.get("adapter") else ""),
            "Route": trace["route"],
            "Revisions": trace["revisions"],
            "Model time": _seconds(float(trace["timings_ms"].get("model", 0))),
            "Tokens": ", ".join(f"{name} {count}" for name, count in trace["tokens"].items()) or "none",
            "Library": trace["corpus_version"][:12],
            "Rules": trace["rules_version"],
            "Problems": " · ".join(trace["problems"]) or "none",
        }
        details = "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in rows.items())
        details = f"<dl>{details}</dl>"
    summary = f"How this was answered, in {_seconds(sum(timings.values()))}"
    return f'<details class="pm-making"><summary>{summary}</summary><ol class="pm-steps">{steps}</ol>{details}</details>'


def _seconds(ms: float) -> str:
    minutes, seconds = divmod(ms / 1000, 60)
    return f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"


def _reasoning(text: str | None) -> str:
    if not text:
        return ""
    return (
        f'<details class="pm-making"><summary>The model\'s reasoning, not audited</summary><pre>{escape(text)}</pre></details>'
    )
