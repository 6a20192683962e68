"""A conversation as the text that a model reads and writes, by its tokenizer's own chat template."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from primum.finetune.rows import Message
from primum.graph.errors import BadInput

OPENED = "<think>"
_MARK = "\u2063answer\u2063"
_IGNORED = -100


class Chat:
    """Prompts and answers for one tokenizer.

    Templates take the reasoning out of an answer that stands in a conversation, so that an answer is put behind the
    prompt here and not by them.

    Raises:
        BadInput: the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: Any, **given: Any) -> None:
        self.tokenizer, self.given = tokenizer, given
        if not tokenizer.chat_template:
            raise BadInput(
                f"{tokenizer.name_or_path} has no chat template: name one by `chat_template: FILE.jinja` in the recipe,"
                " the one that the model will be served with."
            )

    def prompt(self, messages: Sequence[Message]) -> str:
        """What the model reads, up to where it begins to write."""
        return self._rendered(messages, add_generation_prompt=True)

    def completion(self, prompt: str, answer: str) -> str:
        """What the model writes, with its end of turn; reasoning that the prompt has opened is not opened again."""
        if prompt.rstrip().endswith(OPENED) and answer.lstrip().startswith(OPENED):
            answer = answer.lstrip().removeprefix(OPENED).lstrip("\n")
        return answer + self.end

    @cached_property
    def end(self) -> str:
        """What ends a turn."""
        question: list[Message] = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
        return self._rendered(question).rpartition(_MARK)[2].rstrip("\n") or str(self.tokenizer.eos_token)

    def tokens(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """The ids of a conversation whose last message is the answer, and the labels: those of the prompt are -100."""
        prompt = self.prompt(messages[:-1])
        before = self._ids(prompt)
        after = self._ids(self.completion(prompt, messages[-1]["content"]))
        return before + after, [_IGNORED] * len(before) + after

    def length(self, text: str) -> int:
        return len(self._ids(text))

    def bare(self, prompt: str) -> str:
        """A prompt for those who let the tokenizer put its own first token before it."""
        first = self.tokenizer.bos_token
        adds = first and self.tokenizer("").get("input_ids", [])[:1] == [self.tokenizer.bos_token_id]
        return prompt.removeprefix(first) if adds else prompt

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _rendered(self, messages: Sequence[Message], **more: Any) -> str:
        try:
            return str(self.tokenizer.apply_chat_template(list(messages), tokenize=False, **self.given, **more))
        except TemplateError as error:
            roles = ", ".join(message["role"] for message in messages)
            raise BadInput(f"The chat template refuses a conversation of {roles}: {error}") from None
