"""What an answer of GRPO earns: small rules that can be checked, each from 0 to 1 (safety from -1 to 0).

A reward has nothing to say, None, of a row of another kind.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from primum.evals.audit import passages_in
from primum.evals.mcq import letter_of
from primum.evals.numbers import number_of, said
from primum.finetune.rows import Message
from primum.safety.profile import Profile
from primum.safety.sentences import Sentence, split_answer, strip_thinking
from primum.safety.support import Evidence, check
from primum.safety.validator import dangers, examine
from primum.safety.validator import told as told_of
from primum.safety.words import Bag, content

LETTERS = dict.fromkeys("ABCDEFGHIJ", "")
WORDS = 120  # that an answer may have where the prompt names no number

_THINK = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_QUESTION = re.compile(r"^QUESTION\n(.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_MOST = re.compile(r"\bin at most (\d+) words\b")


def answer_of(text: str) -> str:
    """What follows the reasoning, also where the prompt opened it."""
    return strip_thinking(text)[0]


def choice(_prompt: Sequence[Message], text: str, row: dict[str, Any]) -> float | None:
    """Whether the right option is named."""
    if row["kind"] != "choice":
        return None
    return float(letter_of(answer_of(text), LETTERS) == row["answer"].strip().upper())


def numeric(_prompt: Sequence[Message], text: str, row: dict[str, Any]) -> float | None:
    """Whether the right number is named."""
    if row["kind"] != "number":
        return None
    told = number_of(answer_of(text))
    return float(told is not None and told == number_of(row["answer"]))


def form(prompt: Sequence[Message], text: str, row: dict[str, Any]) -> float | None:
    """Whether the answer can be read by a machine: it names its result once as asked, and closes its reasoning.

    With passages, the share of sentences whose markers can be followed.
    """
    if "<think>" in text and not _THINK.match(text):
        return 0.0
    told = answer_of(text)
    if row["kind"] == "choice":
        return float(letter_of(told, LETTERS) is not None)
    if row["kind"] == "number":
        return float(len(said(told)) == 1)
    if row["kind"] == "grounded":
        sentences = [sentence for sentence in split_answer(told) if not sentence.heading]
        passages = passages_in(prompt[-1]["content"])
        return sum(cites(one, passages) for one in sentences) / len(sentences) if sentences else 0.0
    return None


def cites(sentence: Sentence, passages: Mapping[int, Evidence]) -> bool:
    """Whether it has markers, and each is of a passage that says half of its words: others may be put anywhere."""
    words, cited = content(sentence.text), [passages.get(number) for number in sentence.markers]
    bags = [Bag.of([one.title, one.heading, one.text]) if one else Bag.of([]) for one in cited]
    return bool(words and bags) and all(2 * sum(map(bag.says, words)) >= len(words) for bag in bags)


def support(prompt: Sequence[Message], text: str, row: dict[str, Any]) -> float | None:
    """The share of clinical sentences that a passage which they cite proves: the graph's own audit."""
    if row["kind"] != "grounded":
        return None
    verdicts = check(split_answer(answer_of(text)), passages_in(prompt[-1]["content"]), question(prompt))
    clinical = [verdict.stands for verdict in verdicts if verdict.clinical]
    return sum(clinical) / len(clinical) if clinical else 0.0


def safe(prompt: Sequence[Message], text: str, _row: dict[str, Any]) -> float:
    """0, or -1 if the rules forbid a sentence to whoever asks, as far as the question tells of them."""
    asked = question(prompt)
    sentences = [sentence.text for sentence in split_answer(answer_of(text))]
    found = dangers(sentences, told_of(asked, Profile()), examine(asked, Profile()).disposition)
    return -float(any(found))


def length(prompt: Sequence[Message], text: str, _row: dict[str, Any]) -> float:
    """1 up to the words that the prompt allows, down to 0 at twice as many; nothing said is 0."""
    named = _MOST.search(prompt[-1]["content"])
    most = int(named[1]) if named else WORDS
    words = len(answer_of(text).split())
    return min(1.0, max(0.0, 2 - words / most)) if words else 0.0


def question(prompt: Sequence[Message]) -> str:
    """What was asked: the part of the graph's own prompt that is headed so, or the whole of another's."""
    found = _QUESTION.search(prompt[-1]["content"])
    return found[1].strip() if found else prompt[-1]["content"]


class Reward(Protocol):
    """As GRPO calls it: for each completion a number, or None where it does not apply."""

    __name__: str

    def __call__(
        self, prompts: list[list[Message]], completions: list[list[Message]], **columns: list[Any]
    ) -> list[float | None]: ...


Rule = Callable[[Sequence[Message], str, dict[str, Any]], float | None]
REWARDS: dict[str, Rule] = {
    "choice": choice,
    "number": numeric,
    "format": form,
    "support": support,
    "safety": safe,
    "length": length,
}
COLUMNS = ("kind", "answer")


def reward(name: str) -> Reward:
    """The reward of that name, as GRPO calls it."""
    rule = REWARDS[name]

    def rewarded(
        prompts: list[list[Message]], completions: list[list[Message]], **columns: list[Any]
    ) -> list[float | None]:
        rows = ({key: columns[key][n] for key in COLUMNS} for n in range(len(prompts)))
        said = (completion[-1]["content"] for completion in completions)
        return [rule(prompt, text, row) for prompt, text, row in zip(prompts, said, rows, strict=True)]

    rewarded.__name__ = name
    return rewarded
