"""PubMed's records as documents."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from primum.tools import pubmed as room
from primum.tools.deidentify import Query, deidentify
from primum.tools.guard import Guard
from primum.tools.pubmed import PubMed
from tests.apis import ABSTRACT, FakeAPI, FakeClock, article, efetch, esearch

BOOK = f"""<PubmedBookArticle><BookDocument><PMID Version="1">28613787</PMID>
<ArticleIdList><ArticleId IdType="bookaccession">NBK430901</ArticleId></ArticleIdList>
<Book><Publisher><PublisherName>StatPearls Publishing</PublisherName></Publisher><BookTitle book="statpearls">StatPearls
</BookTitle><PubDate><Year>2025</Year><Month>01</Month></PubDate></Book>
<ArticleTitle book="statpearls" part="article-1">Asthma</ArticleTitle>
<AuthorList Type="authors" CompleteYN="Y">
<Author ValidYN="Y"><LastName>Doe</LastName><Initials>J</Initials></Author></AuthorList>
<PublicationType UI="D016454">Review</PublicationType>{ABSTRACT}
<ContributionDate><Year>2024</Year><Month>05</Month><Day>03</Day></ContributionDate>
</BookDocument><PubmedBookData/></PubmedBookArticle>"""


def query(text: str = "asthma inhaled steroid") -> Query:
    made = deidentify(text)
    assert made is not None
    return made


@pytest.fixture
def pubmed(api: FakeAPI, guard: Guard, clock: FakeClock) -> PubMed:
    return PubMed(guard, address=api.url, clock=clock.clock(), key="secret-key", contact="it@clinic.example")


async def test_a_paper_is_a_document_with_all_that_is_known_of_it(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", esearch(11))
    api.says("/efetch.fcgi", efetch(article(11, types=("Journal Article", "Randomized Controlled Trial"))))
    (source,) = await pubmed.search(query(), 5)
    assert source.uri == "pubmed:11" and source.url == "https://pubmed.ncbi.nlm.nih.gov/11/"
    assert source.title == "Inhaled steroids in asthma."
    assert source.text == (
        "## Background\n\nAsthma is common.\n\n## Conclusions\n\nInhaled steroids help; p<0.05, FEV1 rose."
    )
    assert (source.origin, source.evidence, source.published) == ("pubmed", "trial", date(2024, 3, 5))
    assert source.licence == "© 2024 The Authors." and not source.retracted
    assert source.sources == [
        {
            "title": "Inhaled steroids in asthma.",
            "publisher": "Journal of Examples",
            "url": "https://pubmed.ncbi.nlm.nih.gov/11/",
            "year": "2024",
            "authors": "Doe J, Roe R, Example Group and others",
            "pmid": "11",
            "doi": "10.1000/ex.11",
        }
    ]


async def test_the_request_says_who_asks_and_holds_the_words_alone(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", esearch(11))
    api.says("/efetch.fcgi", efetch(article(11)))
    await pubmed.search(query("My name is Ann Lee. Do inhaled steroids help my asthma?"), 5)
    (search,), (fetch,) = api.asked("/esearch.fcgi"), api.asked("/efetch.fcgi")
    assert search["term"] == "(corticosteroid asthma) AND hasabstract"
    assert (search["retmode"], search["sort"], search["retmax"]) == ("json", "relevance", "5")
    for params in (search, fetch):
        assert (params["tool"], params["email"], params["api_key"]) == ("primum", "it@clinic.example", "secret-key")
    assert fetch["id"] == "11"


def test_a_key_gives_ten_requests_a_second_and_none_gives_three(guard: Guard) -> None:
    assert [PubMed(guard, key=key).pace._apart for key in ("", "k")] == [1 / 3, 1 / 10]


async def test_papers_come_in_the_order_of_the_search(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", esearch(3, 1, 2))
    api.says("/efetch.fcgi", efetch(article(1), article(2), article(3)))
    assert [one.uri for one in await pubmed.search(query(), 5)] == ["pubmed:3", "pubmed:1", "pubmed:2"]


async def test_nothing_found_needs_no_second_request(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", esearch())
    assert await pubmed.search(query(), 5) == []
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("types", "notices", "title", "said"),
    [
        (("Journal Article", "Retracted Publication"), (), "A.", "retracted"),
        (("Journal Article",), ("RetractionIn",), "A.", "retracted"),
        (("Journal Article",), (), "RETRACTED: Inhaled steroids.", "retracted"),
        (("Journal Article",), ("ExpressionOfConcernIn",), "A.", "expression of concern"),
        (("Journal Article",), ("ErratumIn", "CommentIn", "RetractionOf"), "A.", None),
    ],
)
async def test_what_was_withdrawn_is_marked(
    api: FakeAPI, pubmed: PubMed, types: tuple[str, ...], notices: tuple[str, ...], title: str, said: str | None
) -> None:
    api.says("/esearch.fcgi", esearch(1))
    api.says("/efetch.fcgi", efetch(article(1, title=title, types=types, notices=notices)))
    (source,) = await pubmed.search(query(), 5)
    assert source.retracted == (said is not None) and source.sources[0].get("notice") == said


async def test_a_notice_of_retraction_and_a_paper_without_abstract_are_no_evidence(
    api: FakeAPI, pubmed: PubMed
) -> None:
    api.says("/esearch.fcgi", esearch(1, 2, 3))
    notice = article(1, types=("Retraction of Publication",))
    api.says("/efetch.fcgi", efetch(notice, article(2, abstract=""), article(3)))
    assert [one.uri for one in await pubmed.search(query(), 5)] == ["pubmed:3"]


@pytest.mark.parametrize(
    ("told", "online", "day"),
    [
        ("<Year>2019</Year><Month>11</Month>", "", date(2019, 11, 1)),
        ("<Year>2019</Year>", "", date(2019, 1, 1)),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "", date(1998, 1, 1)),
        ("<Year>2020</Year><Month>Feb</Month><Day>30</Day>", "", date(2020, 1, 1)),
        ("", "", None),
        (
            "<Year>2020</Year>",
            "<ArticleDate DateType='Electronic'><Year>2019</Year><Month>12</Month><Day>24</Day></ArticleDate>",
            date(2019, 12, 24),
        ),
    ],
)
async def test_dates_of_all_forms_are_read(
    api: FakeAPI, pubmed: PubMed, told: str, online: str, day: date | None
) -> None:
    api.says("/esearch.fcgi", esearch(1))
    api.says("/efetch.fcgi", efetch(article(1, date=told, online=online)))
    (source,) = await pubmed.search(query(), 5)
    assert source.published == day


async def test_a_translated_title_loses_its_brackets_and_a_plain_abstract_has_no_heading(
    api: FakeAPI, pubmed: PubMed
) -> None:
    api.says("/esearch.fcgi", esearch(1))
    plain = "<Abstract><AbstractText>Asthma is common.</AbstractText></Abstract>"
    api.says("/efetch.fcgi", efetch(article(1, title="[Asthma in adults].", abstract=plain, language="ger")))
    (source,) = await pubmed.search(query(), 5)
    assert (source.title, source.text, source.language) == ("Asthma in adults", "Asthma is common.", "en")


async def test_chapters_of_books_are_read(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", esearch(28613787))
    api.says("/efetch.fcgi", efetch(BOOK))
    (source,) = await pubmed.search(query(), 5)
    assert (source.title, source.evidence, source.published) == ("Asthma", "review", date(2024, 5, 3))
    assert source.sources[0]["publisher"] == "StatPearls"


Tree = tuple[str, str, list[Any]]
TAGS = "PMID Article ArticleTitle Abstract AbstractText AuthorList Author LastName PubDate Year Month Journal".split()
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.builds(
        lambda tag, text: (tag, text, []),
        st.sampled_from(TAGS),
        st.text(st.characters(codec="utf-8", categories=["L", "N"])),
    ),
    lambda inner: st.builds(lambda tag, inside: (tag, "", inside), st.sampled_from(TAGS), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def grown(tree: Tree) -> etree._Element:
    element = etree.Element(tree[0])
    element.text = tree[1]
    for inside in tree[2]:
        element.append(grown(inside))
    return element


@given(st.lists(TREES, max_size=4))
def test_records_of_any_shape_are_read_or_left_out(trees: list[Tree]) -> None:
    for outer, inner, read in (("PubmedArticle", "MedlineCitation", room._article), ("x", "BookDocument", room._book)):
        record = etree.Element(outer)
        part = etree.SubElement(record, inner)
        for tree in trees:
            part.append(grown(tree))
        read(record).source()
