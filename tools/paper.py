"""A paper as a document: the same whichever service it came from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from primum.retrieval.loaders import Source
from primum.retrieval.plaintext import clean, line, web_address
from primum.tools.levels import WEIGHTS, is_notice, level, withdrawn

_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_TRANSLATED = re.compile(r"^\[(.*)\]\.?$")  # how PubMed marks a title that it translated
_DOI = re.compile(r"10\.\d{4,9}/\S+")


@dataclass(frozen=True)
class Paper:
    """What services tell of a paper."""

    origin: str
    uri: str
    title: str
    text: str
    url: str
    types: Sequence[str] = ()
    corrections: Sequence[str] = ()
    published: date | None = None
    authors: Sequence[str] = ()
    journal: str = ""
    pmid: str = ""
    doi: str = ""
    licence: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def source(self) -> Source | None:
        """The document; none where there is no text to cite, or where it is but a notice about another paper."""
        title, text = _TRANSLATED.sub(r"\1", line(self.title)) or "Without a title", clean(self.text)
        if not text or is_notice(self.types):
            return None
        notice = withdrawn(title, self.types, self.corrections)
        known = {
            "title": title,
            "publisher": line(self.journal),
            "url": web_address(self.url),
            "year": str(self.published.year) if self.published else "",
            "authors": short(self.authors),
            "pmid": self.pmid,
            "doi": doi(self.doi),
            "notice": notice,
            **self.more,
        }
        return Source(
            uri=self.uri,
            title=title,
            text=text,
            kind="paper",
            url=web_address(self.url),
            sources=[{name: one for name, one in known.items() if one or name in ("title", "publisher", "url")}],
            origin=self.origin,
            licence=line(self.licence),
            evidence=level(self.types),
            published=self.published,
            retracted=bool(notice),
        )


def short(authors: Sequence[str]) -> str:
    """Authors as they are cited: the first three."""
    names = [line(name) for name in authors if name.strip()]
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")


def doi(text: str) -> str:
    """A DOI in the form in which it can be compared."""
    found = _DOI.search(text.strip().lower())
    return found[0].rstrip(".") if found else ""


def first_day(year: str | None, month: str | None = None, of_month: str | None = None) -> date | None:
    """A date of which the month (`Mar`, `03`) and the day may be missing: then the first."""
    try:
        name = (month or "1").strip().lower()
        number = _MONTHS.get(name[:3]) or int(name)
        return date(int(year or ""), number, int(of_month or 1))
    except ValueError:
        return date(int(year), 1, 1) if year and re.fullmatch(r"[12]\d{3}", year) else None


def same(one: Source, other: Source) -> Source:
    """Two records of one paper as one: the fuller text, and whatever either knows, a retraction above all."""
    first, second = (one, other) if len(one.text) >= len(other.text) else (other, one)
    known = {**_about(second), **{name: told for name, told in _about(first).items() if told}}
    if "retracted" in (_about(one).get("notice"), _about(other).get("notice")):
        known["notice"] = "retracted"
    return replace(
        first,
        sources=[known],
        licence=first.licence or second.licence,
        evidence=max(first.evidence, second.evidence, key=lambda name: WEIGHTS.get(name, 1.0) if name else 0.0),
        published=first.published or second.published,
        retracted=one.retracted or other.retracted,
    )


def settled(source: Source) -> Source:
    """The document under the address that it has whichever service answers: PubMed's number, where it has one."""
    pmid = _about(source).get("pmid")
    return replace(source, uri=f"pubmed:{pmid}") if pmid else source


def _about(source: Source) -> dict[str, str]:
    return source.sources[0] if source.sources else {}


def identities(source: Source) -> tuple[str, ...]:
    """What a paper is known by: its address in the library, PubMed's number, its DOI."""
    about = _about(source)
    pmid, name = about.get("pmid"), about.get("doi")
    return source.uri, *([f"pubmed:{pmid}"] if pmid else []), *([f"doi:{name}"] if name else [])
