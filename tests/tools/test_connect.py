"""MedlinePlus' topics and its texts on medicines as documents."""

from typing import Any

import pytest

from primum.graph.errors import LookUpFailed
from primum.tools.connect import Connect, MedlinePlus
from primum.tools.guard import Guard
from tests.apis import BRIEF_TOPIC, DRUG, TOPIC, FakeAPI, FakeClock, Reply, as_json, as_xml, connect, topics
from tests.tools.test_pubmed import query


@pytest.fixture
def service(api: FakeAPI, guard: Guard, clock: FakeClock) -> MedlinePlus:
    return MedlinePlus(guard, address=api.url, connect=api.url, clock=clock.clock())


@pytest.fixture
def medicines(api: FakeAPI, guard: Guard, clock: FakeClock) -> Connect:
    return Connect(guard, address=api.url, clock=clock.clock())


async def test_a_topic_is_a_document_for_patients(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", topics(TOPIC))
    (source,) = await service.search(query("asthma"), 5)
    assert source.uri == "medlineplus:https://medlineplus.gov/asthma.html" and source.title == "Asthma"
    assert source.text == "## What is asthma?\n\nAsthma is a lung disease.\n\n- Wheezing\n- Cough"
    assert (source.audience, source.language, source.origin) == ("patient", "en", "medlineplus")
    assert source.aliases == ["Bronchial asthma"] and "MedlinePlus" in source.licence
    (params,) = api.asked("/ws/query")
    assert (params["db"], params["term"], params["retmax"]) == ("healthTopics", "asthma", "5")


async def test_the_brief_form_is_read_without_its_highlights(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", topics(BRIEF_TOPIC))
    (source,) = await service.search(query("asthma"), 5)
    assert (source.title, source.text) == ("Asthma in Children", "Children get asthma too.")
    assert source.aliases == ["Childhood asthma"]


async def test_medicines_are_asked_for_by_name_at_connect(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", topics())
    api.says("/service", connect(DRUG))
    (source,) = await service.search(query("Advil for asthma"), 5)
    assert source.uri == "medlineplus:https://medlineplus.gov/druginfo/meds/a682159.html"
    assert source.text == "Ibuprofen is used to relieve pain and fever." and "ASHP" in source.licence
    (params,) = api.asked("/service")
    assert params["mainSearchCriteria.v.cs"] == "2.16.840.1.113883.6.88"
    assert params["mainSearchCriteria.v.dn"] == "ibuprofen" and "mainSearchCriteria.v.c" not in params


async def test_topics_are_found_though_the_medicines_are_not(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", topics(TOPIC))
    api.says("/service", Reply(status=500))
    for _ in range(4):
        assert [one.title for one in await service.search(query("Advil for asthma"), 5)] == ["Asthma"]
    assert len(api.asked("/ws/query")) == 4 and len(api.asked("/service")) == 9


async def test_medicines_are_found_though_the_topics_are_not(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", Reply(status=403))
    api.says("/service", connect(DRUG))
    assert [one.title for one in await service.search(query("Advil for asthma"), 5)] == ["Ibuprofen"]


async def test_where_a_part_fails_and_the_other_finds_nothing_that_is_told(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", topics())
    api.says("/service", Reply(status=403))
    with pytest.raises(LookUpFailed, match="MedlinePlus Connect answered with the error 403"):
        await service.search(query("Advil for asthma"), 5)


async def test_a_question_without_a_medicine_goes_to_the_topics_alone(api: FakeAPI, service: MedlinePlus) -> None:
    api.says("/ws/query", topics(TOPIC))
    await service.search(query("asthma"), 5)
    assert [path for path, _, _ in api.requests] == ["/ws/query"]


async def test_an_entry_without_text_or_with_a_script_for_an_address_is_left_out(
    api: FakeAPI, medicines: Connect
) -> None:
    empty = DRUG | {"summary": {"type": "html", "_value": ""}}
    script = DRUG | {"link": [{"href": "javascript:alert(1)"}]}
    api.says("/service", connect(empty, script, DRUG | {"link": []}))
    assert await medicines.drug("ibuprofen") == []


@pytest.mark.parametrize("text", ["<html/>", "<nlmSearchResult", "<spellingCorrection/>"])
async def test_a_search_in_another_form_is_told(api: FakeAPI, service: MedlinePlus, text: str) -> None:
    api.says("/ws/query", as_xml(text))
    with pytest.raises(LookUpFailed, match="MedlinePlus"):
        await service.search(query("asthma"), 5)


@pytest.mark.parametrize("answer", [{}, {"feed": None}, {"feed": {"entry": 1}}, {"feed": {"entry": [1]}}])
async def test_an_answer_of_connect_in_another_form_is_told(api: FakeAPI, medicines: Connect, answer: Any) -> None:
    api.says("/service", as_json(answer))
    with pytest.raises(LookUpFailed, match="MedlinePlus"):
        await medicines.drug("ibuprofen")
