"""What breaks, and what the reader gets then."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from primum.graph.agent import Agent
from primum.graph.errors import BadInput, RetrievalFailed, ThreadBusy, UnknownThread
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.memory.identity import Identity
from primum.retrieval.search import Retriever
from tests.fakes import HANGS, Body, FakeEmbedder, FakeVLLM, Reply, Says
from tests.pages import cited

DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
ME = Identity("main", "me")
GOOD = cited(f"{DOSE} [every 4 to 6 hours].")
ASKED = "How much paracetamol can adults take?"

LATE = "The model did not answer in time."
BROKEN = "The model server can't be reached, or broke off."
CUT = "The model server broke off."
NONSENSE = "The model server sent what is no answer."
EMPTY = "The model answered with nothing."

FAULTS: dict[str, tuple[Reply, str]] = {
    "refuses": (Says(status=500), "The model server answered with HTTP 500."),
    "has no such model": (Says(status=404), "The model server does not serve primum."),
    "is overloaded": (Says(status=503), "The model server answered with HTTP 503."),
    "is killed in mid-stream": (Says(f"{DOSE} [1].", breaks_after=5), BROKEN),
    "repeats itself": ("take one tablet, and then " * 5000, "The model repeated itself without end."),
    "says nothing": ("", EMPTY),
    "thinks without end": (Says("<think> I see " + "a b " * 20), EMPTY),
    "thinks and says nothing": (Says(reasoning="I see."), EMPTY),
    "ends early": (Says(raw="data: [DONE]\n\n"), NONSENSE),
    "sends nothing": (Says(raw=""), NONSENSE),
    "sends HTML": (Says(raw="<html>Bad gateway</html>"), NONSENSE),
    "sends half of a JSON": (Says(raw='data: {"choices": [\n\n'), NONSENSE),
    "sends a list": (Says(raw="data: [1, 2]\n\n"), NONSENSE),
    "sends a word": (Says(raw='data: "hello"\n\n'), NONSENSE),
    "sends no choices": (Says(raw='data: {"id": "1", "choices": null}\n\ndata: [DONE]\n\n'), CUT),
    "sends an error as an event": (Says(raw='data: {"error": {"message": "CUDA", "code": 500}}\n\n'), NONSENSE),
}
SLOW = {
    "hangs": HANGS,
    "hangs in mid-stream": Says("a b", each=3600),
    "drips": Says("word " * 5000, each=0.05),
}


@pytest.fixture
async def hurried(settings: Settings) -> AsyncIterator[Agent]:
    """An agent whose turn takes two seconds at most; a model call gets about one of them."""
    async with open_resources(settings.model_copy(update={"turn_timeout": 2}), FakeEmbedder()) as resources:
        yield Agent(resources)


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_passages_answer_where_the_model(agent: Agent, vllm: FakeVLLM, fault: str) -> None:
    said, reason = FAULTS[fault]
    vllm.default = said
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only" and f"{DOSE} [" in answer.text
    assert answer.trace.problems == [f"draft: {reason}"]


@pytest.mark.parametrize("fault", SLOW)
async def test_the_passages_answer_in_time_where_the_model(hurried: Agent, vllm: FakeVLLM, fault: str) -> None:
    vllm.default = SLOW[fault]
    async with asyncio.timeout(30):
        answer = await hurried.ask(ASKED)
    assert answer.status == "evidence_only" and f"{DOSE} [" in answer.text
    assert answer.trace.problems == [f"draft: {LATE}"]


async def test_a_server_that_is_not_listened_to_any_more_is_told_so(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = Says("Take one tablet, and then " * 5000, each=0.02)
    await agent.ask(ASKED)
    assert await asyncio.to_thread(vllm.abandoned.wait, 10)


async def test_without_a_model_server_the_passages_answer(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.stop()
    answer = await agent.ask(ASKED)
    assert answer.status == "evidence_only" and answer.trace.problems == [f"draft: {BROKEN}"]


async def test_a_model_server_that_comes_back_is_used_again(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.stop()
    assert (await agent.ask(ASKED)).status == "evidence_only"
    vllm.start()
    vllm.says(GOOD)
    assert (await agent.ask(ASKED)).status == "answered"


@pytest.mark.parametrize("fault", [Says(status=500), Says(f"{DOSE} [1].", breaks_after=5)])
async def test_one_short_fault_is_tried_again_and_leaves_no_trace(agent: Agent, vllm: FakeVLLM, fault: Says) -> None:
    vllm.says(fault, GOOD)
    answer = await agent.ask(ASKED)
    assert answer.status == "answered" and answer.trace.problems == []


async def test_a_form_that_is_not_filled_is_asked_for_once_more(agent: Agent, vllm: FakeVLLM) -> None:
    forms = iter(["Sure! Here it is: {", '{"objections": []}'])
    vllm.forms["Audit"] = lambda _: next(forms)
    vllm.says(GOOD)
    answer = await agent.ask(ASKED)
    assert answer.status == "answered" and answer.trace.problems == []
    assert "That is not valid" in vllm.filled("Audit")[1]["messages"][-1]["content"]


@pytest.mark.parametrize("filled", ["no", "{}", '{"objections": [{"sentence": 0}]}', "[]", '{"objections": 1}'])
async def test_a_critic_that_never_fills_its_form_is_done_without(agent: Agent, vllm: FakeVLLM, filled: str) -> None:
    vllm.forms["Audit"] = filled
    vllm.says(GOOD)
    answer = await agent.ask(ASKED)
    assert answer.status == "answered" and answer.text == f"{DOSE} [1]."
    assert answer.trace.problems == ["critique: The critic did not fill its form, also when asked twice."]


async def test_a_router_that_answers_nonsense_sends_the_question_to_the_library(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.forms["Routing"] = '{"route": "elsewhere"}'
    vllm.says(GOOD)
    answer = await agent.ask("paracetamol tablets dose adults")
    assert answer.status == "answered"
    assert answer.trace.problems == ["router: The router did not fill its form, also when asked twice."]


async def test_without_a_rewriting_the_question_before_helps_the_search(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    vllm.forms["Searches"] = "no"
    await agent.ask(ASKED, thread="t")
    answer = await agent.ask("And how often?", thread="t")
    assert answer.text == f"{DOSE} [1]."
    assert answer.trace.problems == ["rewrite: The router did not fill its form, also when asked twice."]


async def test_if_refining_fails_what_stands_is_kept(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.says(cited(f"{DOSE} [every 4 to 6 hours]. Paracetamol cures migraine [every 4 to 6 hours]."))
    answer = await agent.ask(ASKED)
    assert answer.text == f"{DOSE} [1]." and answer.status == "answered"
    assert answer.trace.problems == ["refine: The model server answered with HTTP 500."]


async def test_with_another_embedder_than_the_librarys_no_answer_is_pretended(settings: Settings) -> None:
    async with open_resources(settings, FakeEmbedder("other", 32)) as resources:
        answer = await Agent(resources).ask(ASKED)
    assert answer.status == "unverified" and answer.trace.problems[0].startswith("retrieve: ")
    assert "can't be searched" in answer.text


class Leaving(FakeEmbedder):
    """Is gone once the library was searched."""

    searched = False

    def embed_queries(self, texts: Sequence[str]) -> list[list[float]]:
        self.searched = True
        return super().embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        if self.searched:
            raise RetrievalFailed("The embeddings endpoint can't be reached.")
        return super().embed_passages(texts)


async def test_an_embedder_that_leaves_with_the_model_is_said_to_and_the_turn_ends(settings: Settings) -> None:
    async with open_resources(settings, Leaving()) as resources:
        answer = await Agent(resources).ask(ASKED)
    assert answer.status == "unverified" and "can't be searched" in answer.text
    assert answer.trace.problems[-1] == "respond: The embeddings endpoint can't be reached."


async def test_a_last_step_that_fails_is_not_gone_to_again(
    agent: Agent, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm.default = GOOD
    tried = []

    async def version(_: Retriever) -> str:
        tried.append(1)
        raise RetrievalFailed("no version")

    monkeypatch.setattr(Retriever, "version", version)
    with pytest.raises(RetrievalFailed):
        await agent.ask(ASKED)
    assert len(tried) == 2  # rewrite goes on without it, respond can not


class Broken(FakeEmbedder):
    """Fails at the search as no error of ours would."""

    def embed_queries(self, texts: object) -> list[list[float]]:
        raise RuntimeError("out of memory")


async def test_an_unforeseen_error_fails_the_turn_and_frees_the_thread(settings: Settings, vllm: FakeVLLM) -> None:
    async with open_resources(settings, Broken()) as resources:
        agent = Agent(resources)
        with pytest.raises(RuntimeError):
            await agent.ask(ASKED, thread="t")
        (turn,) = await resources.threads.turns(ME, "t")
        assert (turn.status, turn.error) == ("failed", "RuntimeError")
        events = [event async for event in agent.stream(ASKED, thread="t")]
        assert events[-1].name == "error" and "out of memory" not in str(events[-1].data)


# A process that dies


async def outlive(agent: Agent) -> None:
    """Makes every running turn older than a living process would let it become."""
    async with agent.resources.database.begin_as_worker() as connection:
        await connection.execute(text("update turns set lease_until = now() - interval '1 hour'"))


async def test_a_turn_whose_process_was_killed_is_answered_by_another(
    agent: Agent, settings: Settings, vllm: FakeVLLM
) -> None:
    asked = asyncio.Event()
    vllm.says(tells(asked))
    code = """
