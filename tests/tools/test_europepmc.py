"""Europe PMC's records as documents."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from primum.graph.errors import LookUpFailed
from primum.tools.europepmc import EuropePMC, _Record
from primum.tools.guard import Guard
from tests.apis import FakeAPI, FakeClock, as_json, europe, european
from tests.tools.test_pubmed import query


@pytest.fixture
def service(api: FakeAPI, guard: Guard, clock: FakeClock) -> EuropePMC:
    return EuropePMC(guard, address=api.url, clock=clock.clock())


async def test_a_paper_is_a_document_with_its_sections_and_licence(api: FakeAPI, service: EuropePMC) -> None:
    api.says("/search", europe(european(11)))
    (source,) = await service.search(query(), 5)
    assert source.uri == "europepmc:MED/11" and source.url == "https://europepmc.org/article/MED/11"
    assert source.title == "Inhaled steroids in asthma."
    assert source.text == "## Background\n\nAsthma is common.\n\n## Conclusions\n\nInhaled steroids help."
    assert (source.licence, source.published, source.evidence) == ("CC BY", date(2024, 3, 5), "")
    about = source.sources[0]
    assert (about["pmid"], about["doi"], about["authors"]) == ("11", "10.1000/ex.11", "Doe J, Roe R, Poe P and others")


async def test_reviewed_papers_with_an_abstract_are_asked_for(api: FakeAPI, service: EuropePMC) -> None:
    api.says("/search", europe())
    assert await service.search(query(), 5) == []
    (params,) = api.asked("/search")
    assert params["query"] == "(asthma corticosteroid) AND HAS_ABSTRACT:Y AND (SRC:MED OR SRC:PMC)"
    assert (params["resultType"], params["format"], params["pageSize"]) == ("core", "json", "5")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"pubTypeList": {"pubType": ["retracted publication"]}}, "retracted"),
        ({"commentCorrectionList": {"commentCorrection": [{"type": "Retraction in", "id": "9"}]}}, "retracted"),
        (
            {"commentCorrectionList": {"commentCorrection": [{"type": "Expression of concern in"}]}},
            "expression of concern",
        ),
        ({"commentCorrectionList": {"commentCorrection": [{"type": "Erratum in"}, {"type": "Cites"}]}}, None),
    ],
)
async def test_what_was_withdrawn_is_marked(
    api: FakeAPI, service: EuropePMC, more: dict[str, Any], said: str | None
) -> None:
    api.says("/search", europe(european(1, **more)))
    (source,) = await service.search(query(), 5)
    assert source.retracted == (said is not None) and source.sources[0].get("notice") == said


async def test_preprints_notices_and_papers_without_abstract_are_left_out(api: FakeAPI, service: EuropePMC) -> None:
    preprint = european(1, source="PPR", id="PPR1")
    notice = european(2, pubTypeList={"pubType": ["Retraction of Publication"]})
    api.says("/search", europe(preprint, notice, european(3, abstractText=None), european(4)))
    assert [one.uri for one in await service.search(query(), 5)] == ["europepmc:MED/4"]


async def test_a_record_in_another_form_is_left_out_and_all_of_them_are_told(api: FakeAPI, service: EuropePMC) -> None:
    api.says("/search", europe({"id": 7}, european(2)))
    assert [one.uri for one in await service.search(query(), 5)] == ["europepmc:MED/2"]
    api.says("/search", europe({"id": 7}))
    with pytest.raises(LookUpFailed, match="another form"):
        await service.search(query(), 5)


@pytest.mark.parametrize("answer", [{}, [], None, {"resultList": 3}, {"errCode": 404, "errMsg": "Not found"}])
async def test_an_answer_in_another_form_is_told(api: FakeAPI, service: EuropePMC, answer: Any) -> None:
    api.says("/search", as_json(answer))
    with pytest.raises(LookUpFailed, match="Europe PMC answered in another form"):
        await service.search(query(), 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "pubType", "title"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(european(1))), JSON))
def test_records_of_any_shape_are_read_or_refused(more: dict[str, Any]) -> None:
    try:
        record = _Record.model_validate(european(1) | more)
    except ValidationError:
        return
    record.source_()
