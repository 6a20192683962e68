"""openFDA's labels as documents."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from primum.graph.errors import LookUpFailed
from primum.retrieval.loaders import load
from primum.tools.guard import Guard
from primum.tools.labels import Labels
from tests.apis import NO_LABEL, SET_ID, FakeAPI, FakeClock, as_json, drug_label, labels
from tests.tools.test_pubmed import query

OTHER = SET_ID.replace("0a", "0b")


@pytest.fixture
def service(api: FakeAPI, guard: Guard, clock: FakeClock) -> Labels:
    return Labels(guard, address=api.url, clock=clock.clock(), key="k")


async def test_a_label_is_a_document_with_its_sections(api: FakeAPI, service: Labels) -> None:
    api.says("/drug/label.json", labels(drug_label()))
    (source,) = await service.search(query("Is Advil safe in pregnancy?"), 5)
    assert source.uri == f"openfda:{SET_ID}" and source.title == "Examplofen (ibuprofen), drug label"
    assert source.text == (
        "## Boxed warning\nWARNING: HEART ATTACK AND STROKE\n\n## Indications and usage\n"
        "1 INDICATIONS For pain and fever.\n\n## Pregnancy\nAvoid from 20 weeks on."
    )
    assert (source.evidence, source.published, source.origin) == ("label", date(2024, 6, 12), "openfda")
    assert source.url.endswith(f"setid={SET_ID}") and source.licence.startswith("CC0")
    (params,) = api.asked("/drug/label.json")
    assert params["search"] == (
        '(openfda.generic_name:"ibuprofen" OR openfda.brand_name:"ibuprofen" OR openfda.substance_name:"ibuprofen")'
    )
    assert params["api_key"] == "k" and params["sort"] == "effective_time:desc"


async def test_a_label_is_the_same_document_as_in_a_download(api: FakeAPI, service: Labels, tmp_path: Path) -> None:
    api.says("/drug/label.json", labels(drug_label()))
    file = tmp_path / "labels.json"
    file.write_bytes(labels(drug_label()).body)
    assert await service.search(query("ibuprofen"), 5) == list(load(file))


async def test_that_there_is_no_label_is_no_failure(api: FakeAPI, service: Labels) -> None:
    api.says("/drug/label.json", NO_LABEL)
    assert await service.search(query("ibuprofen"), 5) == []


async def test_a_question_without_a_medicine_is_not_sent(api: FakeAPI, service: Labels) -> None:
    assert await service.search(query("asthma"), 5) == [] and not api.requests


async def test_each_medicine_is_asked_for_and_its_own_label_goes_first(api: FakeAPI, service: Labels) -> None:
    both = drug_label(OTHER, openfda={"substance_name": ["IBUPROFEN", "FAMOTIDINE"]})
    api.says("/drug/label.json", labels(both, drug_label()), NO_LABEL)
    found = await service.search(query("ibuprofen and warfarin"), 5)
    assert [one.uri for one in found] == [f"openfda:{SET_ID}", f"openfda:{OTHER}"]
    assert ["warfarin" in one["search"] for one in api.asked("/drug/label.json")] == [False, True]


async def test_more_than_two_labels_of_one_medicine_say_the_same(api: FakeAPI, service: Labels) -> None:
    many = [drug_label(f"{number:08x}-1111-2222-3333-444455556666") for number in range(5)]
    api.says("/drug/label.json", labels(*many))
    assert len(await service.search(query("ibuprofen"), 5)) == 2


@pytest.mark.parametrize(
    "answer",
    [{"error": {"code": "SERVER_ERROR", "message": "Check your request and try again"}}, [], {"results": "x"}],
)
async def test_an_answer_in_another_form_is_told(api: FakeAPI, service: Labels, answer: Any) -> None:
    api.says("/drug/label.json", as_json(answer, 404 if isinstance(answer, dict) else 200))
    with pytest.raises(LookUpFailed):
        await service.search(query("ibuprofen"), 5)


@pytest.mark.parametrize("broken", [{"set_id": "../x"}, {"set_id": None}, {"openfda": "x"}, {"set_id": 'a"b'}])
async def test_a_label_in_another_form_is_left_out(api: FakeAPI, service: Labels, broken: dict[str, Any]) -> None:
    api.says("/drug/label.json", labels(drug_label() | broken, drug_label(OTHER)))
    assert [one.uri for one in await service.search(query("ibuprofen"), 5)] == [f"openfda:{OTHER}"]


async def test_a_label_without_sections_is_no_document(api: FakeAPI, service: Labels) -> None:
    api.says("/drug/label.json", labels({"set_id": SET_ID, "effective_time": "2024", "openfda": {}}))
    assert await service.search(query("ibuprofen"), 5) == []
