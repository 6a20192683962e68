"""What an item must be to be learned from: whole, in one language, of fit length, harmless, of no known person.

What can be mended is mended (invisible characters, phrases of courtesy, personal data); what can't is left out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from primum.finetune.item import LIBRARY, Item, folded, words
from primum.finetune.rows import Message
from primum.graph.errors import BadInput
from primum.nodes.draft import tells_again
from primum.retrieval.language import language_of
from primum.retrieval.plaintext import clean
from primum.safety import replies
from primum.safety.personal import redacted
from primum.safety.sentences import split_plain

MAX_TOKENS = 4096
CHARACTERS_A_TOKEN = 4  # of Latin script, where no tokenizer is given; a Chinese character counts as one token

CountTokens = Callable[[str], int]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# Sentences that are dropped wherever they stand, those that open an answer, and those that close it.
_EVERYWHERE = _any(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language)\b[^.!?]*\b(?:model|assistant|ai)\b",
    r"\bi(?:['’]m| am) (?:just |only )?an? (?:ai|language model)\b",
    r"\b(?:chat ?doctor|chatgpt|openai)\b",
    r"作为(?:一个|一名)?(?:人工智能|AI|语言模型)",
)
# "As an AI language model, I can say that": what follows may be worth learning, if it is not of the model itself.
_AS_A_MODEL = _any(
    r"(?:\b(?:but|however|although|and),?\s+)?\b(?:as|being) an? (?:ai|artificial intelligence|(?:large )?language)\b"
    r"(?:\s+(?:language|model|assistant|ai|chatbot|developed by \w+))*\s*,?\s*"
    r"(?:i (?:can|could|would|may) (?:say|tell you|explain|confirm|share|suggest|note|add)"
    r"(?: with certainty)?(?: that)?,?\s+)?",
    r"(?:但是?，?)?作为(?:一个|一名)?(?:人工智能|AI|语言模型)(?:语言模型|助手|模型)*"
    r"[，,]?\s*(?:我(?:可以|能|想)(?:告诉(?:您|你)|说|建议)[，,：:]?)?",
)
_OF_ITSELF = re.compile(r"\W*(?:i|i['’]\w+|my|me|we|it is (?:not|outside))\b|\W*(?:我|不能|无法)", re.IGNORECASE)
_FEW = 3  # words, such as "I'm sorry, but", that are no statement
_NAMED = frozenset({"en", "es", "zh"})  # in which names are told from other words
_OPENING = _any(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|greetings)"
    r"(?:,? (?:there|doctor|doc|sir|madam|friend|all|user|patient|(?:mr|mrs|ms|dr)?\.? ?\[NAME \d+\]))*[.!,]*$",
    r"(?:(?:hi|hello|hey)[,.!]? (?:and )?)?welcome (?:to|back)\b[^.!?]*[.!]?$",
    r"thanks? (?:you )?for (?:your|the|using|choosing|asking|contacting|posting|writing)\b[^.!?]*[.!]?$",
    r"i (?:have )?(?:gone through|read|understand) your (?:query|question|concern)s?\b[^.!?]*[.!]?$",
    r"(?:您|你)好[。！，,!]?$",
    r"感谢您的(?:咨询|提问)[^。！？]*[。！]?$",
)
_CLOSING = _any(
    r"(?:i )?hope (?:this|that|it|i|my|you)\b[^.!?]*[.!]?$",
    r"(?:please )?(?:let me know|feel free|do not hesitate|don['’]t hesitate)\b[^.!?]*[.!]?$",
    r"(?:best |kind |warm )?regards\b.{0,60}$",
    r"(?:take care|good luck|all the best|best wishes|thank you|thanks)\b[^.!?]{0,40}[.!]?$",
    r"(?:dr\.?|\[NAME \d+\])(?: (?:[a-z.]+|\[NAME \d+\])){0,3}[.,]?$",
    r"wish(?:ing)? you\b[^.!?]*[.!]?$",
    r"(?:希望|祝)[^。！？]*(?:帮助|康复|健康)[^。！？]*[。！]?$",
)
_PLACEHOLDER = re.compile(
    r"(?:nan|none|null|n/?a|unknown|todo|no answer|\W*)\s*|.*(?:\[(?:insert|your|add|name(?! \d))\b[^\]]*\]|\{\{.*?\}\}"
    r"|<\|[\w ]+\|>).*|https?://\S+",
    re.IGNORECASE | re.DOTALL,
)
_GARBLED = re.compile("\ufffd|â€[™œ\x9d“”¦]|Ã[©¨¤¶¼±³¡]")
_CUT_OFF = re.compile(
    r"(?:[,;:(–—-]|\b(?:and|or|the|an?|of|to|with|for|in|by|is|are|that|which|because)|[，、；：（])$", re.I
)
_BETWEEN = "\n\u241e\n"  # texts that are masked together; no text has this sign
_SCRIPTS = frozenset({"zh", "ja", "ko"})
_LETTERS = 40  # from which on the script of a text is told


@dataclass(frozen=True)
class Rules:
    """What is wanted of an item. `languages`: none allows all."""

    max_tokens: int = MAX_TOKENS
    min_words: int = 1
    languages: frozenset[str] = field(default_factory=frozenset)
    reasoning: bool = True
    tokenizer: str = ""


@dataclass(frozen=True)
class Cleaned:
    """The item as it is kept and how it was mended, or the reason why it is not kept."""

    item: Item | None
    reason: str = ""
    mended: tuple[str, ...] = ()


def cleaned(item: Item, rules: Rules, count_tokens: CountTokens) -> Cleaned:
    """The item by the rules. What was made by code of the starter library's sentences is only measured."""
    mended: list[str] = []
    if not rules.reasoning:
        item = replace(item, reasoning="")
    if reason := _broken(item):
        return Cleaned(None, reason)
    if item.kind != "grounded":
        item = _mended(item, mended)
    elif item.source != LIBRARY:  # a folder of one's own may tell of persons
        item = _without_personal(item, mended)
    reason = _unfit(item, rules, count_tokens) or (_unsafe(item) if item.kind == "open" else "")
    if reason:
        return Cleaned(None, reason)
    language = _language(item)
    if rules.languages and language not in rules.languages:
        return Cleaned(None, f"language: {language}")
    return Cleaned(replace(item, language=language), "", tuple(mended))


