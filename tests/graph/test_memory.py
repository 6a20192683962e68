"""What the agent remembers of a patient: over threads and restarts, rightly, and visibly."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.builder import build_graph
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.facts import Fact
from primum.memory.jobs import open_worker
from primum.safety.profile import Profile
from tests.fakes import FakeEmbedder, FakeVLLM, Says
from tests.pages import cited
from tests.rows import ME, rows

GOUT = "Attacks of gout are treated with ibuprofen or with colchicine"
ASKED = "How is an attack of gout treated?"


@pytest.fixture
def gout(vllm: FakeVLLM) -> FakeVLLM:
    """A model that says what treats gout where a passage does, and nothing else."""
    says = cited(f"{GOUT} [colchicine].")

    def reply(body: Any) -> str:
        prompt = body["messages"][1]["content"]
        return says(body) if re.search(r"\n\[\d+\] Gout – Treatment\n", prompt) else "No."

    vllm.default = reply
    return vllm


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Agent]:
    async with open_resources(settings, FakeEmbedder()) as resources:
        agent = Agent(resources)
        yield agent
        await agent.close()


async def facts(agent: Agent) -> list[Fact]:
    return [one.fact for one in (await agent.resources.charts.read(ME)).facts]


def used(answer: Answer) -> list[str]:
    return [fact.text for fact in answer.facts]


async def test_an_allergy_told_once_holds_in_that_very_turn_in_other_threads_and_after_a_restart(
    settings: Settings, gout: FakeVLLM
) -> None:
    async with opened(settings) as agent:
        answer = await agent.ask(f"I'm allergic to ibuprofen. {ASKED}", thread="one")
        assert GOUT not in answer.text and used(answer) == ["allergy to ibuprofen"]
        answer = await agent.ask(ASKED, thread="two")
        assert GOUT not in answer.text
        assert answer.facts[0].proof == "I'm allergic to ibuprofen." and answer.facts[0].source == "rules"
    async with opened(settings) as agent:
        answer = await agent.ask(ASKED, thread="three")
        assert GOUT not in answer.text and used(answer) == ["allergy to ibuprofen"]
        told = gout.written[-1]["messages"][1]["content"]
        assert "WHAT THIS PERSON HAS TOLD OF THEMSELVES\n- allergy to ibuprofen" in told


async def test_a_correction_takes_effect_and_what_was_believed_stays_on_record(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I'm allergic to ibuprofen. What is gout?")
    answer = await agent.ask(f"Actually I'm not allergic to ibuprofen, I mixed it up. {ASKED}")
    assert GOUT in answer.text
    assert [fact.words for fact in await facts(agent)] == ["no allergy to ibuprofen"]
    kept = await rows(agent.resources.database, "select fact ->> 'value' from facts where replaced_at is not null")
    assert kept == [("ibuprofen",)]


async def test_a_medicine_that_was_stopped_forbids_nothing(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I take warfarin 5 mg daily. What is gout?")
    assert GOUT not in (await agent.ask(ASKED)).text
    await agent.ask("I stopped warfarin in May. What is gout?")
    assert GOUT in (await agent.ask(ASKED)).text


async def test_a_relatives_disease_is_not_the_patients(agent: Agent, gout: FakeVLLM) -> None:
    answer = await agent.ask(f"My father has a bleeding stomach ulcer. My mother takes warfarin. {ASKED}")
    assert {fact.kind for fact in await facts(agent)} <= {"family_history"}
    assert "warfarin" not in " ".join(used(answer))
    assert GOUT in (await agent.ask(ASKED)).text


async def test_what_is_said_of_somebody_else_holds_for_its_thread_alone(agent: Agent, gout: FakeVLLM) -> None:
    gout.default = "No."
    await agent.ask("My mother takes warfarin. What is gout?", thread="mother")
    same = await agent.ask("Can she take ibuprofen?", thread="mother")
    other = await agent.ask("Can she take ibuprofen?", thread="other")
    assert "warfarin" in same.text and "warfarin" not in other.text
    assert await facts(agent) == []


async def test_a_childs_question_is_not_answered_with_the_parents_chart(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I am 34 years old, I weigh 80 kg and I take warfarin. What is gout?")
    answer = await agent.ask("My son has a fever. How much paracetamol can he take?")
    assert answer.facts == [] and "warfarin" not in answer.text


async def test_a_clinicians_case_is_no_fact_of_the_patients_chart(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("72-year-old woman on warfarin. What is gout?", audience="clinician", thread="case")
    assert await facts(agent) == []
    assert GOUT not in (await agent.ask(ASKED, audience="clinician", thread="case")).text


async def test_a_clinician_is_warned_of_what_the_patient_told(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I take warfarin. What is gout?", patient="anna")
    answer = await agent.ask(ASKED, audience="clinician", patient="anna", thread="ward")
    assert GOUT not in answer.text and used(answer) == ["warfarin"]


async def test_two_things_told_that_cannot_both_be_true_are_asked_about_and_cleared_up(
    agent: Agent, gout: FakeVLLM
) -> None:
    gout.default = "No."
    await agent.ask("I'm allergic to penicillin. What is gout?", thread="t")
    answer = await agent.ask("I have no allergies. What is gout?", thread="t")
    assert "**Which is right?** You told me “I'm allergic to penicillin” and then “I have no allergies”" in answer.text
    assert answer.text.endswith("I go by: allergy to penicillin.")
    again = await agent.ask("I have no allergies. What is gout?", thread="t")
    assert "Which is right" not in again.text  # asked once
    assert await rows(agent.resources.database, "select count(*) from contradictions") == [(1,)]
    await agent.ask("I have no allergies, I was wrong. What is gout?", thread="t")
    assert [fact.words for fact in await facts(agent)] == ["no allergies"]
    assert await rows(agent.resources.database, "select 1 from contradictions where settled_at is null") == []


async def test_a_bare_no_answers_what_was_asked_back(agent: Agent, gout: FakeVLLM) -> None:
    gout.default = "No."
    answer = await agent.ask("Can I take ibuprofen? I take metformin. I'm a man of 40.", thread="t")
    asked = "**To be surer:** Do you have kidney disease, liver disease or an ulcer or bleeding?"
    assert answer.text.endswith(asked)
    await agent.ask("No.", thread="t")
    assert {"no kidney disease", "no liver disease"} <= {fact.words for fact in await facts(agent)}


async def test_facts_are_told_once_however_often_they_are_said(agent: Agent, gout: FakeVLLM) -> None:
    for _ in range(3):
        await agent.ask("I'm allergic to penicillin. What is gout?")
    assert await rows(agent.resources.database, "select count(*) from facts") == [(1,)]


async def test_a_profile_of_the_request_goes_before_the_chart(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I am 34 years old. What is gout?")
    answer = await agent.ask(ASKED, profile=Profile(medicines=("warfarin",)))
    assert GOUT not in answer.text
    assert await rows(agent.resources.database, "select kind from facts") == [("age",)]


# After the reply


async def done(agent: Agent) -> None:
    """Does the jobs that there are."""
    async with open_worker(
        agent.resources.database.url, agent.remember, lambda: agent.resources.erasure.retain(None)
    ) as worker:
        for _ in range(200):
            if not await waiting(agent):
                return
            await worker._app.run_worker_async(wait=False, install_signal_handlers=False, delete_jobs="successful")
    raise AssertionError("a job is not done")


async def waiting(agent: Agent) -> int:
    async with agent.resources.database.begin_as_worker() as connection:
        statement = "select count(*) from jobs.procrastinate_jobs where task_name = 'remember' and status <> 'failed'"
        return int(await connection.scalar(text(statement)) or 0)


def proposes(vllm: FakeVLLM, *found: dict[str, Any]) -> None:
    vllm.forms["Proposals"] = json.dumps({"facts": list(found)})


async def test_the_model_adds_what_the_rules_did_not_read_and_nothing_that_was_not_said(
    agent: Agent, gout: FakeVLLM
) -> None:
    said = "My doctor keeps me on metoprolol, and amlodipine would be next. What is gout?"
    proposes(
        gout,
        {"kind": "medicine", "value": "warfarin", "quote": "I take warfarin"},
        {"kind": "medicine", "value": "amlodipine", "quote": "amlodipine would be next"},
    )
    await agent.ask(said)
    await done(agent)
    assert "warfarin" not in str(await facts(agent)) and "amlodipine" not in str(await facts(agent))


async def test_a_job_that_finds_the_model_away_is_done_when_it_is_back(agent: Agent, gout: FakeVLLM) -> None:
    gout.forms["Proposals"] = Says(status=503)
    await agent.ask("I have been struggling with something since my operation. What is gout?")
    assert await waiting(agent) == 1


async def test_nothing_of_a_thread_is_lost_by_its_summaries(settings: Settings, gout: FakeVLLM) -> None:
    given = settings.model_copy(update={"history_turns": 3, "summarise_after": 400})
    async with opened(given) as agent:
        await agent.ask("I'm allergic to penicillin, I take warfarin and I have asthma. What is gout?", thread="t")
        for number in range(2, 60):
            await agent.ask(f"{ASKED} ({number})", thread="t")
            if number % 10 == 9:
                await done(agent)
        profile = (await agent.ask("What is gout?", thread="t")).facts
        assert {fact.text for fact in profile} == {"allergy to penicillin", "warfarin", "asthma"}
        sizes = [len(str(body["messages"])) for body in gout.written if "(10)" in str(body) or "(59)" in str(body)]
        assert sizes[-1] <= 1.3 * sizes[0]
        ((summary, last),) = await rows(agent.resources.database, "select summary, last from summaries")
        assert last > 50 and len(summary["asked"]) == 10


async def test_a_graph_of_ones_own_recalls_the_chart_and_heeds_what_is_told_in_that_run(
    agent: Agent, gout: FakeVLLM
) -> None:
    await agent.ask("I take warfarin. What is gout?", patient="anna")
    resources = agent.resources
    context = resources.context(resources.new_run(), resources.identity("anna"), "visit", "patient")
    told = {"question": f"I'm allergic to latex. {ASKED}"}
    state = await build_graph().ainvoke(told, context=context)  # type: ignore[call-overload]
    assert [fact["text"] for fact in state["answer"]["facts"]] == ["warfarin", "allergy to latex"]
    assert [one.fact.words for one in (await resources.charts.read(resources.identity("anna"))).facts] == ["warfarin"]


async def test_ones_own_facts_are_listed_each_with_where_it_comes_from(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I take lisinopril. I'm allergic to penicillin.", thread="t")
    asked = len(gout.requests)
    answer = await agent.ask("What allergies do I have?", thread="other")
    assert answer.status == "answered" and answer.citations == [] and len(gout.requests) == asked
    assert re.search(
        r"- allergy to penicillin \(told on \d{4}-\d\d-\d\d: “I'm allergic to penicillin\.”\)", answer.text
    )
    assert "lisinopril" not in answer.text
    everything = await agent.ask("¿Qué sabes de mí?", thread="t")
    assert "lisinopril" in everything.text and "penicillin" in everything.text and "anotado" in everything.text
    other = await agent.ask("What allergies do I have?", patient="somebody-else", thread="theirs")
    assert "penicillin" not in other.text and "Nothing of that is noted" in other.text


async def test_a_clinician_is_told_the_facts_of_the_patient_on_show(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I'm allergic to penicillin.", thread="t")
    answer = await agent.ask("What allergies does the patient have?", thread="c", audience="clinician")
    assert "allergy to penicillin" in answer.text and answer.status == "answered"
    await agent.ask("Forget that I am allergic to penicillin", thread="c", audience="clinician")
    assert [fact.value for fact in await facts(agent)] == ["penicillin-class"]


async def test_a_fact_ends_when_it_is_asked_to_be_forgotten_and_the_audit_says_so(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I take lisinopril. I'm allergic to penicillin.", thread="t")
    answer = await agent.ask("Please forget that I take lisinopril", thread="t")
    assert answer.text.startswith("I no longer go by this: lisinopril") and answer.status == "answered"
    assert [fact.value for fact in await facts(agent)] == ["penicillin-class"]
    stored = await rows(agent.resources.database, "select fact from facts where state = 'ended'")
    assert [fact["quotes"][-1]["text"] for (fact,) in stored] == ["Please forget that I take lisinopril"]
    changes = await rows(
        agent.resources.database, "select details from audit_events where action = 'change facts' order by number"
    )
    assert len(changes[-1][0]["replaced"]) == 1
    again = await agent.ask("forget that I take lisinopril", thread="t")
    assert "nothing to forget" in again.text and [fact.value for fact in await facts(agent)] == ["penicillin-class"]


async def test_everything_is_erased_elsewhere_and_only_where_it_is_confirmed(agent: Agent, gout: FakeVLLM) -> None:
    await agent.ask("I'm allergic to penicillin.", thread="t")
    answer = await agent.ask("delete everything you know about me", thread="t")
    assert "Erase everything about me" in answer.text and "`primum erase`" in answer.text
    assert [fact.value for fact in await facts(agent)] == ["penicillin-class"]
