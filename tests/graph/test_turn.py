"""Whole turns: a real Postgres, a real HTTP request to a scripted model, a small library."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jsonschema
import pytest
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.identity import Identity
from tests.fakes import Body, FakeEmbedder, FakeVLLM, Says
from tests.pages import PAGES, cited
from tests.rows import rows, state_of

DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
LIVER = "Too much paracetamol can damage the liver, even if you feel well"
ASKED = "How much paracetamol can adults take?"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Agent]:
    """An agent with resources of its own, as another process would have."""
    async with open_resources(settings, FakeEmbedder()) as resources:
        yield Agent(resources)


async def assert_quotes_stand_in_their_documents(agent: Agent, answer: Answer) -> None:
    async with agent.resources.database.begin() as connection:
        rows = await connection.execute(text("select id, text from documents"))
        documents = {row.id: row.text for row in rows}
    for citation in answer.citations:
        assert all(part in documents[citation.document_id] for part in citation.quote.split(" … "))


def prompt(request: Body) -> str:
    return str(request["messages"][1]["content"])


async def test_a_supported_draft_is_answered_with_citations_numbered_as_they_appear(
    agent: Agent, vllm: FakeVLLM
) -> None:
    vllm.says(cited(f"{LIVER} [damage the liver]. {DOSE} [every 4 to 6 hours]."))
    answer = await agent.ask(ASKED)
    assert answer.text == f"{LIVER} [1]. {DOSE} [2]."
    assert answer.status == "answered"
    assert [(c.marker, c.heading, c.quote) for c in answer.citations] == [
        (1, "Warnings", f"{LIVER}."),
        (2, "Dose", f"{DOSE}."),
    ]
    assert answer.citations[0].sources[0]["publisher"] == "NHS"
    assert answer.citations[0].reviewed == "2026-11-01"
    assert (answer.support.sentences, answer.support.supported, answer.support.removed) == (2, 2, 0)
    assert answer.trace.problems == [] and answer.trace.revisions == 0
    assert answer.trace.tokens["calls"] == 2 and 0.3 < answer.confidence <= 1
    await assert_quotes_stand_in_their_documents(agent, answer)


async def test_an_answer_is_valid_by_its_json_schema(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]."))
    answer = await agent.ask(ASKED)
    jsonschema.validate(json.loads(answer.model_dump_json()), Answer.model_json_schema())


async def test_all_calls_of_a_thread_carry_its_session_and_no_name(agent: Agent, vllm: FakeVLLM) -> None:
    for thread in ("anna-1", "anna-1", "ben-1"):
        vllm.says(cited(f"{DOSE} [every 4 to 6 hours]."))
        await agent.ask(ASKED, thread=thread)
    assert len(vllm.sessions) == len(vllm.requests) and len(set(vllm.sessions)) == 2
    assert all(len(session) == 32 and "anna" not in session for session in vllm.sessions)


async def test_a_wrong_marker_is_put_right_by_code_alone(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [Call an ambulance]."))
    answer = await agent.ask(ASKED)
    assert answer.text == f"{DOSE} [1]." and answer.citations[0].heading == "Dose"
    assert answer.trace.revisions == 1 and len(vllm.written) == 1


async def test_a_revision_with_fewer_violations_is_kept(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(
        cited(f"{DOSE} [every 4 to 6 hours]. Paracetamol cures migraine [every 4 to 6 hours]."),
        cited(f"{DOSE} [every 4 to 6 hours]. {LIVER} [damage the liver]."),
    )
    answer = await agent.ask(ASKED)
    assert answer.text == f"{DOSE} [1]. {LIVER} [2]." and answer.trace.revisions == 1
    assert '"Paracetamol cures migraine."' in vllm.written[1]["messages"][-1]["content"]


async def test_a_revision_that_is_no_better_is_dropped(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(
        cited(f"{DOSE} [every 4 to 6 hours]. Paracetamol cures migraine [every 4 to 6 hours]."),
        cited("Paracetamol cures migraine [every 4 to 6 hours]. Paracetamol cures asthma [damage the liver]."),
    )
    answer = await agent.ask(ASKED)
    assert answer.text == f"{DOSE} [1]." and len(vllm.written) == 2


async def test_what_still_fails_after_the_last_revision_is_taken_out(agent: Agent, vllm: FakeVLLM) -> None:
    wrong = "Paracetamol cures migraine [every 4 to 6 hours]."
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours]. {wrong}")
    answer = await agent.ask(ASKED)
    assert answer.text == f"{DOSE} [1]." and answer.status == "answered"
    assert (answer.support.sentences, answer.support.supported, answer.support.removed) == (2, 1, 1)


async def test_if_nothing_stands_the_passages_themselves_answer(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited("Paracetamol cures migraine for ever [every 4 to 6 hours].")
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only" and "migraine" not in answer.text
    assert f"{DOSE} [" in answer.text
    support = answer.support
    assert support.removed == 1 and support.sentences == support.supported + 1
    await assert_quotes_stand_in_their_documents(agent, answer)


async def test_a_draft_without_hope_is_cut_off_and_not_refined(agent: Agent, vllm: FakeVLLM) -> None:
    hopeless = " ".join(f"Migraine number {n} is cured by magnets and copper bracelets." for n in range(40))
    vllm.says(Says(hopeless, each=0.01))  # slower than the audit, on a busy machine too
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only" and len(vllm.requests) == 1
    assert answer.support.removed < 40 and answer.trace.problems == []


async def test_what_is_proven_but_answers_something_else_is_no_answer(agent: Agent, vllm: FakeVLLM) -> None:
    beside = "Children aged 6 to 8 years can take 250 mg of paracetamol up to 4 times in 24 hours"
    vllm.default = cited(
        f"Ibuprofen can irritate the stomach and cause ulcers [irritate the stomach]. {beside} [250 mg]."
    )
    answer = await agent.ask("What are the symptoms of type 2 diabetes?")
    assert answer.status != "answered" and "Ibuprofen" not in answer.text and "250 mg" not in answer.text


async def test_leave_from_a_passage_on_another_medicine_is_no_answer(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited("Yes, it can be taken in pregnancy [lowest dose].")
    answer = await agent.ask("Can I take ibuprofen in pregnancy?")
    assert answer.status == "evidence_only" and "can be taken" not in answer.text
    assert "about something else" in vllm.written[1]["messages"][-1]["content"]


async def test_a_draft_that_begins_again_is_cut_off_and_told_once(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]. {LIVER} [damage the liver].\n\n" * 30))
    answer = await agent.ask(ASKED, max_words=1000)
    assert answer.text.count(DOSE) == 1 and answer.support.sentences == 2
    assert answer.trace.tokens["completion"] < 15 * len(f"{DOSE} {LIVER}".split())


async def test_the_critics_objection_counts_if_its_quote_stands_in_the_passage(agent: Agent, vllm: FakeVLLM) -> None:
    kept, objected = f"{LIVER} [damage the liver].", f"{DOSE} [every 4 to 6 hours]."
    vllm.says(cited(f"{kept} {objected}"), cited(kept))
    vllm.forms["Audit"] = objects("condition_left_out", "Leave at least 4 hours between doses")
    answer = await agent.ask(ASKED)
    assert "condition left out" in vllm.written[1]["messages"][-1]["content"]
    assert answer.text == f"{LIVER} [1]."


async def test_the_critics_invented_quote_is_ignored(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]."))
    vllm.forms["Audit"] = objects("contradicted", "adults must never take paracetamol", sentence=1)
    answer = await agent.ask(ASKED)
    assert answer.status == "answered" and len(vllm.written) == 1


def objects(kind: str, quote: str, sentence: int = 2) -> str:
    return json.dumps({"objections": [{"sentence": sentence, "kind": kind, "quote": quote}]})


async def test_a_question_about_something_else_is_declined_without_a_draft(agent: Agent, vllm: FakeVLLM) -> None:
    answer = await agent.ask("What is the capital of France?")
    assert answer.status == "declined" and answer.trace.route == "outside"
    assert vllm.written == [] and answer.citations == []


async def test_small_talk_is_answered_without_passages_and_without_claims(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says("Hello, how can I help you? Paracetamol cures migraine.")
    answer = await agent.ask("How are you?")
    assert answer.status == "answered" and answer.text == "Hello, how can I help you?"
    assert "PASSAGES" not in prompt(vllm.requests[0]) and vllm.filled("Audit") == []


async def test_where_router_and_model_disagree_the_library_is_searched(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Routing"] = '{"route": "outside"}'
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]."))
    answer = await agent.ask("paracetamol tablets dose adults")
    assert len(vllm.filled("Routing")) == 1
    assert answer.trace.route == "evidence" and answer.status == "answered"


async def test_a_follow_up_is_made_to_stand_alone_before_the_search(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]."), cited("Ibuprofen can harm the kidneys of the baby [kidneys]."))
    await agent.ask("Can I take ibuprofen?", thread="t")
    standalone = "Can I take ibuprofen in pregnancy?"
    vllm.forms["Searches"] = json.dumps({"question": standalone, "searches": ["ibuprofen pregnancy"]})
    await agent.ask("What about it in pregnancy?", thread="t")
    assert "Can I take ibuprofen?" in vllm.filled("Searches")[0]["messages"][0]["content"]
    last = prompt(vllm.written[-1])
    assert "Ibuprofen – In pregnancy" in last and "Question: Can I take ibuprofen?" in last
    kept = await state_of(agent)
    assert (kept["before"], kept["history"]) == ([], [])  # the turns' table has them


async def test_a_follow_up_goes_where_its_thread_went(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = Says(status=500)
    vllm.forms["Routing"] = '{"route": "outside"}'
    await agent.ask("How is gout treated?", thread="gout")
    more = await agent.ask("Tell me more about it", thread="gout")
    assert more.trace.route == "evidence" and {citation.title for citation in more.citations} == {"Gout"}
    assert vllm.filled("Routing") == []
    await agent.ask("What is the capital of France?", thread="france")
    assert (await agent.ask("and what else is there?", thread="france")).trace.route == "outside"


async def test_the_slips_of_a_follow_ups_thread_are_put_right_too(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = Says(status=500)
    await agent.ask("What are the symptoms of diabettes?", thread="t")
    await agent.ask("is it dangerous?", thread="t")
    assert (await state_of(agent))["standalone"] == "is diabetes dangerous?"


async def test_a_rewriting_that_adds_a_word_of_its_own_is_not_used(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    await agent.ask(ASKED, thread="t")
    vllm.forms["Searches"] = json.dumps({"question": "Is gout curable?", "searches": ["gout"]})
    await agent.ask("How much of it is too much?", thread="t")
    assert "Gout" not in prompt(vllm.written[-1])


async def test_what_the_library_does_not_cover_is_left_unanswered(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "Malaria tablets are safe."
    answer = await agent.ask("Which malaria prophylaxis suits Kenyan highlands?")
    assert answer.status == "unverified" and answer.citations == []
    assert "Malaria" not in answer.text


@pytest.mark.parametrize(
    "thought",
    [
        lambda said: Says(reasoning="The reader is an adult.", text=said),
        lambda said: f"<think>The reader is an adult.</think>{said}",
        lambda said: f"The reader is an adult.</think>{said}",
    ],
    ids=["field", "inline", "opened by the template"],
)
async def test_only_clinicians_see_what_the_model_thought(agent: Agent, vllm: FakeVLLM, thought: object) -> None:
    assert callable(thought)
    vllm.default = lambda request: thought(cited(f"{DOSE} [every 4 to 6 hours].")(request))
    for_patient = await agent.ask(ASKED)
    for_clinician = await agent.ask(ASKED, audience="clinician", reasoning=True)
    assert for_patient.text == for_clinician.text == f"{DOSE} [1]."
    assert for_patient.reasoning is None
    assert for_clinician.reasoning == "The reader is an adult."
    assert "a clinician" in vllm.written[1]["messages"][0]["content"]


async def test_a_thought_without_end_is_no_answer(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = f"<think>Perhaps {LIVER}."
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only"
    assert "Perhaps" not in answer.model_dump_json()
    assert answer.trace.problems == ["draft: The model answered with nothing."]


@pytest.mark.parametrize("words", [25, 40, 60])
async def test_max_words_drops_whole_sentences(agent: Agent, vllm: FakeVLLM, words: int) -> None:
    sentences = [
        f"{DOSE} [every 4 to 6 hours].",
        f"{LIVER} [damage the liver].",
        "Leave at least 4 hours between doses of paracetamol [every 4 to 6 hours].",
        "Call an ambulance at once if someone has taken too much paracetamol [Call an ambulance].",
    ]
    vllm.default = cited(" ".join(sentences))
    answer = await agent.ask(ASKED, max_words=words)
    kept = [s for s in sentences if s.partition(" [")[0] in answer.text]
    assert kept == sentences[: len(kept)] != [] and answer.text.endswith("].")
    assert len(answer.text.split()) <= words + answer.text.count("[")
    assert f"at most {words} words" in prompt(vllm.written[0])


async def test_a_sentence_that_the_token_limit_cut_is_dropped(agent: Agent, vllm: FakeVLLM) -> None:
    long = "Paracetamol (acetaminophen) is a medicine for mild to moderate pain and for fever and for cough and for flu"
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours]. {long}")
    answer = await agent.ask(ASKED, max_words=20)
    assert answer.text == f"{DOSE} [1]." and answer.support.removed == 0


async def test_evidence_only_keeps_max_words_too(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    answer = await agent.ask(ASKED, max_words=25)
    assert answer.status == "evidence_only" and len(answer.text.split()) <= 25 + answer.text.count("[")


async def test_a_thread_goes_on_after_a_restart(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    async with opened(settings) as agent:
        await agent.ask(ASKED, thread="t")
    async with opened(settings) as agent:
        await agent.ask("How much paracetamol can adults take in 24 hours?", thread="t")
        turns = await agent.resources.threads.turns(Identity("main", "me"), "t")
    assert f"Question: {ASKED}\nAnswer: {DOSE} [1]." in prompt(vllm.written[-1])
    assert [turn.status for turn in turns] == ["done", "done"]


async def test_a_thread_remembers_as_many_turns_as_the_settings_say(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = "Hello."
    async with opened(settings.model_copy(update={"history_turns": 1})) as agent:
        for greeting in ("Hello", "Good morning", "How are you?"):
            await agent.ask(greeting, thread="t")
    last = prompt(vllm.requests[-1])
    assert "Question: Good morning" in last and "Question: Hello" not in last


async def test_a_courtesy_and_facts_told_need_no_draft(agent: Agent, vllm: FakeVLLM) -> None:
    thanks = await agent.ask("¡Muchas gracias!")
    noted = await agent.ask("I am allergic to penicillin and I take lisinopril.")
    assert thanks.text.startswith("De nada.") and thanks.status == "answered"
    assert noted.text.startswith("Noted: allergy to penicillin; takes lisinopril.") and noted.status == "answered"
    assert vllm.written == [] and noted.safety.risk_level == 0


async def test_a_new_thread_knows_nothing_of_another(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    await agent.ask(ASKED, thread="one")
    await agent.ask(ASKED, thread="two")
    assert "EARLIER" not in prompt(vllm.written[-1])


async def test_a_forgotten_thread_leaves_nothing_behind(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited(f"{DOSE} [every 4 to 6 hours].")
    await agent.ask(ASKED, thread="t")
    await agent.forget("t", "me")
    for table in ("threads", "turns", "checkpoints.checkpoints", "checkpoints.checkpoint_blobs"):
        assert await rows(agent.resources.database, f"select count(*) from {table}") == [(0,)]


async def test_the_events_of_a_turn_come_in_order_and_end_with_the_answer(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]. Paracetamol cures migraine [every 4 to 6 hours]."))
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]."))
    events = [event async for event in agent.stream(ASKED)]
    steps = [event.data["name"] for event in events if event.name == "step" and event.data["state"] == "finished"]
    assert steps == [
        "recall",
        "triage",
        "router",
        "rewrite",
        "retrieve",
        "draft",
        "critique",
        "refine",
        "critique",
        "respond",
    ]
    assert [event.name for event in events if event.name != "step"] == ["evidence", "answer", "citations", "done"]
    evidence = next(event for event in events if event.name == "evidence")
    assert {passage["title"] for passage in evidence.data["passages"]} <= {title for title, _, _ in PAGES.values()}
    Answer.model_validate(events[-1].data)
