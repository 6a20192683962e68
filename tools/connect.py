"""MedlinePlus, for patients: its search for health topics, and MedlinePlus Connect for the medicines in a question."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
from lxml import etree
from pydantic import BaseModel, Field

from primum.graph.errors import LookUpFailed
from primum.retrieval.loaders import Source
from primum.retrieval.plaintext import clean, line, web_address
from primum.tools.deidentify import Query
from primum.tools.guard import Guard
from primum.tools.service import Service, Told, log, plain

RXNORM = "2.16.840.1.113883.6.88"
_LICENCE = "Attribution: MedlinePlus, National Library of Medicine"
_OF_DRUGS = "© ASHP (AHFS Patient Medication Information); by MedlinePlus, National Library of Medicine"
_MOST_DRUGS = 2  # of one question
_MEDICINE_SECONDS = 5.0  # less than a look-up has, so that topics are not lost with them
_TOLD = {"en": "en", "english": "en", "sp": "es", "es": "es", "spanish": "es"}


class _Value(BaseModel):
    value: Told = Field("", alias="_value")


class _Link(BaseModel):
    href: Told = ""


class _Entry(BaseModel):
    title: _Value
    link: list[_Link] = Field(min_length=1)
    summary: _Value = Field(default_factory=lambda: _Value(_value=""))
    lang: Told = "en"


class _Feed(BaseModel):
    entry: list[Any] = Field(default_factory=list)


class _Answer(BaseModel):
    feed: _Feed


class Connect(Service):
    """Short texts on medicines, of MedlinePlus Connect. A question that names no medicine is not sent."""

    name = "medlineplus"
    label = "MedlinePlus Connect"
    address = "https://connect.medlineplus.gov"
    per_second = 1.6  # 100 requests a minute

    def words(self, query: Query) -> tuple[str, ...]:
        """The medicines of the query, and nothing else of it."""
        return query.drugs[:_MOST_DRUGS]

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The text on each medicine. Raises LookUpFailed."""
        return [source for drug in self.words(query) for source in await self.drug(drug)][:limit]

    async def drug(self, name: str) -> list[Source]:
        """What there is on a medicine of this name. Raises LookUpFailed."""
        params = {
            "mainSearchCriteria.v.cs": RXNORM,
            "mainSearchCriteria.v.dn": name,
            "informationRecipient.languageCode.c": "en",
            "knowledgeResponseType": "application/json",
        }
        answer = await self.json("/service", params)
        entries = self.each(_Entry, self.shaped(_Answer, answer).feed.entry)
        return [source for one in entries if (source := _of_entry(one))]


class MedlinePlus(Service):
    """Health topics, and short texts on medicines. NLM asks for the attribution, which `sources` and `licence` hold."""

    name = "medlineplus"
    label = "MedlinePlus"
    address = "https://wsearch.nlm.nih.gov"
    per_second = 1.4  # 85 requests a minute

    def __init__(self, guard: Guard, *, connect: str = "", **how: Any) -> None:
        super().__init__(guard, **how)
        self._connect = Connect(guard, **{**how, "address": connect})

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The medicines' texts, then the topics; if one of the two fails, the other. Raises LookUpFailed."""
        parts = await asyncio.gather(self._medicines(query, limit), self._topics(query, limit), return_exceptions=True)
        found: dict[str, Source] = {}
        failures: list[BaseException] = []
        for part in parts:
            if isinstance(part, BaseException):
                failures.append(part)
            else:
                found |= {source.uri: source for source in part if source.uri not in found}
        for failure in failures:
            if not found or not isinstance(failure, LookUpFailed):
                raise failure
            log.warning("part not looked up", service=self.name, reason=str(failure))
        return list(found.values())[:limit]

    async def _medicines(self, query: Query, limit: int) -> list[Source]:
        try:
            async with asyncio.timeout(_MEDICINE_SECONDS):
                return await self._connect.search(query, limit)
        except TimeoutError:
            raise LookUpFailed(f"MedlinePlus Connect took longer than {_MEDICINE_SECONDS:g} seconds.") from None

    async def _topics(self, query: Query, limit: int) -> list[Source]:
        params = {"db": "healthTopics", "term": query.text, "retmax": str(limit), "rettype": "topic", "tool": "primum"}
        root = await self.xml("/ws/query", params)
        if root.tag != "nlmSearchResult":
            raise self.unfit()
        return list(_of_topics(root))


def _of_entry(entry: _Entry) -> Source | None:
    return _source(entry.link[0].href, entry.title.value, plain(entry.summary.value), [], entry.lang)


def _of_topics(root: etree._Element) -> Iterator[Source]:
    for topic in root.iterfind("list/document/content/health-topic"):
        summary = topic.findtext("full-summary") or ""
        aliases = [line(one.text or "") for one in topic.iterfind("also-called")]
        told = topic.get("language", "English")
        if source := _source(topic.get("url", ""), topic.get("title", ""), plain(summary), aliases, told):
            yield source
    for document in root.iterfind("list/document"):
        fields: dict[str, list[str]] = {}
        for content in document.iterfind("content[@name]"):
            fields.setdefault(content.get("name", ""), []).append(plain(content.text or ""))
        title, text = " ".join(fields.get("title", [])), "\n\n".join(fields.get("FullSummary", []))
        if source := _source(document.get("url", ""), title, text, fields.get("altTitle", []), "en"):
            yield source


def _source(url: str, title: str, text: str, aliases: list[str], language: str) -> Source | None:
    address = web_address(url)
    if not address or not text:
        return None
    address = str(httpx.URL(address).copy_with(query=None, fragment=None))
    title = line(title) or address
    return Source(
        uri=f"medlineplus:{address}",
        title=title,
        text=clean(text),
        url=address,
        aliases=[one for one in aliases if one],
        sources=[{"title": title, "publisher": "MedlinePlus", "url": address}],
        origin=MedlinePlus.name,
        language=_TOLD.get(language.lower(), "en"),
        audience="patient",
        licence=_OF_DRUGS if "/druginfo/" in address else _LICENCE,
    )