def _mended(item: Item, mended: list[str]) -> Item:
    """Invisible characters, boilerplate and personal data taken out; `mended` is told of each."""
    seen = _changed(item, lambda texts: [clean(text) for text in texts])
    if _letters(seen) != _letters(item):
        mended.append("invisible characters")
    item = seen
    if item.kind == "open":  # choices and sums are of nobody, and keep the names in them
        item = _without_personal(item, mended)
        answer, before = without_boilerplate(item.answer), tuple(map(_earlier, item.before))
        if (answer, before) != (item.answer, item.before):
            mended.append("boilerplate")
        item = replace(item, answer=answer, before=before)
    return item


def _without_personal(item: Item, mended: list[str]) -> Item:
    """The item without personal data; in a language that the rules do not cover names stay, and `mended` is told."""
    language = _language(item)
    names = language in _NAMED
    masked = _changed(item, lambda texts: _masked(texts, names))
    if masked != item:
        mended.append("personal data")
    if not names:
        mended.append(f"names not looked for: {language}")
    return masked


def _masked(texts: list[str], names: bool) -> list[str]:
    """The texts without personal data; one person has one number in all of them."""
    return redacted(_BETWEEN.join(texts), names=names).split(_BETWEEN)


def _language(item: Item) -> str:
    return item.language or language_of(f"{item.question}\n{item.answer}")


def _changed(item: Item, change: Callable[[list[str]], list[str]]) -> Item:
    """The item with a change made to all its texts together."""
    before = [message["content"] for message in item.before]
    options = item.options or {}
    texts = [item.question, item.asked, item.answer, item.reasoning, item.reference, *before, *options.values()]
    question, asked, answer, reasoning, reference, *rest = change(texts)
    earlier: list[Message] = [
        {"role": message["role"], "content": text} for message, text in zip(item.before, rest, strict=False)
    ]
    return replace(
        item,
        question=question,
        asked=asked,
        answer=answer,
        reasoning=reasoning,
        reference=reference,
        before=tuple(earlier),
        options=dict(zip(options, rest[len(before) :], strict=True)) if options else None,
    )


def _letters(item: Item) -> str:
    """What stands there, white space left aside."""
    return "".join(f"{item.prompt}{item.completion}".split())


def without_boilerplate(answer: str) -> str:
    """The answer without greetings before it, courtesies after it, and what is about the model or its makers."""
    answer = _of_a_model(answer)
    spans = split_plain(answer)
    texts = [answer[a:b].strip() for a, b in spans]
    first, last = 0, len(texts)
    while first < last and (_OPENING.match(texts[first]) or _EVERYWHERE.search(texts[first])):
        first += 1
    while last > first and (_CLOSING.match(texts[last - 1]) or _EVERYWHERE.search(texts[last - 1])):
        last -= 1
    dropped = [at for at, text in enumerate(texts) if at < first or at >= last or _EVERYWHERE.search(text)]
    for at in reversed(dropped):
        start, stop = spans[at]
        answer = answer[:start] + answer[stop:].lstrip(" ")
    return clean(answer) if dropped else answer


