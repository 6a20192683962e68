"""A server on loopback that speaks for the services of literature, with the faults that it is told to show."""

import asyncio
import gzip
import json
import ssl
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from primum.tools.pace import Clock


@dataclass(frozen=True)
class Reply:
    """One answer; `stalls` sends the head and never the body, `breaks` ends the connection within the body."""

    body: bytes = b""
    kind: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stalls: bool = False
    breaks: bool = False


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), "application/json; charset=utf-8", status, headers)


def as_xml(text: str) -> Reply:
    return Reply(text.encode(), "text/xml; charset=UTF-8")


def as_html(text: str, **headers: str) -> Reply:
    return Reply(text.encode(), "text/html; charset=utf-8", headers=headers)


def packed(reply: Reply) -> Reply:
    return Reply(gzip.compress(reply.body), reply.kind, reply.status, {**reply.headers, "Content-Encoding": "gzip"})


def moved(to: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": to})


class FakeAPI:
    """What it says is told to it by path, in order, and the last again and again; `requests` holds what came."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._replies: dict[str, deque[Reply]] = {}
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.came = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def says(self, path: str, *replies: Reply) -> None:
        self._replies[path] = deque(replies)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The parameters of the requests for a path."""
        return [params for one, params, _ in self.requests if one == path]

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._answer(head.decode("latin-1"), writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> bool:
        first, *rest = head.strip().split("\r\n")
        target = urlsplit(first.split()[1])
        params = {name: values[0] for name, values in parse_qs(target.query).items()}
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest)}
        self.requests.append((target.path, params, headers))
        self.came.set()
        waiting = self._replies.get(target.path, deque([Reply(status=404)]))
        reply = waiting.popleft() if len(waiting) > 1 else waiting[0]
        size = len(reply.body) + (1 if reply.stalls or reply.breaks else 0)
        told = {"Content-Type": reply.kind, "Content-Length": str(size), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in told.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)
        await writer.drain()
        if reply.stalls:
            await asyncio.Event().wait()
        return not reply.breaks


class FakeClock:
    """A clock that stands still but when somebody waits; `waits` holds for how long."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


def esearch(*numbers: int) -> Reply:
    """E-utilities' esearch.fcgi with retmode=json."""
    found = {
        "count": str(len(numbers)),
        "retmax": str(len(numbers)),
        "retstart": "0",
        "idlist": [str(number) for number in numbers],
        "translationset": [],
        "querytranslation": "",
    }
    return as_json({"header": {"type": "esearch", "version": "0.3"}, "esearchresult": found})


_EFETCH = """<?xml version="1.0" ?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" \
"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
<PubmedArticleSet>{records}</PubmedArticleSet>"""

_ARTICLE = """<PubmedArticle>
<MedlineCitation Status="MEDLINE" Owner="NLM">
  <PMID Version="1">{pmid}</PMID>
  <Article PubModel="Print-Electronic">
    <Journal><ISSN IssnType="Electronic">1111-2222</ISSN>
      <JournalIssue CitedMedium="Internet"><Volume>7</Volume><PubDate>{date}</PubDate></JournalIssue>
      <Title>Journal of Examples</Title><ISOAbbreviation>J Ex</ISOAbbreviation></Journal>
    <ArticleTitle>{title}</ArticleTitle>
    <ELocationID EIdType="doi" ValidYN="Y">10.1000/EX.{pmid}</ELocationID>
    {abstract}
    <AuthorList CompleteYN="Y">
      <Author ValidYN="Y"><LastName>Doe</LastName><ForeName>Jane</ForeName><Initials>J</Initials></Author>
      <Author ValidYN="Y"><LastName>Roe</LastName><ForeName>Richard</ForeName><Initials>R</Initials></Author>
      <Author ValidYN="Y"><CollectiveName>Example Group</CollectiveName></Author>
      <Author ValidYN="Y"><LastName>Poe</LastName><Initials>P</Initials></Author>
    </AuthorList>
    <Language>{language}</Language>
    <PublicationTypeList>{types}</PublicationTypeList>
    {online}
  </Article>
  {corrections}
</MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle>"""

ABSTRACT = (
    '<Abstract><AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">Asthma is <i>common</i>.</AbstractText>'
    '<AbstractText Label="CONCLUSIONS">Inhaled steroids help; p&lt;0.05, FEV<sub>1</sub> rose.</AbstractText>'
    "<CopyrightInformation>© 2024 The Authors.</CopyrightInformation></Abstract>"
)


