"""Questions in other words than the library's in whole turns: what is searched for, asked of the model, and said."""

import json
from pathlib import Path

import pytest

from primum.graph.agent import Agent
from primum.graph.errors import BadInput
from primum.graph.resources import open_resources
from primum.graph.rules import rules_in_use
from primum.graph.settings import Settings, read_settings
from primum.nodes.respond import NOTHING, QUOTED_IN_ENGLISH, SAID
from primum.retrieval.terms import expand
from tests.fakes import FakeEmbedder, FakeVLLM, Says

DOWN = Says(status=500)
HEAD = "term,language,standard,kind,source,needs,licence\n"


@pytest.mark.parametrize(
    ("question", "language"), [("痛风怎么治？", "zh"), ("¿Cómo se trata la gota?", "es")], ids=["zh", "es"]
)
async def test_without_a_model_a_question_gets_the_english_quotes_and_is_told_so(
    agent: Agent, vllm: FakeVLLM, question: str, language: str
) -> None:
    vllm.default = DOWN
    answer = await agent.ask(question)
    assert answer.status == "evidence_only" and answer.citations[0].title == "Gout"
    assert answer.text.startswith(QUOTED_IN_ENGLISH[language])  # type: ignore[index]
    assert vllm.filled("Routing") == [] and vllm.filled("Searches") == []


async def test_where_nothing_is_found_it_is_said_in_the_askers_language(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = DOWN
    answer = await agent.ask("破伤风？")
    assert answer.status == "unverified" and answer.text == SAID["zh"][NOTHING]


async def test_the_model_is_asked_to_translate_what_the_terms_do_not_cover(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = DOWN
    vllm.forms["Searches"] = json.dumps({"question": "gout pain", "searches": ["gout"]})
    answer = await agent.ask("昨夜里脚丫子突如其来地剧烈作痛，像从前的痛风那样折磨得整宿难眠")
    (asked,) = vllm.filled("Searches")
    assert "in English" in asked["messages"][0]["content"]
    assert {citation.title for citation in answer.citations} <= {"Gout"}


async def test_a_misspelt_word_is_searched_for_as_the_librarys_word_too(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = DOWN
    answer = await agent.ask("How much paracetamoll a day is the maximum dose?")
    assert "Paracetamol" in {citation.title.split(" ")[0] for citation in answer.citations}


async def test_a_damaged_table_of_terms_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "terms").mkdir()
    (tmp_path / "terms" / "bad.csv").write_text(HEAD + "a,en,,synonym,c,,d\n")
    damaged = settings.model_copy(update={"terms": tmp_path / "terms"})
    with pytest.raises(BadInput, match=r"PRIMUM_TERMS.*bad.csv, line 2: no standard"):
        async with open_resources(damaged, FakeEmbedder()):
            pass
    with pytest.raises(BadInput, match="PRIMUM_TERMS"), rules_in_use(read_settings(terms=tmp_path / "x")):
        pass


def test_terms_lie_in_the_home_unless_a_folder_is_set(tmp_path: Path) -> None:
    home = read_settings(home=tmp_path)
    (tmp_path / "terms").mkdir()
    row = "Huntington chorea,en,Huntington disease,synonym,MeSH D006816,,public domain\n"
    (tmp_path / "terms" / "x.csv").write_text(HEAD + row)
    with rules_in_use(home):
        assert expand("Huntington chorea").standard == "Huntington disease"
    assert expand("Huntington chorea").terms == ()
