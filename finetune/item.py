"""One question with its answer, as the steps of the preparation hand it on; at the end it is a row."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from primum.evals.mcq import ASKING
from primum.finetune.rows import Example, Message
from primum.retrieval.language import language_of
from primum.safety.sentences import strip_thinking

LIBRARY = "library"  # the name of the starter library as a source
Kind = Literal["open", "choice", "number", "grounded"]
_WORD = re.compile(r"[\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af]|[^\W_]+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Item:
    """A question as it is asked, what comes before it, and the answer.

    `before` is what the prompt holds besides: a system message, earlier turns. `asked` is the user message as the model
    gets it; `question` the bare question in it, without passages, options and instructions. `reference` is what an
    answer is judged by.
    """

    id: str
    group: str
    source: str
    licence: str
    question: str
    answer: str
    kind: Kind = "open"
    asked: str = ""
    before: tuple[Message, ...] = ()
    reasoning: str = ""
    reference: str = ""
    options: Mapping[str, str] | None = None
    language: str = ""

    @property
    def prompt(self) -> str:
        """All that is asked, but for the system's message."""
        earlier = [message["content"] for message in self.before if message["role"] != "system"]
        return "\n".join([*earlier, self.asked or self.question])

    @property
    def subject(self) -> str:
        """What tells this question from others: "Which is true?" is another one with other options."""
        return " ".join([self.question, *sorted((self.options or {}).values())])

    @property
    def told(self) -> list[str]:
        """What the prompt says of its own: the instruction and the letters of a choice are in all of them."""
        if not self.options:
            return [self.prompt]
        above, _, _ = self.asked.rpartition(choice_prompt("", self.options))
        return [above or self.question, *self.options.values()]

    @property
    def completion(self) -> str:
        return f"<think>\n{self.reasoning}\n</think>\n\n{self.answer}" if self.reasoning else self.answer


def example(item: Item) -> Example:
    """The row of a prepared folder."""
    messages: list[Message] = [
        *item.before,
        {"role": "user", "content": item.asked or item.question},
        {"role": "assistant", "content": item.completion},
    ]
    row = Example(
        id=item.id,
        group=item.group,
        source=item.source,
        licence=item.licence,
        language=item.language or language_of(f"{item.question}\n{item.answer}"),
        kind=item.kind,
        messages=messages,
    )
    if reference := item.reference or (item.answer if item.kind == "open" else ""):
        row["answer"] = reference
    if item.options:
        row["options"] = dict(item.options)
    return row


def item_of(row: Example) -> Item:
    """The item that a row was made of."""
    *before, asked, completion = row["messages"]
    answer, reasoning = strip_thinking(completion["content"])
    return Item(
        id=row["id"],
        group=row["group"],
        source=row["source"],
        licence=row["licence"],
        question=bare_question(asked["content"], row["kind"]),
        answer=answer,
        kind=row["kind"],
        asked=asked["content"],
        before=tuple(before),
        reasoning=reasoning,
        reference=row.get("answer", ""),
        options=row.get("options"),
        language=row["language"],
    )


def bare_question(asked: str, kind: Kind) -> str:
    """The question in a message that we made: what stands under QUESTION, or before the options."""
    if kind == "grounded" and "QUESTION\n" in asked:
        return asked.rpartition("QUESTION\n")[2].partition("\n\n")[0].strip()
    if kind == "choice" and "\n\nA. " in asked:
        return asked.partition("\n\nA. ")[0].rpartition("\n\n")[2].strip()
    return asked


def choice_prompt(question: str, options: Mapping[str, str], context: str = "") -> str:
    """A question with lettered options as it is asked, in training as in `primum eval mcq`; the context before it."""
    listed = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    return "\n\n".join(filter(None, (context, question, listed, ASKING)))


def words(text: str) -> list[str]:
    """The words of a text in small letters, marks left out; each Chinese character is one."""
    return _WORD.findall(text.casefold())


def folded(text: str) -> str:
    """The text as it is compared: its words alone."""
    return " ".join(words(text))


def group_of(question: str) -> str:
    """The group of all rows that ask this very question."""
    return hashlib.sha256(folded(question).encode()).hexdigest()[:16]
