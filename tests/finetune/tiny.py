"""A tokenizer of whole words with a chat template, and rows, to train tiny models with."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from primum.finetune.rows import Example, Message, Opinion, Pair

WORDS = (
    "what is the dose of drug for pain fever gout take one two three tablets daily never more than with food and "
    "call a doctor if it hurts answer A B C D #### 1 2 3 4 5 6 7 8 9 10 + = <think> </think> safe not known because"
).split()
# Like the real ones it writes only the answer of an assistant's message, not its reasoning.
TEMPLATE = (
    "{% for m in messages %}<s> {{ m['role'] }} {{ m['content'].split('</think>')[-1] if m['role'] == 'assistant' else "
    "m['content'] }} </s>\n{% endfor %}{% if add_generation_prompt %}<s> assistant {% endif %}"
)


def tiny_tokenizer(folder: Path, template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    special = ["<pad>", "</s>", "<unk>", "<s>"]
    words = {word: n for n, word in enumerate(dict.fromkeys([*special, "system", "user", "assistant", *WORDS]))}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>"
    )
    fast.chat_template = template
    fast.save_pretrained(folder)
    return fast


def prompt(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def example(number: int, question: str, said: str, **more: Any) -> Example:
    row: Any = {
        "id": f"row-{number}", "group": str(number), "source": "tests", "licence": "CC0", "language": "en",
        "kind": "open", "messages": [*prompt(question), {"role": "assistant", "content": said}],
    }  # fmt: skip
    whole: Example = row | more
    return whole


def pair(number: int, question: str, chosen: str, rejected: str) -> Pair:
    return {
        "id": f"pair-{number}", "prompt": prompt(question),
        "chosen": [{"role": "assistant", "content": chosen}], "rejected": [{"role": "assistant", "content": rejected}],
        "origin": "audit", "findings": ["unsupported"], "subject": "", "provenance": {"run": "r"},
    }  # fmt: skip


def opinion(number: int, question: str, said: str, label: bool) -> Opinion:
    return {
        "id": f"opinion-{number}", "prompt": prompt(question), "completion": [{"role": "assistant", "content": said}],
        "label": label, "reasons": [], "subject": "", "provenance": {},
    }  # fmt: skip