def article(
    pmid: int,
    title: str = "Inhaled steroids in asthma.",
    abstract: str = ABSTRACT,
    types: Iterable[str] = ("Journal Article",),
    notices: Iterable[str] = (),
    date: str = "<Year>2024</Year><Month>Mar</Month><Day>5</Day>",
    online: str = "",
    language: str = "eng",
) -> str:
    """One article as efetch.fcgi gives it."""
    kinds = "".join(f'<PublicationType UI="D0">{one}</PublicationType>' for one in types)
    notes = "".join(
        f'<CommentsCorrections RefType="{one}"><RefSource>J Ex. 2025</RefSource><PMID Version="1">9</PMID>'
        "</CommentsCorrections>"
        for one in notices
    )
    return _ARTICLE.format(
        pmid=pmid,
        title=title,
        abstract=abstract,
        types=kinds,
        date=date,
        online=online,
        language=language,
        corrections=f"<CommentsCorrectionsList>{notes}</CommentsCorrectionsList>" if notes else "",
    )


def efetch(*records: str) -> Reply:
    return as_xml(_EFETCH.format(records="".join(records)))


def europe(*records: dict[str, Any]) -> Reply:
    """Europe PMC's search with resultType=core."""
    return as_json(
        {
            "version": "6.9",
            "hitCount": len(records),
            "request": {"queryString": "", "resultType": "core", "cursorMark": "*", "pageSize": 25},
            "resultList": {"result": list(records)},
        }
    )


def european(pmid: int, **more: Any) -> dict[str, Any]:
    """One record of Europe PMC."""
    return {
        "id": str(pmid),
        "source": "MED",
        "pmid": str(pmid),
        "doi": f"10.1000/ex.{pmid}",
        "title": "Inhaled steroids in <i>asthma</i>.",
        "authorString": "Doe J, Roe R, Poe P, Moe M.",
        "journalInfo": {"volume": "7", "yearOfPublication": 2024, "journal": {"title": "Journal of Examples"}},
        "pubYear": "2024",
        "abstractText": "<h4>Background</h4>Asthma is common.<h4>Conclusions</h4>Inhaled steroids help.",
        "language": "eng",
        "pubTypeList": {"pubType": ["research-article", "Journal Article"]},
        "isOpenAccess": "Y",
        "license": "cc by",
        "firstPublicationDate": "2024-03-05",
    } | more


def study(number: str = "NCT01234567", **more: Any) -> dict[str, Any]:
    """One study as version 2 of ClinicalTrials.gov's API gives it."""
    return {
        "protocolSection": {
            "identificationModule": {"nctId": number, "briefTitle": "Steroids for Asthma", "officialTitle": "A trial"},
            "statusModule": {
                "overallStatus": "ACTIVE_NOT_RECRUITING",
                "startDateStruct": {"date": "2021-05", "type": "ACTUAL"},
                "lastUpdatePostDateStruct": {"date": "2025-02-03", "type": "ACTUAL"},
            },
            "descriptionModule": {"briefSummary": "Do inhaled steroids help?", "detailedDescription": "In detail."},
            "conditionsModule": {"conditions": ["Asthma"]},
            "designModule": {
                "studyType": "INTERVENTIONAL",
                "phases": ["PHASE3"],
                "enrollmentInfo": {"count": 320, "type": "ACTUAL"},
            },
            "armsInterventionsModule": {
                "interventions": [{"type": "DRUG", "name": "Budesonide", "description": "200 µg twice a day"}]
            },
            "outcomesModule": {"primaryOutcomes": [{"measure": "Attacks", "timeFrame": "1 year"}]},
            "eligibilityModule": {"eligibilityCriteria": "Inclusion Criteria:\n\n* Asthma", "sex": "ALL"},
        },
        "hasResults": False,
    } | more


SET_ID = "0a1b2c3d-1111-2222-3333-444455556666"


def drug_label(set_id: str = SET_ID, **more: Any) -> dict[str, Any]:
    """One label of openFDA."""
    return {
        "id": "f0e1d2c3-1111-2222-3333-444455556666",
        "set_id": set_id,
        "effective_time": "20240612",
        "version": "3",
        "boxed_warning": ["WARNING: HEART ATTACK AND STROKE"],
        "indications_and_usage": ["1 INDICATIONS For pain and fever."],
        "pregnancy": ["8.1 Pregnancy Avoid from 20 weeks on."],
        "warnings_table": ["<table><tr><td>x</td></tr></table>"],
        "openfda": {
            "brand_name": ["Examplofen"],
            "generic_name": ["IBUPROFEN"],
            "manufacturer_name": ["Example Inc."],
            "substance_name": ["IBUPROFEN"],
        },
    } | more


