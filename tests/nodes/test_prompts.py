"""The model's instructions, as it gets them. A changed prompt changes its file in `prompts/` here: read both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from primum.graph.agent import Agent
from primum.nodes.prompts import hashes, render
from tests.fakes import FakeVLLM
from tests.pages import cited


@dataclass
class Shown:
    """What a prompt shows of a passage."""

    title: str
    heading: str
    text: str


PASSAGES = [
    (1, Shown("Gout", "Treatment", "Ibuprofen or colchicine treats gout.")),
    (3, Shown("Gout", "", "Gout is a <painful> arthritis & common.")),
]
HISTORY = [{"question": "What is gout?", "answer": "Gout is a painful arthritis [1]."}]
FINDINGS = [
    {"sentence": "Colchicine cures gout.", "advice": "says cures, which its passage does not."},
    {"sentence": "Take 5 mg.", "advice": "has no marker."},
]
QUESTION = "What treats it?"
FACTS = [{"text": "allergy to penicillin (severe, swelling)"}, {"text": "warfarin 5 mg once daily"}]
SUMMARY = {"asked": ["Is gout hereditary?"], "advised": ["It runs in some families."], "open": ["A blood test."]}
NEW: dict[str, Any] = {"facts": [], "summary": {}, "history": []}
WARNINGS = ["Ibuprofen with warfarin: bleeding. Use paracetamol."]

RENDERED: dict[str, tuple[str, dict[str, Any]]] = {
    "look": ("look", {}),
    "system-patient": ("system", {"audience": "patient"}),
    "system-clinician": ("system", {"audience": "clinician"}),
    "draft": (
        "draft",
        {
            "passages": PASSAGES,
            "facts": FACTS,
            "summary": SUMMARY,
            "history": HISTORY,
            "question": QUESTION,
            "warnings": WARNINGS,
            "max_words": 200,
        },
    ),
    "work_up": (
        "work_up",
        {
            "passages": PASSAGES,
            "facts": FACTS,
            "summary": SUMMARY,
            "history": HISTORY,
            "question": "58-year-old man, painful toe",
            "warnings": WARNINGS,
        },
    ),
    "mend": ("mend", {"findings": FINDINGS}),
    "draft-first-turn": (
        "draft",
        {"passages": PASSAGES, **NEW, "question": QUESTION, "warnings": [], "max_words": 200},
    ),
    "draft-chat": ("draft", {"passages": [], **NEW, "question": "Hello", "warnings": [], "max_words": 200}),
    "critique": ("critique", {}),
    "refine": ("refine", {"findings": FINDINGS}),
    "rewrite": ("rewrite", {"history": HISTORY, "question": QUESTION}),
    "rewrite-first-turn": ("rewrite", {"history": [], "question": QUESTION}),
    "further": (
        "further",
        {"question": QUESTION, "searches": ["gout", "gout treatment"], "seen": ["Gout: Treatment", "Gout"]},
    ),
    "further-nothing-found": ("further", {"question": QUESTION, "searches": ["gout"], "seen": []}),
    "router": ("router", {"question": QUESTION}),
    "act": ("act", {"question": QUESTION, "outcomes": ['{"tool": "work_out", "told": ["**3 × 12 = 36**."]}']}),
    "act-first-round": ("act", {"question": QUESTION, "outcomes": []}),
    "summarise": ("summarise", {"sentences": [(1, "Rest the joint."), (2, "Drink water.")], "most": 8}),
    "remember": ("remember", {"message": "I pop a naproxen on bad days. What treats it?"}),
}


@pytest.mark.parametrize("case", RENDERED)
def test_the_prompt_reads_as_its_snapshot(case: str) -> None:
    name, values = RENDERED[case]
    assert render(name, **values) + "\n" == (Path(__file__).parent / "prompts" / f"{case}.md").read_text()


@pytest.mark.parametrize("case", RENDERED)
def test_a_value_that_is_missing_is_an_error(case: str) -> None:
    name, values = RENDERED[case]
    for left_out in values:
        if left_out == "max_words" and not values.get("passages", True):
            continue  # small talk has no length to keep
        with pytest.raises(UndefinedError, match=left_out):
            render(name, **{key: value for key, value in values.items() if key != left_out})


def test_every_prompt_has_a_snapshot_and_a_hash() -> None:
    assert set(hashes()) == {name for name, _ in RENDERED.values()}
    assert all(len(digest) == 12 for digest in hashes().values())


async def test_critique_and_refine_begin_with_the_messages_of_the_draft(agent: Agent, vllm: FakeVLLM) -> None:
    good = "Ibuprofen or colchicine treats an attack of gout [colchicine]."
    vllm.says(cited(f"{good} Colchicine cures asthma [colchicine]."), cited(good))
    await agent.ask("What treats an attack of gout?")
    draft, refine = (body["messages"] for body in vllm.written)
    (critique,) = (body["messages"] for body in vllm.filled("Audit"))
    assert len(draft) == 2 and critique[:2] == refine[:2] == draft
