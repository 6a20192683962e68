"""Whole turns in which tools are called: by rules, and by a model that can call them."""

from collections.abc import AsyncIterator

import pytest

from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.safety.profile import Profile
from primum.tools.evident import READ, WRITE_IT
from tests.fakes import Body, FakeEmbedder, FakeVLLM, Says
from tests.pages import cited

PUZZLE = "What is the price of 3 boxes of 12 dollars each, with 5 dollars off?"
OUTSIDE_ROUTE = '{"route": "outside"}'


@pytest.fixture
async def calling(settings: Settings) -> AsyncIterator[Agent]:
    """An agent whose model can call tools."""
    able = settings.model_copy(update={"model_tools": True, "max_tool_calls": 3})
    async with open_resources(able, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()


def prompt(request: Body) -> str:
    return str(request["messages"][0]["content"])


async def test_a_formula_is_computed_with_meaning_and_source_and_without_a_model(agent: Agent, vllm: FakeVLLM) -> None:
    answer = await agent.ask("eGFR of a 55-year-old woman with creatinine 1.2 mg/dL", audience="clinician")
    assert answer.status == "answered" and answer.trace.route == "tool" and vllm.requests == []
    assert answer.text.startswith("**eGFR by CKD-EPI 2021: 53.5 ml/min/1.73 m²** – G3a")
    assert "- From creatinine 106.08 µmol/l, age 55 years, female." in answer.text
    assert "- Source: Inker and others, CKD-EPI, N Engl J Med 385:1737, 2021" in answer.text
    assert answer.support.sentences == answer.support.supported == 4 and answer.confidence == 1
    assert answer.trace.problems == []


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("12 × (3 + 4)?", "**12 × (3 + 4) = 84**."),
        ("What is 15% of 80?", "**(15/100) × 80 = 12**."),
        ("What is 10 / 3?", "**10 / 3 = 3.333333333** (exactly 10/3)."),
        ("Solve 2x + 3 = 11", "**2 × x + 3 = 11: x = 4**."),
    ],
)
async def test_a_sum_is_worked_out_exactly(agent: Agent, vllm: FakeVLLM, question: str, text: str) -> None:
    answer = await agent.ask(question)
    assert (answer.text, answer.status) == (text, "answered") and vllm.requests == []


async def test_what_is_missing_is_asked_back_by_name(agent: Agent, vllm: FakeVLLM) -> None:
    answer = await agent.ask("What is the BMI of a man of 80 kg?")
    assert answer.text.startswith("Body mass index also needs height (cm). Please tell me")
    assert answer.status == "unverified" and answer.support.supported == 0 and vllm.requests == []


async def test_what_is_known_of_the_person_is_used(agent: Agent) -> None:
    answer = await agent.ask("What is my BMI?", profile=Profile(weight_kg=80, height_cm=180))
    assert answer.text.startswith("**Body mass index: 24.7 kg/m²** – normal weight.")


async def test_items_nobody_mentioned_are_told_as_counted_absent(agent: Agent) -> None:
    answer = await agent.ask("CHA2DS2-VASc of a 76-year-old woman with hypertension and diabetes", audience="clinician")
    assert answer.text.startswith("**CHA2DS2-VASc: 5 points**")
    assert "Counted as absent, since nothing was said of it: heart failure, stroke, TIA or embolism" in answer.text


async def test_an_impossible_value_is_refused_and_is_a_stated_gap(agent: Agent) -> None:
    answer = await agent.ask("FIB-4 of a man of 60 years, AST 80000 U/l, ALT 64, platelets 150?", audience="clinician")
    assert "ast_u_l must be between 1 and 20000, not 80000" in answer.text and answer.status == "unverified"
    assert answer.trace.problems == ["act: calculate could not be done; the answer says why"]