def _of_a_model(answer: str) -> str:
    """The answer without "As an AI language model, I can say that" where a statement follows, or stands before."""
    for start, stop in reversed(split_plain(answer)):
        sentence = answer[start:stop]
        if found := _AS_A_MODEL.search(sentence):
            head, rest = sentence[: found.start()].rstrip(" ,;，；"), sentence[found.end() :]
            if len(words(head)) > _FEW:
                kept = f"{head}{sentence[-1] if sentence[-1] in '.!?。！？' else ''}"
            elif head or _OF_ITSELF.match(rest) or not words(rest):
                continue
            else:
                kept = rest[:1].upper() + rest[1:]
            answer = answer[:start] + kept + answer[stop:]
    return answer


def _earlier(message: Message) -> Message:
    """An earlier turn without boilerplate, if anything else stands in it."""
    left = without_boilerplate(message["content"]) if message["role"] == "assistant" else ""
    return {"role": message["role"], "content": left} if left else message


def _broken(item: Item) -> str:
    """Why question and answer are no pair to learn from."""
    if not words(item.question):
        return "empty question"
    if not words(item.answer):
        return "empty answer"
    if _GARBLED.search(item.prompt) or _GARBLED.search(item.completion):
        return "garbled text"
    if item.kind == "choice":
        texts = [folded(text) or text for text in (item.options or {}).values()]
        return "options missing or told twice" if len(texts) < 2 or len(set(texts)) < len(texts) else ""
    if _PLACEHOLDER.fullmatch(item.answer) or _PLACEHOLDER.fullmatch(item.question):
        return "placeholder"
    if folded(item.answer) == folded(item.question):
        return "answer repeats the question"
    if item.kind == "open" and len(words(item.answer)) > 8 and _CUT_OFF.search(item.answer):
        return "answer cut off"
    return "answer repeats itself" if tells_again(item.answer) else ""


def _unfit(item: Item, rules: Rules, count_tokens: CountTokens) -> str:
    """Why what is left after mending is not what is wanted."""
    if not words(item.answer):
        return "nothing but boilerplate"
    if item.kind == "open" and len(words(item.answer)) < rules.min_words:
        return "too short"
    system = [message["content"] for message in item.before if message["role"] == "system"]
    texts = [item.prompt, item.completion, *system]
    # Nothing has more tokens than bytes, nor, in the languages here, fewer than a twelfth of its characters.
    size = sum(len(text.encode()) for text in texts)
    if size > rules.max_tokens and (size > 36 * rules.max_tokens or sum(map(count_tokens, texts)) > rules.max_tokens):
        return "too long"
    asked, answered = item.question, item.answer
    if item.kind == "open" and min(len(asked) * 3, len(answered)) >= _LETTERS:
        scripts = {_script(asked), _script(answered)}
        if len(scripts) > 1:
            return "question and answer in different languages"
    return ""


def _script(text: str) -> str:
    code = language_of(text)
    return code if code in _SCRIPTS else "other"


def _unsafe(item: Item) -> str:
    """Which rule of `safety/` the answer breaks, if one."""
    earlier = [message["content"] for message in item.before if message["role"] == "user"]
    fault = replies.fault(item.question, item.answer, earlier)
    return f"unsafe: {fault}" if fault else ""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, where no tokenizer is given."""
    wide = sum(1 for sign in text if sign >= "\u2e80")
    return wide + -(-(len(text) - wide) // CHARACTERS_A_TOKEN)


def token_counter(tokenizer: str) -> CountTokens:
    """Counts by the `tokenizer.json` of a folder. Raises BadInput if there is none that can be read."""
    if not tokenizer:
        return estimated_tokens
    from tokenizers import Tokenizer

    file = Path(tokenizer) / "tokenizer.json" if Path(tokenizer).is_dir() else Path(tokenizer)
    try:
        opened = Tokenizer.from_file(str(file))
    except Exception:  # the library raises bare Exception
        raise BadInput(f"{file}: no tokenizer.json that can be read. Give the folder of a model.") from None
    return lambda text: len(opened.encode(text, add_special_tokens=False).ids)
