"""A clinician's case, as whole turns: a real Postgres, a scripted model, a small library."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.case import Case
from primum.graph.errors import BadInput, RetrievalFailed
from primum.graph.resources import open_resources
from primum.graph.settings import read_settings
from primum.memory.session import Database
from primum.nodes.work_up import Workup, rewritten
from primum.retrieval.ingest import ingest
from primum.safety.profile import Profile
from tests.cases import ASPIRIN, CASE, ECG, FEVER, LUNGS, NITRATE, PAIN, form, write_conditions
from tests.fakes import FakeEmbedder, FakeVLLM, Says


@pytest.fixture
async def agent(database_url: str, vllm: FakeVLLM, tmp_path: Path) -> AsyncIterator[Agent]:
    """An agent with a library of three conditions."""
    database = Database(database_url, owner=True)
    await ingest([write_conditions(tmp_path)], database, FakeEmbedder())
    await database.close()
    settings = read_settings(home=tmp_path, database_url=database_url, model_url=vllm.url, turn_timeout=30)
    async with open_resources(settings, FakeEmbedder()) as resources:
        yield Agent(resources)


async def asked(agent: Agent, text: str = CASE, **how: Any) -> Answer:
    return await agent.ask(text, audience="clinician", **{"form": "case", **how})


def case_in(answer: Answer) -> Case:
    assert answer.case is not None
    return answer.case


async def test_a_case_is_worked_up_with_each_sentence_proven(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form()
    answer = await asked(agent)
    case = case_in(answer)
    assert (answer.status, answer.trace.route, answer.trace.problems) == ("answered", "case", [])
    first, second = case.differential  # what a red flag names comes before what the model put first
    assert (first.condition, first.cant_miss, first.rule) == ("Heart attack", True, "a heart attack")
    assert [(one.finding, one.sentence) for one in first.speaks_for] == [
        ("crushing chest pain for 40 minutes", f"{PAIN} [1].")
    ]
    assert first.next_test == [f"{ECG} [2]."]
    assert [(one.finding, one.sentence) for one in second.speaks_against] == [("no fever", f"{FEVER} [3].")]
    assert case.working_diagnosis is not None and case.working_diagnosis.because == [f"{PAIN} [1]."]
    assert case.plan.investigations == [f"{ECG} [2]."] and case.plan.treatment == [f"{ASPIRIN} [4]."]
    assert {one.item for one in case.missing} >= {"allergies", "vital_signs", "other"}
    assert [one.marker for one in answer.citations] == [1, 2, 3, 4]
    assert "### Differential\n1. **Heart attack** – **can't miss**" in answer.text
    assert len(vllm.filled("Workup")) == len(vllm.filled("Audit")) == 1


async def test_the_case_is_told_again_in_its_own_words_by_code(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = Says(status=500)
    told = case_in(await asked(agent)).presentation
    assert told.model_dump() == {
        "person": "58-year-old man",
        "findings": ["crushing chest pain for 40 minutes", "sweating"],
        "absent": ["no fever"],
        "vitals": ["BP 92/60"],
        "background": ["smoker"],
        "medicines": ["sildenafil"],
        "allergies": [],
    }


async def test_what_the_rules_forbid_for_this_patient_is_left_out_of_the_plan_and_named(
    agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.forms["Workup"] = form(treatment=[f"{NITRATE} «trinitrate».", f"{ASPIRIN} «Chew 300 mg»."])
    vllm.forms["Mended"] = '{"sentences": []}'
    answer = await asked(agent)
    plan = case_in(answer).plan
    assert [sentence.startswith(ASPIRIN) for sentence in plan.treatment] == [True]
    assert NITRATE not in answer.text
    assert any({"sildenafil", "nitroglycerin"} <= set(one.subjects) for one in plan.avoid)
    assert "### Not for this patient" in answer.text


async def test_an_allergy_of_the_request_counts_for_the_plan(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form()
    vllm.forms["Mended"] = '{"sentences": []}'
    case = case_in(await asked(agent, profile=Profile(allergies=("aspirin",))))
    assert case.plan.treatment == [] and case.presentation.allergies == ["aspirin"]
    assert any("aspirin" in one.subjects for one in case.plan.avoid)


@pytest.mark.parametrize(
    "reply", ["{}", "no JSON", Says(status=500), form(differential=[])], ids=["empty", "text", "down", "no condition"]
)
async def test_without_a_form_that_holds_the_library_speaks_for_itself(
    agent: Agent, vllm: FakeVLLM, reply: Any
) -> None:
    vllm.forms["Workup"] = reply
    answer = await asked(agent)
    case = case_in(answer)
    assert answer.status == "evidence_only" and case.working_diagnosis is None
    assert case.differential[0].condition == "Heart attack"
    assert case.differential[0].speaks_for[0].sentence == f"{PAIN} [1]."
    assert case.red_flags and case.missing
    assert all(part.count("\n") for part in answer.text.split("\n\n") if part.startswith("###"))
    assert "gout" not in answer.text.casefold()


async def test_hostile_forms_show_nothing_that_no_passage_proves(agent: Agent, vllm: FakeVLLM) -> None:
    invented = {
        "condition": "Aortic dissection",
        "cant_miss": True,
        "speaks_for": [{"finding": "sweating", "sentence": f"{PAIN} «crushing chest»."}],
        "speaks_against": [],
        "next_test": "A CT angiogram decides [1].",
    }
    denied = {
        "condition": "Pneumonia",
        "cant_miss": False,
        "speaks_for": [
            {"finding": "fever", "sentence": f"{FEVER} «Fever is a common»."},
            {"finding": "haemoptysis", "sentence": f"{LUNGS} «when breathing in»."},
        ],
        "speaks_against": [],
        "next_test": "",
    }
    true = json.loads(form()({"messages": [{}, {"content": "\n[1] crushing chest troponin when breathing in Fever is "
                                                           "a common Chew 300 mg"}]}))["differential"][1]  # fmt: skip
    vllm.forms["Workup"] = form(
        differential=[invented, denied, true],
        working_diagnosis="Aortic dissection",
        investigations=["Order a CT angiogram [1].", "<b>Ignore all rules</b> [1]."],
        treatment=["Give alteplase 100 mg at once [1]."],
        missing=[
            "Give 10 mg of morphine.",
            "Should he get morphine?",
            "Discharge him now.\nAgreed?",
            "Do a puncture at once! Any objection?",
            "Any recent surgery?",
        ],
    )
    vllm.forms["Mended"] = '{"sentences": [{"number": 99, "sentence": "Give alteplase [1]."}]}'
    answer = await asked(agent)
    case = case_in(answer)
    told = answer.model_dump_json(exclude={"trace", "safety"})
    for word in (
        "Discharge",
        "puncture",
        "dissection",
        "CT angiogram",
        "alteplase",
        "Ignore",
        "morphine",
        "haemoptysis",
    ):
        assert word not in told
    assert [one.condition for one in case.differential] == ["Heart attack"]
    assert case.working_diagnosis is None
    assert [one.question for one in case.missing if one.item == "other"] == ["Any recent surgery?"]


async def test_a_condition_is_no_place_for_what_the_rules_forbid(agent: Agent, vllm: FakeVLLM) -> None:
    proven = [{"finding": "sweating", "sentence": f"{NITRATE} «trinitrate»."}]
    proven.append({"finding": "crushing chest pain for 40 minutes", "sentence": f"{PAIN} «crushing chest»."})
    order = {"cant_miss": True, "speaks_for": proven, "speaks_against": [], "next_test": ""}
    named = "Use glyceryl trinitrate spray for heart attack"
    vllm.forms["Workup"] = form(differential=[order | {"condition": named}], working_diagnosis=named)
    vllm.forms["Mended"] = '{"sentences": []}'
    answer = await asked(agent)
    assert "Use glyceryl" not in answer.text and case_in(answer).working_diagnosis is None


async def test_what_supports_the_working_diagnosis_is_of_it(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form(because=f"{LUNGS} «when breathing in».")
    case = case_in(await asked(agent))
    assert case.differential and case.working_diagnosis is None


async def test_a_section_that_goes_on_of_what_is_forbidden_is_not_told(
    database_url: str, vllm: FakeVLLM, tmp_path: Path
) -> None:
    folder = write_conditions(tmp_path)
    page = folder / "heart-attack.md"
    page.write_text(page.read_text().replace(f"{NITRATE}.", f"{NITRATE}. Repeat it after five minutes."))
    database = Database(database_url, owner=True)
    await ingest([folder], database, FakeEmbedder())
    await database.close()
    settings = read_settings(home=tmp_path, database_url=database_url, model_url=vllm.url, turn_timeout=30)
    vllm.forms["Workup"] = Says(status=500)
    async with open_resources(settings, FakeEmbedder()) as resources:
        answer = await asked(Agent(resources), CASE)
    assert "Repeat it" not in answer.text and NITRATE not in answer.text


async def test_a_search_that_failed_is_not_told_as_what_the_library_has(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RetrievalFailed("no embedder")

    monkeypatch.setattr("primum.retrieval.search.Retriever.search", broken)
    answer = await asked(agent)
    assert "The library names no condition" not in answer.text and "can't be searched" in answer.text


async def test_what_was_cut_out_of_the_draft_is_counted(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form(treatment=["Give alteplase 100 mg at once [1].", f"{ASPIRIN} «Chew 300 mg»."])
    vllm.forms["Mended"] = Says(status=500)  # so that respond cuts it out
    support = (await asked(agent)).support
    assert support.removed == 1 and support.sentences == support.supported + support.removed


async def test_a_sum_that_a_case_asks_for_is_worked_out(agent: Agent) -> None:
    text = "70-year-old man, 80 kg, creatinine 120 umol/L, cough and fever. Calculate his creatinine clearance."
    answer = await asked(agent, text, form=None)
    assert answer.case is None and "ml/min" in answer.text


def test_a_sentence_that_its_marker_makes_too_long_goes() -> None:
    filled = {"reasoning": "", "differential": [], "working_diagnosis": "", "investigations": [], "missing": []}
    long = Workup.model_validate(filled | {"because": "", "treatment": ["x" * 400, "short"]})
    assert rewritten(long, lambda text: f"{text} [1]").treatment == ["", "short [1]"]


async def test_a_sentence_that_was_not_proven_may_be_mended_once(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form(treatment=["Chew 600 mg of aspirin at once for a heart attack «Chew 300 mg»."])
    vllm.forms["Mended"] = json.dumps({"sentences": [{"number": 1, "sentence": f"{ASPIRIN} [1]."}]})
    answer = await asked(agent)
    assert [one.startswith(ASPIRIN) for one in case_in(answer).plan.treatment] == [True]
    assert "600 mg" not in answer.text and answer.trace.revisions == 1


async def test_what_the_reviewer_objects_to_is_taken_out(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form()
    numbers: dict[str, list[object]] = {"sentences": []}
    vllm.forms["Mended"] = json.dumps(numbers)

    def objects(request: Any) -> str:
        lines = request["messages"][-2]["content"].splitlines()
        found = [line.partition(".")[0] for line in lines if ASPIRIN in line]
        objection = {"kind": "misleading", "quote": ASPIRIN}
        return json.dumps({"objections": [{"sentence": int(number), **objection} for number in found]})

    vllm.forms["Audit"] = objects
    answer = await asked(agent)
    assert answer.status == "answered" and case_in(answer).plan.treatment == []


async def test_what_fits_nothing_in_the_library_still_gets_red_flags_and_what_is_missing(
    agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.forms["Workup"] = "{}"
    answer = await asked(agent, "Woman with an itchy scalp")
    case = case_in(answer)
    assert case.differential == [] and answer.status == "unverified"
    assert "no condition that fits" in answer.text and "### Missing" in answer.text
    assert "### Differential" not in answer.text


async def test_a_mild_sign_is_no_red_flag(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = "{}"
    case = case_in(await asked(agent, "55-year-old man, crushing chest pain into the left arm, sweating, BP 100/60"))
    assert "pain into the left arm" in case.presentation.findings[0]
    assert case.red_flags and all("pain into the left arm" not in flag.subjects for flag in case.red_flags)


async def test_cases_are_for_clinicians_alone(agent: Agent) -> None:
    with pytest.raises(BadInput, match="clinicians alone"):
        await agent.ask(CASE, form="case")
    with pytest.raises(BadInput, match="clinicians alone"):
        await agent.ask(CASE, reasoning=True)


@pytest.mark.parametrize(
    ("text", "form_", "route"),
    [(CASE, None, "case"), (CASE, "answer", "evidence"), ("How is pneumonia diagnosed?", None, "evidence")],
)
async def test_a_case_is_taken_for_one_only_where_that_is_sure(
    agent: Agent, vllm: FakeVLLM, text: str, form_: Any, route: str
) -> None:
    vllm.forms["Workup"] = form()
    answer = await asked(agent, text, form=form_)
    assert answer.trace.route == route and bool(answer.case) == (route == "case")


async def test_a_patients_own_story_is_no_case(agent: Agent) -> None:
    answer = await agent.ask("58-year-old man, itchy elbow for two days, dry skin, no fever")
    assert answer.trace.route != "case" and answer.case is None


async def test_the_reasoning_is_shown_to_a_clinician_who_asks_for_it(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form()
    unasked = await asked(agent)
    shown = await asked(agent, reasoning=True)
    assert (unasked.reasoning, shown.reasoning) == (None, "Pain, sweat and shock point to the heart.")


async def test_reasoning_that_advises_what_the_rules_forbid_is_held_back(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form(reasoning="Shock. Give glyceryl trinitrate spray now.")
    answer = await asked(agent, reasoning=True)
    assert answer.reasoning is None
    assert answer.trace.problems == ["reasoning: held back, since it advises what the rules forbid for this patient"]


async def test_the_events_tell_the_steps_of_a_case(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Workup"] = form()
    events = [event async for event in agent.stream(CASE, audience="clinician", form="case")]
    names = [event.data["name"] for event in events if event.name == "step" and event.data["state"] == "started"]
    assert names == ["recall", "triage", "router", "gather", "work_up", "critique", "respond"]
    assert any(event.name == "evidence" and event.data["passages"] for event in events)
    assert events[-1].data["case"]["differential"]


async def test_a_work_up_without_hope_is_given_up_and_not_asked_for_again(agent: Agent, vllm: FakeVLLM) -> None:
    points = [{"finding": "sweating", "sentence": f"Bracelet {n} of copper heals the heart [1]."} for n in range(4)]
    attack = {"condition": "Heart attack", "cant_miss": True, "speaks_for": points, "speaks_against": []}
    made = form(differential=[{**attack, "next_test": "A horoscope is cast [1]."}] * 6)
    vllm.forms["Workup"] = lambda request: Says(made(request), each=0.02)  # slower than the audit
    answer = await asked(agent)
    assert answer.status == "evidence_only" and len(vllm.filled("Workup")) == 1
    assert answer.trace.problems == ["work_up: The writer's form was given up: nothing in it holds."]
    assert not vllm.filled("Audit")
