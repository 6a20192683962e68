"""rewrite: reads the question and the thread, writes a question that stands alone and the searches for it.

A library is searched in English and in its own words: abbreviations, lay words, brands and slips are searched for as
what they stand for as well, and a Chinese or Spanish question by its terms in English first.
"""

import re
from collections.abc import Sequence

from langgraph.runtime import Runtime
from pydantic import BaseModel, Field

from primum.graph.context import Context
from primum.graph.state import State
from primum.nodes.prompts import render
from primum.retrieval.options import question_only
from primum.retrieval.search import Retriever
from primum.retrieval.terms import Understood, expand, understood_words
from primum.safety.language import Language, detect
from primum.safety.lexicon import named
from primum.safety.populations import populations
from primum.safety.words import claims, stem

LONG = 40  # words: a question of this length is a story, and a story is no search
LONG_CHINESE = 100  # characters
CLEAR = 0.6  # share of a question from which its terms are a translation; below it the model is asked
SEARCHES = 3
# Words that point back into the conversation.
_POINTS_BACK: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:it|its|that|this|these|those|they|them|he|she|him|her|there|one|ones|same|instead|too|also|else|more)\b"
        r"|^\W*(?:and|but|or|so|then|(?:what|how) (?:about|if))\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(r"^(?:那|还有|如果是|换成|对于|但)|[它他她]|这[个种些药病]|那[个种些]|也(?:可以|能|会|是|要)"),
    "es": re.compile(
        r"^\W*(?:y|pero|o|entonces|además)\b|\b(?:eso|esto|esa|ese|ello|ellos|ella|él|lo mismo|también|tampoco)\b",
        re.IGNORECASE,
    ),
}
# What a question may ask of anything: who says no more speaks of what was said before.
_ASPECTS = frozenset(
    map(
        stem,
        "symptoms signs warning treatment cure causes risk risks factors prevention side effects dose maximum take "
        "drink safe dangerous serious contraindications interactions missed overdose diagnosis test help aid "
        "contagious spread complications prognosis medical eat diet foods avoid normal range medicine tablet together "
        "long often much".split(),
    )
)
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
    asked = question_only(question)
    understood = await spelt(asked, runtime.context.library)
    if not is_long(question) and understood.coverage >= CLEAR and not (history and points_back(question)):
        return searched(question, asked, [understood])
    prompt = render("rewrite", question=asked, history=history)
    written = await runtime.context.router.fill([("user", prompt)], Searches, max_tokens=300)
    return grounded(written, state)


async def spelt(asked: str, library: Retriever) -> Understood:
    """What a question says once its slips are put right by the library's words."""
    language = detect(asked)
    return expand((await library.vocabulary()).corrected(asked, language), language)


def is_long(question: str) -> bool:
    return len(question.split()) > LONG or (detect(question) == "zh" and len(question) > LONG_CHINESE)


def points_back(question: str) -> bool:
    """Whether a question leans on what was said before.

    By a pronoun or an opening "and"; or it names nothing of its own to search for: no claiming word, or one alone
    that is a group of people ("in pregnancy?") or something known already ("the dose").
    """
    language = detect(question)
    if _POINTS_BACK[language].search(question):
        return True
    if language != "en":
        own = _own(expand(question, language).english)
        return all(populations(word) for word in own) and len(own) <= 1
    own = list(claims(question))
    if not own:
        return True
    return len(own) == 1 and bool(populations(question) or re.search(rf"\bthe {own[0]}", question, re.IGNORECASE))


def _own(english: str) -> list[str]:
    """The words that say what a question is about."""
    return [word for word in claims(english) if stem(word) not in _ASPECTS]


def grounded(written: Searches, state: State) -> State:
    """The model's rewriting where it adds no word of its own; else the plain one.

    A standard term for what was said, and its translation, is no word of the model's own; a diagnosis is.
    """
    history = state.get("history", [])
    texts = [question_only(state["question"]), *(f"{e['question']} {e['answer']}" for e in history)]
    said = " ".join(texts)
    known = set(claims(said)) | {word for name in named(said).values() for word in claims(name)}
    known |= understood_words(*texts)
    plain = fallback(state)
    if set(claims(written.question)) - known or not claims(written.question):
        return plain
    searches = [text for text in written.searches if claims(text) and not set(claims(text)) - known]
    queries = [written.question, *searches]
    if detect(state["question"]) == "en":
        return State(standalone=written.question, queries=_first([*queries, expand(written.question, "en").standard]))
    return State(
        standalone=plain["standalone"], english=written.question, queries=_first([*queries, plain["standalone"]])
    )


def fallback(state: State) -> State:
    """Without a model: the question, and for a follow-up the question before it as well."""
    question, history = state["question"], state.get("history", [])
    parts = [question_only(question)]
    if history and points_back(question):
        before = history[-1]["question"]
        question, parts = f"{before} {question}", [question_only(before), *parts]
    return searched(question, " ".join(parts), [expand(part) for part in parts])


def searched(question: str, asked: str, understood: Sequence[Understood]) -> State:
    """The searches for a question that is understood; one that is not English is searched for in English first."""
    standard = " ".join(one.standard for one in understood).strip()
    english = " ".join(one.english for one in understood).strip()
    if all(one.language == "en" for one in understood):
        return State(standalone=question, queries=_first([asked, standard]))
    if not _own(english):  # "treatment" alone would find anybody's
        english = standard = ""
    told = f"{english}?" if english and _ASKS.search(asked) else english
    return State(standalone=question, english=told, queries=_first([english, standard, asked]))


def _first(queries: Sequence[str]) -> list[str]:
    return [query for query in dict.fromkeys(queries) if query][:SEARCHES]
