"""rewrite: reads the question and the thread, writes a question that stands alone and the searches for it.

A library is searched in English and in its own words: abbreviations, lay words, brands and slips are searched for as
what they stand for as well, and a Chinese or Spanish question by its terms in English first.
"""

import re
from collections.abc import Sequence

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.errors import RetrievalFailed
from primum.graph.state import Exchange, State
from primum.nodes.examples import telling
from primum.nodes.follow_up import joined, language_of, own_words, points_back, subject_of
from primum.nodes.prompts import render
from primum.retrieval.options import question_only
from primum.retrieval.search import Retriever
from primum.retrieval.terms import Understood, expand, understood_words
from primum.safety.language import detect
from primum.safety.lexicon import named
from primum.safety.words import Bag, claims

LONG = 40  # words: a question of this length is a story, and a story is no search
LONG_CHINESE = 100  # characters
CLEAR = 0.6  # share of a question from which its terms are a translation; below it the model is asked
SEARCHES = 3
_ASKS = re.compile(r"[?？吗呢]|什么|怎么|怎样|如何|哪些|多少|多久|为什么|是不是|能不能")


class Searches(BaseModel):
    """A question that stands alone, and the searches that answer it."""

    question: str = Field(max_length=600)
    searches: list[str] = Field(min_length=1, max_length=3)


async def rewrite(state: State, runtime: Runtime[Context]) -> State:
    written = await _rewritten(state, runtime)
    # A case is described by its signs, and a library by its conditions: both are looked for.
    signs = state.get("signs", []) if state.get("report", {}).get("disposition") in ("emergency", "urgent") else []
    queries = written["queries"]
    both = [*queries[:1], *signs[:1], *queries[1:], *signs[1:]]
    return {**written, "queries": list(dict.fromkeys(both))[:SEARCHES]}


async def _rewritten(state: State, runtime: Runtime[Context]) -> State:
    question, history = state["question"], state.get("history", [])
    asked, library = question_only(question), runtime.context.library
    understood = await spelt(asked, library, history)
    leans = bool(history) and points_back(question, history)
    if not is_long(question) and understood.coverage >= CLEAR and not leans:
        return searched(question, asked, [understood])
    prompt = render("rewrite", question=asked, history=history)
    written = await runtime.context.router.fill([("user", prompt)], Searches, max_tokens=300)
    return grounded(written, state, await plain(state, library))


async def spelt(asked: str, library: Retriever, before: Sequence[Exchange] = ()) -> Understood:
    """What a question says once its slips are put right by the library's words."""
    language = language_of(asked, before)
    return expand((await library.vocabulary()).corrected(asked, language), language)


async def plain(state: State, library: Retriever) -> State:
    """What can be searched for without a model; slips are put right if the library's words can be read."""
    history = state.get("history", [])
    try:
        words = await library.vocabulary()
    except RetrievalFailed:
        return fallback(state)

    def right(text: str) -> str:
        return words.corrected(text, language_of(text, history))

    before = [Exchange(question=right(one["question"]), answer=one["answer"]) for one in history]
    return fallback({**state, "question": right(state["question"]), "history": before})


def is_long(question: str) -> bool:
    return len(question.split()) > LONG or (detect(question) == "zh" and len(question) > LONG_CHINESE)


def grounded(written: Searches, state: State, otherwise: State | None = None) -> State:
    """The model's rewriting where it adds no word of its own and completes a follow-up; else the plain one.

    A standard term for what was said, and its translation, is no word of the model's own; a diagnosis is.
    """
    question, history = state["question"], state.get("history", [])
    texts = [question_only(question), *(f"{e['question']} {e['answer']}" for e in history)]
    said = " ".join(texts)
    known = set(claims(said)) | {word for name in named(said).values() for word in claims(name)}
    known |= understood_words(*texts)
    otherwise = otherwise or fallback(state)
    if set(claims(written.question)) - known or not claims(written.question):
        return otherwise
    language = language_of(question, history)
    if history and points_back(question, history) and not _completes(written.question, expand(texts[0], language)):
        return otherwise
    searches = [text for text in written.searches if claims(text) and not set(claims(text)) - known]
    queries = [written.question, *searches]
    if language == "en":
        return State(standalone=written.question, queries=_first([*queries, expand(written.question, "en").standard]))
    return State(
        standalone=otherwise["standalone"],
        english=written.question,
        queries=_first([*queries, otherwise["standalone"]]),
    )


def _completes(written: str, asked: Understood) -> bool:
    """Whether all that a follow-up says is still there, in its words or in standard terms, and what it is about too."""
    there = Bag.of([written, expand(written, "en").standard])
    kept = any(all(map(there.says, telling(text))) for text in (asked.english, asked.standard))
    said = Bag.of([asked.english, asked.standard])
    return kept and not all(map(said.says, own_words(written)))


def fallback(state: State) -> State:
    """Without a model: the question, and for a follow-up what the thread is about as well."""
    question, history = state["question"], state.get("history", [])
    asked = question_only(question)
    parts = [asked]
    if history and points_back(question, history):
        parts = joined(question_only(subject_of(history)), asked)
        question = " ".join(parts)
    understood = [expand(part, language_of(part, history)) for part in parts]
    return searched(question, " ".join(parts), understood)


def searched(question: str, asked: str, understood: Sequence[Understood]) -> State:
    """The searches for a question that is understood; one that is not English is searched for in English first."""
    standard = " ".join(one.standard for one in understood).strip()
    english = " ".join(one.english for one in understood).strip()
    if all(one.language == "en" for one in understood):
        return State(standalone=question, queries=_first([asked, standard]))
    if not own_words(english):  # "treatment" alone would find anybody's
        english = standard = ""
    told = f"{english}?" if english and _ASKS.search(asked) else english
    return State(standalone=question, english=told, queries=_first([english, standard, asked]))


def _first(queries: Sequence[str]) -> list[str]:
    return [query for query in dict.fromkeys(queries) if query][:SEARCHES]
