"""A document as the library takes it in: who says it, in which language, for whom, and how far it can be trusted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from primum.retrieval.language import language_of
from primum.retrieval.plaintext import clean, line, web_address

AUDIENCES = frozenset({"patient", "clinician"})
EVIDENCE = frozenset({"guideline", "review", "trial", "case", "label", "textbook"})
_FORMAT = 2  # raise it when loading or chunking changes, so that everything is ingested again
_TRUE = frozenset({"true", "yes", "1"})


@dataclass(frozen=True)
class Source:
    """One document: its identity, what is known about it, and its plain text with `## Heading` lines.

    `origin` is the service that it was read from, or nothing for a user's own file. `pages` holds where in the text
    each page (or slide) starts; page 1 is the first.
    """

    uri: str
    title: str
    text: str
    kind: str = "page"
    url: str = ""
    aliases: list[str] = field(default_factory=list)
    sources: list[dict[str, str]] = field(default_factory=list)
    reviewed: date | None = None
    origin: str = ""
    language: str = "en"
    audience: str = ""
    licence: str = ""
    evidence: str = ""
    published: date | None = None
    retracted: bool = False
    pages: list[int] = field(default_factory=list)

    @cached_property
    def content_hash(self) -> str:
        """Changes when anything that is stored of this source changes."""
        content = json.dumps([_FORMAT, asdict(self)], default=str, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Unreadable:
    """What could not be read, and why; `name` is a path, `path:line` for a row, or the name of an origin.

    `empty` if it is sound, but has nothing that could be read.
    """

    name: str
    reason: str
    empty: bool = field(default=False, compare=False)


class Empty(ValueError):
    """A sound file of a known kind without a text."""


@dataclass(frozen=True)
class PlainPage:
    """What a reader makes of one document; `meta` holds what else the document says about itself.

    `identity` is empty for the only document of a file, `#…` for a row of one, and a whole uri for a document that is
    the same wherever its file lies.
    """

    title: str
    text: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    identity: str = ""
    origin: str = ""


def source_of(page: PlainPage, uri: str) -> Source:
    """The document as it is stored. Raises Empty if it has no text."""
    if not page.text:
        raise Empty("no text in it")
    meta = page.meta
    url = web_address(meta.get("url"))
    return Source(
        uri=uri,
        title=page.title,
        text=page.text,
        kind=_word(meta.get("kind")) or "page",
        url=url,
        aliases=[line(str(alias)) for alias in _list(meta.get("aliases"))],
        sources=_sources(meta, page.title, url),
        reviewed=day(meta.get("reviewed")),
        origin=page.origin,
        language=language_of(page.text, _word(meta.get("language"))),
        audience=_one_of(AUDIENCES, meta.get("audience")),
        licence=_word(meta.get("licence") or meta.get("license")),
        evidence=_one_of(EVIDENCE, meta.get("evidence")),
        published=day(meta.get("published")),
        retracted=str(meta.get("retracted") or "").strip().lower() in _TRUE,
        pages=page.pages,
    )


def escaped(path: str) -> str:
    """A path or address as a part of an identity: `#`, `%` and what can't be seen are percent-encoded."""
    return "".join(
        sign if sign.isprintable() and sign not in "#%" else quote(sign, safe="", errors="surrogatepass")
        for sign in path
    )


def day(value: object) -> date | None:
    """The day that a value such as 2026-11-21, 20261121 or a time of that day names."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value or "").strip()
    try:
        return date.fromisoformat(text[:8] if text[:8].isdigit() else text[:10])
    except ValueError:
        return None


def _word(value: object) -> str:
    return line(str(value)) if isinstance(value, str | int | float) else ""


def _one_of(allowed: frozenset[str], value: object) -> str:
    word = _word(value).lower()
    return word if word in allowed else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _sources(meta: Mapping[str, Any], title: str, url: str) -> list[dict[str, str]]:
    given = [source for source in _list(meta.get("sources")) if isinstance(source, dict)]
    if not given and isinstance(meta.get("source"), str):
        given = [{"title": title, "publisher": meta["source"], "url": url}]
    return [
        {
            "title": line(str(source.get("title") or "")),
            "publisher": line(str(source.get("publisher") or "")),
            "url": web_address(source.get("url")),
        }
        for source in given
    ]


def title_of(file_name: str) -> str:
    """A file's name as a title: `cough_syrup.txt` is "cough syrup"."""
    stem = file_name.rpartition(".")[0] or file_name
    return clean(stem.replace("-", " ").replace("_", " "))
