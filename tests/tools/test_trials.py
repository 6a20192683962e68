"""ClinicalTrials.gov's studies as documents."""

from datetime import date
from typing import Any

import pytest

from primum.graph.errors import LookUpFailed
from primum.tools.guard import Guard
from primum.tools.trials import Trials
from tests.apis import FakeAPI, FakeClock, as_json, study
from tests.tools.test_pubmed import query


@pytest.fixture
def service(api: FakeAPI, guard: Guard, clock: FakeClock) -> Trials:
    return Trials(guard, address=api.url, clock=clock.clock())


async def test_a_study_tells_how_it_stands_what_is_tried_and_in_whom(api: FakeAPI, service: Trials) -> None:
    api.says("/studies", as_json({"studies": [study()], "nextPageToken": "x"}))
    (source,) = await service.search(query(), 5)
    assert source.uri == "ctgov:NCT01234567" and source.url == "https://clinicaltrials.gov/study/NCT01234567"
    assert (source.title, source.published, source.origin) == ("Steroids for Asthma", date(2025, 2, 3), "ctgov")
    assert source.sources[0]["status"] == "active not recruiting" and source.sources[0]["phase"] == "phase 3"
    sections = dict(part.split("\n\n", 1) for part in source.text.removeprefix("## ").split("\n\n## "))
    assert sections["Standing"] == (
        "Interventional, phase 3: active not recruiting. Started 2021-05. 320 people. "
        "No results are posted: it shows nothing of what works."
    )
    assert sections["Interventions"] == "- Budesonide: 200 µg twice a day"
    assert sections["Main outcomes"] == "- Attacks (1 year)" and sections["Conditions"] == "Asthma"
    assert "Asthma" in sections["Who can take part"]


@pytest.mark.parametrize(("results", "level"), [(True, "trial"), (False, "")])
async def test_a_trial_without_results_is_no_evidence(api: FakeAPI, service: Trials, results: bool, level: str) -> None:
    api.says("/studies", as_json({"studies": [study(hasResults=results)]}))
    (source,) = await service.search(query(), 5)
    assert source.evidence == level


async def test_an_observational_study_is_no_trial(api: FakeAPI, service: Trials) -> None:
    one = study(hasResults=True)
    one["protocolSection"]["designModule"] = {"studyType": "OBSERVATIONAL"}
    api.says("/studies", as_json({"studies": [one]}))
    (source,) = await service.search(query(), 5)
    assert source.evidence == "" and source.text.startswith("## Standing\n\nObservational: active")


async def test_a_study_of_which_little_is_known_is_still_a_document(api: FakeAPI, service: Trials) -> None:
    bare = {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}
    api.says("/studies", as_json({"studies": [bare, study()]}))
    first, _ = await service.search(query(), 5)
    assert (first.title, first.published) == ("NCT00000001", None)


async def test_nothing_found_is_nothing(api: FakeAPI, service: Trials) -> None:
    api.says("/studies", as_json({"studies": []}))
    assert await service.search(query("asthma"), 3) == []
    assert api.asked("/studies") == [{"query.term": "asthma", "pageSize": "3", "format": "json"}]


@pytest.mark.parametrize("answer", [[], "x", {"studies": {}}, {"studies": [{}]}, {"studies": ["x"]}])
async def test_an_answer_in_another_form_is_told(api: FakeAPI, service: Trials, answer: Any) -> None:
    api.says("/studies", as_json(answer))
    with pytest.raises(LookUpFailed, match="form"):
        await service.search(query(), 5)


async def test_a_number_that_is_none_is_not_made_an_address(api: FakeAPI, service: Trials) -> None:
    api.says("/studies", as_json({"studies": [study("../../evil"), study()]}))
    assert [one.uri for one in await service.search(query(), 5)] == ["ctgov:NCT01234567"]