import asyncio, sys
from primum.graph.agent import Agent
from primum.graph.resources import open_resources
from primum.graph.settings import read_settings
from tests.fakes import FakeEmbedder

async def main(home, database, model, question):
    settings = read_settings(home=home, database_url=database, model_url=model, turn_timeout=60)
    async with open_resources(settings, FakeEmbedder()) as resources:
        await Agent(resources).ask(question, thread="t", max_words=50)

asyncio.run(main(*sys.argv[1:]))
"""
    assert settings.database_url is not None
    given = [str(settings.home), settings.database_url.get_secret_value(), vllm.url, ASKED]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *given)
    await asyncio.wait_for(asked.wait(), 180)
    process.kill()
    await process.wait()
    assert await agent.recover() == 0  # it might still be alive
    await outlive(agent)
    vllm.default = GOOD
    assert await agent.recover() == 1
    (turn,) = await agent.resources.threads.turns(ME, "t")
    assert turn.status == "done" and turn.answer is not None and turn.answer["text"] == f"{DOSE} [1]."
    assert "at most 50 words" in vllm.written[-1]["messages"][1]["content"]
    assert await agent.recover() == 0


def tells(event: asyncio.Event) -> Callable[[Body], Says]:
    """A reply that hangs, and says so."""
    loop = asyncio.get_running_loop()

    def reply(_: Body) -> Says:
        loop.call_soon_threadsafe(event.set)
        return HANGS

    return reply


async def test_two_processes_never_recover_the_same_turn(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    for number in range(6):
        await agent.resources.threads.admit(ME, uuid4(), f"t{number}", ASKED, {"audience": "patient"})
    await outlive(agent)
    other = Agent(agent.resources)
    assert sum(await asyncio.gather(agent.recover(), other.recover())) == 6
    assert len(vllm.written) == 6


# Threads


async def test_a_second_question_waits_for_the_first(hurried: Agent, vllm: FakeVLLM) -> None:
    asked = asyncio.Event()
    vllm.says(tells(asked))
    first = asyncio.create_task(hurried.ask(ASKED, thread="t"))
    await asked.wait()
    with pytest.raises(ThreadBusy):
        await hurried.ask(ASKED, thread="t")
    with pytest.raises(ThreadBusy):
        await hurried.forget("t", "me")
    vllm.default = GOOD
    assert (await hurried.ask(ASKED, thread="other")).status == "answered"
    assert (await first).status == "evidence_only"
    assert (await hurried.ask(ASKED, thread="t")).status == "answered"


async def test_a_caller_that_gives_up_does_not_take_its_question_along(hurried: Agent, vllm: FakeVLLM) -> None:
    asked = asyncio.Event()
    vllm.says(tells(asked))
    caller = asyncio.create_task(hurried.ask(ASKED, thread="t"))
    await asked.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await hurried.close()
    (turn,) = await hurried.resources.threads.turns(ME, "t")
    assert turn.status == "done"


async def test_another_patients_thread_does_not_exist(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    await agent.ask(ASKED, patient="anna", thread="t")
    for attempt in (
        agent.ask(ASKED, patient="ben", thread="t"),
        agent.forget("t", "ben"),
        agent.resources.threads.turns(Identity("main", "ben"), "t"),
    ):
        with pytest.raises(UnknownThread):
            await attempt
    assert len(await agent.resources.threads.turns(Identity("main", "anna"), "t")) == 1
    assert await agent.resources.threads.of_patient(Identity("main", "ben")) == []


# Bad input

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({"question": ""}, "empty"),
    "blank": ({"question": " \n\t "}, "empty"),
    "only signs": ({"question": "?!… –"}, "empty"),
    "too long": ({"question": "a" * 8001}, "8,000"),
    "a megabyte": ({"question": "a" * 2**20}, "8,000"),
    "half a character": ({"question": "fever \ud83d"}, "position 7"),
    "a null": ({"question": "fever\0"}, r"U\+0000"),
    "an escape": ({"question": "fever \x1b[31m"}, r"U\+001B"),
    "a delete": ({"question": "fever\x7f"}, r"U\+007F"),
    "an empty thread": ({"question": "fever", "thread": ""}, "thread"),
    "a blank in a patient": ({"question": "fever", "patient": "a b"}, "patient"),
    "a long thread": ({"question": "fever", "thread": "t" * 129}, "128"),
    "a foreign letter in a thread": ({"question": "fever", "thread": "fièvre"}, "ASCII"),
}


@pytest.mark.parametrize("given", BAD)
async def test_bad_input_is_refused_with_its_limit_and_nothing_is_stored(
    agent: Agent, vllm: FakeVLLM, given: str
) -> None:
    arguments, said = BAD[given]
    with pytest.raises(BadInput, match=said):
        await agent.ask(**arguments)
    async with agent.resources.database.begin() as connection:
        assert (
            await connection.scalar(text("select (select count(*) from threads) + (select count(*) from turns)")) == 0
        )
    assert vllm.requests == []


@pytest.mark.parametrize(
    "question",
    [
        "扑热息痛的剂量是多少？",
        "ما هي جرعة الباراسيتامول؟",
        "पैरासिटामोल",
        "Сколько парацетамола?",
        "fièvre\n\tà 39 °C 🤒",
    ],
)
async def test_another_script_is_welcome(agent: Agent, vllm: FakeVLLM, question: str) -> None:
    vllm.default = "我不知道。"
    answer = await agent.ask(question, thread="t")
    assert answer.status != "answered"
    (turn,) = await agent.resources.threads.turns(ME, "t")
    assert turn.question == question
