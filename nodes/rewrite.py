"""rewrite: reads the question and the thread, writes a question that stands alone and the searches for it."""

import re

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.state import State
from primum.nodes.prompts import render
from primum.safety.lexicon import named
from primum.safety.populations import populations
from primum.safety.words import claims

LONG = 40  # words: a question of this length is a story, and a story is no search
# Words that point back into the conversation.
_POINTS_BACK = re.compile(
    r"\b(?:it|its|that|this|these|those|they|them|he|she|him|her|there|one|ones|same|instead|too|also|else|more)\b"
    r"|^\W*(?:and|but|or|so|then|(?:what|how) (?:about|if))\b",
    re.IGNORECASE,
)


class Searches(BaseModel):
    """A question that stands alone, and the searches that answer it."""

    question: str = Field(max_length=600)
    searches: list[str] = Field(min_length=1, max_length=3)


async def rewrite(state: State, runtime: Runtime[Context]) -> State:
    written = await _rewritten(state, runtime)
    # A case is described by its signs, and a library by its conditions: both are looked for.
    signs = state.get("signs", []) if state.get("report", {}).get("disposition") in ("emergency", "urgent") else []
    return {**written, "queries": list(dict.fromkeys([*written["queries"], *signs]))[:3]}


async def _rewritten(state: State, runtime: Runtime[Context]) -> State:
    question, history = state["question"], state.get("history", [])
    short = len(question.split()) <= LONG
    if short and not (history and points_back(question)):
        return State(standalone=question, queries=_with_substances(question))
    prompt = render("rewrite", question=question, history=history)
    written = await runtime.context.router.fill([("user", prompt)], Searches, max_tokens=300)
    return grounded(written, state)


def points_back(question: str) -> bool:
    """Whether a question leans on what was said before.

    By a pronoun or an opening "and"; or it names nothing of its own to search for: no claiming word, or one alone
    that is a group of people ("in pregnancy?") or something known already ("the dose").
    """
    own = claims(question)
    if _POINTS_BACK.search(question) or not own:
        return True
    return len(own) == 1 and bool(populations(question) or re.search(rf"\bthe {own[0]}", question, re.IGNORECASE))


def grounded(written: Searches, state: State) -> State:
    """The model's rewriting where it adds no word of its own; else the plain one."""
    said = " ".join([state["question"], *(f"{e['question']} {e['answer']}" for e in state.get("history", []))])
    known = set(claims(said)) | {word for name in named(said).values() for word in claims(name)}
    plain = fallback(state)
    if set(claims(written.question)) - known:
        return plain
    searches = [text for text in written.searches if claims(text) and not set(claims(text)) - known]
    return State(standalone=written.question, queries=list(dict.fromkeys([written.question, *searches]))[:3])


def fallback(state: State) -> State:
    """Without a model: the question, and for a follow-up the question before it as well."""
    question, history = state["question"], state.get("history", [])
    if history and points_back(question):
        question = f"{history[-1]['question']} {question}"
    return State(standalone=question, queries=_with_substances(question))


def _with_substances(question: str) -> list[str]:
    """The question, and a second search by substance where it names brands ("Nurofen" → ibuprofen)."""
    text = question
    for written, name in named(question).items():
        text = re.sub(rf"\b{re.escape(written)}\b", name, text, flags=re.IGNORECASE)
    return list(dict.fromkeys([question, text]))
