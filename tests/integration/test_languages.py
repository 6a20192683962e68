"""Questions in Chinese and Spanish to an English library, without a model: quotes, cited, and said to be in English."""

import pytest

from primum.graph.agent import Agent
from primum.nodes.respond import QUOTED_IN_ENGLISH


@pytest.fixture
def model_url() -> str:
    """Nobody listens there."""
    return "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("question", "language"),
    [("2型糖尿病有哪些症状？", "zh"), ("¿Cuáles son los síntomas de la diabetes tipo 2?", "es")],
)
async def test_symptoms_are_told_by_the_librarys_own_sentences(agent: Agent, question: str, language: str) -> None:
    answer = await agent.ask(question)
    assert answer.status == "evidence_only"
    assert answer.text.startswith(QUOTED_IN_ENGLISH[language])  # type: ignore[index]
    assert "thirst" in answer.text.lower() and "[1]" in answer.text
    assert answer.citations[0].title == "Type 2 diabetes"


@pytest.mark.parametrize(
    ("first", "second"),
    [("痛风怎么治？", "那怀孕的人呢？"), ("¿Cómo se trata la gota?", "¿y para embarazadas?")],
)
async def test_a_follow_up_is_about_what_was_asked_before(agent: Agent, first: str, second: str) -> None:
    thread = f"follow-up-{len(first)}"
    await agent.ask(first, thread=thread)
    answer = await agent.ask(second, thread=thread)
    assert answer.status == "evidence_only"
    assert {citation.title for citation in answer.citations} & {"Gout", "Ibuprofen"}


async def test_what_is_not_understood_is_left_unanswered(agent: Agent) -> None:
    answer = await agent.ask("被蜱虫叮了怎么把它拔出来？")
    assert answer.status == "unverified" and not answer.citations
    assert "资料库" in answer.text