async def test_a_question_that_wants_advice_too_is_answered_from_evidence_below_the_result(
    agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.default = cited("Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours [every 4 to 6 hours].")
    answer = await agent.ask("What is 15 mg/kg for 40 kg, and how much paracetamol can adults take?")
    assert answer.text.startswith("**Dose for the weight: 600 mg**") and answer.citations
    assert answer.status in ("answered", "evidence_only") and answer.support.supported > 3


async def test_interactions_are_told_without_a_model(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = Says(status=500)
    answer = await agent.ask("Can I take simvastatin together with amlodipine?")
    assert "simvastatin" in answer.text.lower() and "amlodipine" in answer.text.lower()
    assert answer.trace.route == "evidence" and vllm.offered == []


async def test_what_is_asked_about_is_checked_with_what_is_taken(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = Says(status=500)
    answer = await agent.ask("Can I take cetirizine?", profile=Profile(medicines=("losartan",)))
    assert "Cetirizine with losartan: not found in Primum's table" in answer.text
    other = await agent.ask("What is cetirizine?", profile=Profile(medicines=("losartan",)))
    assert "losartan" not in other.text


async def test_a_long_list_of_medicines_buries_no_answer(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = Says(status=500)
    many = Profile(medicines=("losartan", "amlodipine", "metformin", "omeprazole", "sertraline"))
    assert "not found" not in (await agent.ask("Can I take paracetamol?", profile=many)).text


async def test_an_emergency_is_no_calculation(agent: Agent) -> None:
    answer = await agent.ask("I have crushing chest pain and can't breathe. What is 12 * 3?")
    assert answer.status == "emergency" and "36" not in answer.text


async def test_a_model_that_can_call_tools_chooses_the_sum_and_code_writes_the_answer(
    calling: Agent, vllm: FakeVLLM
) -> None:
    vllm.forms["Routing"] = OUTSIDE_ROUTE
    vllm.choices.extend([Says("<think>3 times 12 is 99</think>", calls=(("work_out", {"expression": "3*12-5"}),))])
    answer = await calling.ask(PUZZLE)
    assert answer.text.splitlines() == ["**3 × 12-5 = 31**.", f"- {READ}"]
    assert answer.status == "answered" and "99" not in answer.text
    first, second = vllm.offered
    assert {tool["function"]["name"] for tool in first["tools"]} >= {"work_out", "calculate", "check_interactions"}
    assert "OUTCOMES SO FAR" not in prompt(first) and '"told": ["**3 × 12-5 = 31**."]' in prompt(second)


async def test_a_number_that_the_model_made_up_reaches_no_tool(calling: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Routing"] = OUTSIDE_ROUTE
    vllm.choices.append(Says(calls=(("work_out", {"expression": "3*12-17"}),)))
    answer = await calling.ask(PUZZLE)
    assert answer.text == WRITE_IT and "19" not in answer.text
    assert "act: the model called work_out with numbers that nobody gave" in answer.trace.problems


async def test_no_more_calls_are_made_than_are_allowed(calling: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Routing"] = OUTSIDE_ROUTE
    sums = [("work_out", {"expression": f"{one}+12"}) for one in ("3", "5", "12", "3+5", "5+5")]
    vllm.choices.append(Says(calls=tuple(sums)))
    answer = await calling.ask(PUZZLE)
    assert answer.text.count("**") == 2 * 3 and len(vllm.offered) == 1


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Says(calls=(("rm_rf", {"path": "/"}),)), "act: the model called a tool that there is not"),
        (
            Says(calls=(("work_out", {"expression": "12/(3 - 3)"}),)),
            "act: work_out could not be done; the answer says why",
        ),
        (Says(calls=(("work_out", {"sum": "3*12"}),)), "act: work_out could not be done; the answer says why"),
        (Says(status=500), "act: The model server answered with HTTP 500."),
        (Says(status=400), "act: The model server answered with HTTP 400."),
    ],
)
async def test_a_call_that_fails_is_a_stated_gap_and_no_crash(
    calling: Agent, vllm: FakeVLLM, reply: Says, problem: str
) -> None:
    vllm.forms["Routing"] = OUTSIDE_ROUTE
    vllm.choices.extend([reply, reply])
    answer = await calling.ask(PUZZLE)
    assert any(one.startswith(problem) for one in answer.trace.problems)
    assert answer.status in ("declined", "unverified")


async def test_a_model_is_offered_no_tools_unless_it_can_call_them(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Routing"] = OUTSIDE_ROUTE
    assert (await agent.ask(PUZZLE)).text == WRITE_IT and vllm.offered == []


async def test_a_sum_told_in_words_of_a_sure_form_needs_no_model(agent: Agent, vllm: FakeVLLM) -> None:
    answer = await agent.ask("A bakery sells 3 loaves at $2.50 and 4 at $3. How much in all?")
    assert answer.text.startswith("**3 × 2.50 + 4 × 3 = 19.5**") and READ in answer.text
    assert answer.status == "answered" and vllm.requests == []
