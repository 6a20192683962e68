"""PubMed, by NCBI's E-utilities: a search gives numbers, a second request the records."""

from datetime import date
from typing import Any

from lxml import etree
from pydantic import BaseModel, Field

from primum.graph.errors import LookUpFailed
from primum.retrieval.loaders import Source
from primum.tools.deidentify import Query
from primum.tools.guard import Guard
from primum.tools.paper import Paper, first_day
from primum.tools.service import Service

WITH_KEY = 10.0  # requests a second
_BOOKS = "StatPearls and other books at NCBI"


class _Found(BaseModel):
    idlist: list[str] = Field(default_factory=list)
    error: str = Field("", alias="ERROR")


class _Searched(BaseModel):
    esearchresult: _Found


class PubMed(Service):
    """Abstracts of PubMed. `tool`, `email` and the key go with each request, as NCBI asks."""

    name = "pubmed"
    label = "PubMed"
    address = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
    per_second = 3.0

    def __init__(self, guard: Guard, *, key: str = "", contact: str = "", **how: Any) -> None:
        super().__init__(guard, **{"per_second": WITH_KEY if key else None, **how})
        known = {"tool": "primum", "email": contact, "api_key": key}
        self._known = {name: value for name, value in known.items() if value}

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The papers, with an abstract, that PubMed thinks the best match. Raises LookUpFailed."""
        params = {"db": "pubmed", "term": f"({query.text}) AND hasabstract", "retmode": "json", "sort": "relevance"}
        answer = await self.json("/esearch.fcgi", {**params, "retmax": str(limit), **self._known})
        found = self.shaped(_Searched, answer).esearchresult
        if found.error:
            raise LookUpFailed("PubMed could not run the search.")
        numbers = [number for number in found.idlist if number.isascii() and number.isdigit()][:limit]
        if not numbers:
            return []
        params = {"db": "pubmed", "id": ",".join(numbers), "retmode": "xml", "rettype": "abstract"}
        root = await self.xml("/efetch.fcgi", {**params, **self._known})
        if root.tag != "PubmedArticleSet":
            raise self.unfit()
        papers = [_article(one) if one.tag == "PubmedArticle" else _book(one) for one in root if one.tag in _KINDS]
        sources = {paper.pmid: source for paper in papers if paper.pmid and (source := paper.source())}
        return [sources[number] for number in numbers if number in sources]


_KINDS = ("PubmedArticle", "PubmedBookArticle")


def _article(record: etree._Element) -> Paper:
    pmid = _text(record.find("MedlineCitation/PMID"))
    article = record.find("MedlineCitation/Article")
    article = etree.Element("Article") if article is None else article
    return Paper(
        origin=PubMed.name,
        uri=f"pubmed:{pmid}",
        title=_text(article.find("ArticleTitle")),
        text=_abstract(article.find("Abstract")),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
        types=[_text(one) for one in article.iterfind("PublicationTypeList/PublicationType")],
        corrections=[
            one.get("RefType", "")
            for one in record.iterfind("MedlineCitation/CommentsCorrectionsList/CommentsCorrections")
        ],
        published=_date(article.find("ArticleDate")) or _date(article.find("Journal/JournalIssue/PubDate")),
        authors=_authors(article.iterfind("AuthorList/Author")),
        journal=_text(article.find("Journal/Title")),
        pmid=pmid,
        doi=_doi(record),
        licence=_text(article.find("Abstract/CopyrightInformation")),
    )


def _book(record: etree._Element) -> Paper:
    book = record.find("BookDocument")
    book = etree.Element("BookDocument") if book is None else book
    pmid = _text(book.find("PMID"))
    return Paper(
        origin=PubMed.name,
        uri=f"pubmed:{pmid}",
        title=_text(book.find("ArticleTitle")) or _text(book.find("Book/BookTitle")),
        text=_abstract(book.find("Abstract")),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
        types=[_text(one) for one in book.iterfind("PublicationType")],
        published=_date(book.find("DateRevised")) or _date(book.find("ContributionDate")),
        authors=_authors(book.iterfind("AuthorList[@Type='authors']/Author")),
        journal=_text(book.find("Book/BookTitle")) or _BOOKS,
        pmid=pmid,
        doi=_text(book.find("ArticleIdList/ArticleId[@IdType='doi']")),
        licence=_text(book.find("Abstract/CopyrightInformation")),
    )


def _text(element: etree._Element | None) -> str:
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _abstract(element: etree._Element | None) -> str:
    """The sections of an abstract, each under its heading."""
    parts = [] if element is None else element.findall("AbstractText")
    rows = [(one.get("Label", "").strip(), _text(one)) for one in parts]
    return "\n\n".join(
        f"## {label.capitalize() if label.isupper() else label}\n\n{text}" if label and label != "UNLABELLED" else text
        for label, text in rows
        if text
    )


def _date(element: etree._Element | None) -> date | None:
    if element is None:
        return None
    told = _text(element.find("Year")) or _text(element.find("MedlineDate"))[:4]
    return first_day(told, _text(element.find("Month")) or None, _text(element.find("Day")) or None)


def _authors(elements: Any) -> list[str]:
    return [
        " ".join(filter(None, (_text(one.find("LastName")), _text(one.find("Initials")))))
        or _text(one.find("CollectiveName"))
        for one in elements
    ]


def _doi(record: etree._Element) -> str:
    return _text(record.find("MedlineCitation/Article/ELocationID[@EIdType='doi']")) or _text(
        record.find("PubmedData/ArticleIdList/ArticleId[@IdType='doi']")
    )
