"""What a turn does where the library has too little: other searches, the literature, or saying so."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from primum.graph import literature as literature_module
from primum.graph.agent import Agent
from primum.graph.errors import MemoryUnavailable, RetrievalFailed
from primum.graph.literature import Literature
from primum.memory.session import Database
from primum.retrieval import index
from primum.retrieval.loaders import Source, Unreadable
from primum.tools.guard import Guard
from primum.tools.literature import NOTHING_LEAVES, Found
from primum.tools.pubmed import PubMed
from tests.apis import FakeAPI, FakeClock, Reply, article, efetch, esearch
from tests.fakes import FakeVLLM
from tests.pages import cited

ASKED = "Does teplizumab delay the onset of type 1 diabetes?"
FOUND = "Teplizumab delayed the onset of type 1 diabetes by two years."
ABSTRACT = f'<Abstract><AbstractText Label="RESULTS">{FOUND}</AbstractText></Abstract>'
TRIAL = ("Journal Article", "Randomized Controlled Trial")


@pytest.fixture
async def api() -> AsyncIterator[FakeAPI]:
    async with FakeAPI() as server:
        yield server


@pytest.fixture
async def linked(agent: Agent, api: FakeAPI) -> AsyncIterator[Agent]:
    """The agent, who may ask a PubMed."""
    settings = agent.resources.settings
    assert settings.database_url is not None
    writer = Database(settings.database_url.get_secret_value(), owner=True)
    guard = Guard([api.url])
    services = (PubMed(guard, address=api.url, clock=FakeClock().clock()),)
    literature = Literature(services, writer, agent.resources.library.embedder, settings, agent.resources.copies)
    yield Agent(replace(agent.resources, literature=literature))
    await guard.close()
    await writer.close()


async def test_what_the_library_lacks_is_answered_from_the_literature_with_date_and_evidence(
    linked: Agent, api: FakeAPI, vllm: FakeVLLM
) -> None:
    api.says("/esearch.fcgi", esearch(7))
    api.says("/efetch.fcgi", efetch(article(7, "Teplizumab in relatives at risk.", ABSTRACT, TRIAL)))
    vllm.default = cited("Teplizumab delayed the onset of type 1 diabetes by two years [Teplizumab].")
    answer = await linked.ask(f"{ASKED} My name is Jane Roe, born 1.2.1990.")
    assert answer.status == "answered"
    (citation,) = answer.citations
    assert (citation.url, citation.quote) == ("https://pubmed.ncbi.nlm.nih.gov/7/", FOUND)
    assert (citation.evidence, citation.published, citation.stale) == ("trial", "2024-03-05", False)
    (sent,) = api.asked("/esearch.fcgi")
    assert "teplizumab" in sent["term"] and "Jane" not in str(api.requests) and "1990" not in str(api.requests)
    # The second time it is in the library.
    await linked.ask(ASKED)
    assert len(api.asked("/esearch.fcgi")) == 1


async def test_without_the_literature_it_says_that_the_library_has_nothing(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "I don't know."
    answer = await agent.ask(ASKED)
    assert answer.status == "unverified" and answer.text.startswith("My library has nothing that answers this")
    assert answer.citations == []


async def test_a_service_that_is_down_is_told_and_costs_nothing_else(
    linked: Agent, api: FakeAPI, vllm: FakeVLLM
) -> None:
    api.says("/esearch.fcgi", Reply(status=500))
    vllm.default = "I don't know."
    answer = await linked.ask(ASKED)
    assert answer.text.startswith("My library has nothing that answers this")
    assert any(problem.startswith("look_up: pubmed: ") for problem in answer.trace.problems)
    vllm.default = cited("Ibuprofen or colchicine treats an attack of gout [colchicine].")
    assert (await linked.ask("How is an attack of gout treated?")).status == "answered"


async def test_a_retracted_paper_proves_nothing(linked: Agent, api: FakeAPI, vllm: FakeVLLM) -> None:
    api.says("/esearch.fcgi", esearch(7))
    retracted = article(7, "Teplizumab in relatives.", ABSTRACT, (*TRIAL, "Retracted Publication"))
    api.says("/efetch.fcgi", efetch(retracted))
    vllm.default = "Teplizumab delayed the onset of type 1 diabetes by two years [1]."
    answer = await linked.ask(ASKED)
    assert FOUND not in answer.text and answer.citations == []
    assert any("its source was retracted" in problem for problem in answer.trace.problems)
    assert answer.text.startswith("My library has nothing that answers this")


async def test_what_can_not_be_stored_is_told_and_the_turn_goes_on(
    linked: Agent, api: FakeAPI, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.says("/esearch.fcgi", esearch(7))
    api.says("/efetch.fcgi", efetch(article(7, "Teplizumab in relatives at risk.", ABSTRACT, TRIAL)))
    vllm.default = "I don't know."

    async def down(*_: object) -> None:
        raise MemoryUnavailable("the database is away")

    monkeypatch.setattr(literature_module, "store", down)
    answer = await linked.ask(ASKED)
    assert answer.text.startswith("My library has nothing that answers this")
    assert "look_up: What was found could not be stored: the database is away" in answer.trace.problems


async def test_another_writer_costs_the_turn_half_of_its_time_at_most(linked: Agent, api: FakeAPI) -> None:
    api.says("/esearch.fcgi", esearch(7))
    api.says("/efetch.fcgi", efetch(article(7, "Teplizumab in relatives at risk.", ABSTRACT, TRIAL)))
    literature = linked.resources.literature
    assert literature is not None and linked.resources.settings.database_url is not None
    writer = Database(linked.resources.settings.database_url.get_secret_value(), owner=True)
    async with writer.begin() as connection:
        await index.lock(connection)
        found = await literature.bring(ASKED, 2.0)
    await writer.close()
    assert found.documents == () and found.reason == "What was found could not be stored in the time of this turn."


async def test_a_look_up_that_breaks_is_told_and_is_not_tried_again(agent: Agent, vllm: FakeVLLM) -> None:
    class Broken:
        asked = 0

        async def bring(self, question: str, seconds_left: float) -> Found:
            self.asked += 1
            raise RetrievalFailed("the library is another embedder's")

    broken = Broken()
    vllm.default = "I don't know."
    answer = await Agent(replace(agent.resources, literature=broken)).ask(ASKED)  # type: ignore[arg-type]
    assert answer.text.startswith("My library has nothing that answers this")
    assert "look_up: the library is another embedder's" in answer.trace.problems and broken.asked == 1


async def test_the_settings_name_the_services_and_without_any_nothing_is_asked(agent: Agent) -> None:
    settings, (library, copies) = agent.resources.settings, (agent.resources.library, agent.resources.copies)
    named = settings.model_copy(
        update={"literature": ["ctgov", "pubmed", "web", "europepmc", "medlineplus", "openfda"]}
    )
    async with literature_module.open_literature(named, library.embedder, copies) as literature:
        assert literature is not None
        assert [one.name for one in literature.services] == list(named.literature)
    async with literature_module.open_literature(settings, library.embedder, copies) as literature:
        assert literature is None


async def test_papers_to_ingest_are_found_by_the_medical_words_of_a_query_alone(
    agent: Agent, api: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.says("/esearch.fcgi", esearch(7))
    api.says("/efetch.fcgi", efetch(article(7, "Teplizumab in relatives at risk.", ABSTRACT, TRIAL)))
    monkeypatch.setattr(literature_module, "Guard", lambda: Guard([api.url]))
    monkeypatch.setattr(PubMed, "address", api.url)
    read = literature_module.pubmed_origin(agent.resources.settings)

    def papers(wanted: str) -> list[Source | Unreadable]:
        return list(read(wanted, None, None))  # type: ignore[arg-type]

    (paper,) = await asyncio.to_thread(papers, "teplizumab type 1 diabetes Jane Roe")
    assert isinstance(paper, Source) and paper.uri.startswith("pubmed:")
    assert "Jane" not in str(api.requests)
    (nothing,) = await asyncio.to_thread(papers, "my neighbour Jane Roe")
    assert isinstance(nothing, Unreadable) and nothing.reason == NOTHING_LEAVES


async def test_a_question_that_names_nothing_medical_sends_nothing(linked: Agent, api: FakeAPI) -> None:
    found = await linked.resources.literature.bring("My neighbour Jane Roe lives at 12 High Street.", 10)  # type: ignore[union-attr]
    assert found.documents == () and found.reason and api.requests == []


async def test_after_a_search_that_found_too_little_the_model_thinks_of_others(agent: Agent, vllm: FakeVLLM) -> None:
    rounds = agent.resources.settings.model_copy(update={"search_rounds": 3})
    vllm.forms["Further"] = '{"searches": ["paracetamol dose for adults"]}'
    vllm.default = cited(
        "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours [every 4 to 6 hours]."
    )
    answer = await Agent(replace(agent.resources, settings=rounds)).ask("How many of those white headache pills daily?")
    (prompt,) = {str(body["messages"]) for body in vllm.filled("Further")[:1]}
    assert "white headache pills" in prompt and "PAGES FOUND" in prompt
    assert 1 <= len(vllm.filled("Further")) <= 2
    assert [citation.title for citation in answer.citations] == ["Paracetamol"]


async def test_if_the_model_thinks_of_none_the_turn_goes_on(agent: Agent, vllm: FakeVLLM) -> None:
    rounds = agent.resources.settings.model_copy(update={"search_rounds": 3})
    vllm.forms["Further"] = "no form"
    vllm.default = "I don't know."
    answer = await Agent(replace(agent.resources, settings=rounds)).ask(ASKED)
    assert answer.status in ("unverified", "evidence_only")
    assert len([problem for problem in answer.trace.problems if problem.startswith("further: ")]) == 1
