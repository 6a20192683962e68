"""MedlinePlus health topics: what the US National Library of Medicine tells patients, in English and Spanish."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from primum.retrieval.markup import html_text
from primum.retrieval.plaintext import line
from primum.retrieval.source import PlainPage, Unreadable

ORIGIN = "medlineplus"
# The summaries are a US government work; the linked pages, which are not taken in, may be copyrighted.
LICENCE = "public domain (US government work)"
PUBLISHER = "MedlinePlus, National Library of Medicine"


def topic_pages(root: Any) -> Iterator[PlainPage | Unreadable]:
    """One document for each health topic that has a summary; memory is freed as it goes."""
    for topic in root.iterfind("health-topic"):
        title = line(topic.get("title") or "")
        text = html_text(topic.findtext("full-summary") or "")
        if text and title:
            yield _page(topic, title, text)
        else:
            yield Unreadable(title or topic.get("id", ""), "a topic without a summary")
        topic.clear()


def _page(topic: Any, title: str, text: str) -> PlainPage:
    names = [element.text or "" for tag in ("also-called", "see-reference") for element in topic.iterfind(tag)]
    meta = {
        "kind": "topic",
        "url": topic.get("url"),
        "aliases": list(dict.fromkeys(line(name) for name in names if name.strip())),
        "sources": [{"title": title, "publisher": PUBLISHER, "url": topic.get("url")}],
        "language": topic.get("language") or "English",
        "audience": "patient",
        "licence": LICENCE,
        "published": _day(topic.get("date-created") or ""),
    }
    return PlainPage(title, text, meta, identity=f"{ORIGIN}:{line(topic.get('id') or title)}", origin=ORIGIN)


def _day(text: str) -> str:
    found = re.match(r"\d{2}/\d{2}/\d{4}", text)
    return datetime.strptime(found[0], "%m/%d/%Y").date().isoformat() if found else ""