def labels(*found: dict[str, Any]) -> Reply:
    about = {"disclaimer": "…", "license": "https://open.fda.gov/license/", "last_updated": "2026-11-01"}
    results = {"skip": 0, "limit": 10, "total": len(found)}
    return as_json({"meta": {**about, "results": results}, "results": list(found)})


NO_LABEL = as_json({"error": {"code": "NOT_FOUND", "message": "No matches found!"}}, 404)


def topics(*documents: str) -> Reply:
    """MedlinePlus' search with rettype=topic."""
    return as_xml(
        '<?xml version="1.0" encoding="UTF-8"?><nlmSearchResult><term>asthma</term>'
        f"<count>{len(documents)}</count><retstart>0</retstart><retmax>8</retmax>"
        f'<list num="{len(documents)}" start="0" per="8">{"".join(documents)}</list></nlmSearchResult>'
    )


TOPIC = (
    '<document rank="0" url="https://medlineplus.gov/asthma.html"><content name="healthTopic">'
    '<health-topic title="Asthma" url="https://medlineplus.gov/asthma.html" id="6" language="English" '
    'date-created="10/22/1998"><also-called>Bronchial asthma</also-called>'
    "<full-summary>&lt;h3&gt;What is asthma?&lt;/h3&gt;&lt;p&gt;Asthma is a &lt;a href='x'&gt;lung&lt;/a&gt; disease."
    "&lt;/p&gt;&lt;ul&gt;&lt;li&gt;Wheezing&lt;/li&gt;&lt;li&gt;Cough&lt;/li&gt;&lt;/ul&gt;</full-summary>"
    "</health-topic></content></document>"
)
BRIEF_TOPIC = (
    '<document rank="1" url="https://medlineplus.gov/asthmainchildren.html">'
    '<content name="title">&lt;span class="qt0"&gt;Asthma&lt;/span&gt; in Children</content>'
    '<content name="altTitle">Childhood &lt;span class="qt0"&gt;asthma&lt;/span&gt;</content>'
    '<content name="FullSummary">&lt;p&gt;Children get &lt;span class="qt0"&gt;asthma&lt;/span&gt; too.&lt;/p&gt;'
    "</content>"
    '<content name="snippet">Children get asthma …</content></document>'
)


def connect(*entries: dict[str, Any]) -> Reply:
    """MedlinePlus Connect as JSON."""
    feed = {
        "title": {"_value": "MedlinePlus Connect", "type": "text"},
        "subtitle": {"_value": "MedlinePlus Connect results for RXCUI", "type": "text"},
        "lang": "en",
        "entry": list(entries),
    }
    return as_json({"feed": feed})


DRUG = {
    "lang": "en",
    "title": {"_value": "Ibuprofen", "type": "text"},
    "link": [
        {
            "title": "Ibuprofen",
            "rel": "alternate",
            "href": "https://medlineplus.gov/druginfo/meds/a682159.html?utm_source=mplusconnect&utm_medium=service",
        }
    ],
    "id": {"_value": "tag: medlineplus.gov, 2026-11-01:/druginfo/meds/a682159.html"},
    "updated": {"_value": "2026-11-01T00:00:00Z"},
    "summary": {"type": "html", "_value": "<p>Ibuprofen is used to relieve pain and fever.</p>"},
}

WEB_PAGE = """<!doctype html><html lang="en-GB"><head><title>Asthma - NHS</title>
<meta property="og:site_name" content="nhs.uk"><meta property="article:published_time" content="2024-05-01"></head>
<body><nav><a href="/">Home</a></nav><script>alert('stolen')</script><main><h1>Asthma</h1>
<p>Asthma is a common lung condition that causes occasional breathing difficulties in people of all ages.</p>
<h2>Symptoms</h2><p>The main <b>symptoms</b> are wheezing, breathlessness, a tight chest and coughing.</p>
<ul><li>Wheezing when you breathe out</li><li>Coughing at night</li></ul>
<p>See a doctor if you think that you or your child may have asthma, so that tests can be done.</p>
</main><footer>© Crown</footer></body></html>"""
