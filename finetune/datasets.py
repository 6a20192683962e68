"""Published data sets, and files of one's own, as items: each format by the fields that tell it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from primum.finetune.item import Item, choice_prompt, group_of, item_of
from primum.finetune.records import Record, records
from primum.finetune.rows import Example, Message
from primum.graph.errors import BadInput

LETTERS = "ABCDEFGHIJ"
_COP = ("opa", "opb", "opc", "opd")
_HUATUO = re.compile(r"\s*(问|答)\s*[:：]\s*")
_LINK = re.compile(r"https?://\S+")
_CALCULATION = re.compile(r"<<[^<>]*>>")
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
          "bing": "assistant", "bard": "assistant", "system": "system"}  # fmt: skip
_PAIRS = (("question", "answer"), ("prompt", "completion"), ("prompt", "response"), ("question", "response"),
          ("query", "response"), ("instruction", "response"), ("input", "output"))  # fmt: skip
_EXAMPLE: TypeAdapter[Example] = TypeAdapter(Example)


class Unusable(ValueError):
    """A record that makes no item; its text is a short reason, for counting."""


@dataclass(frozen=True)
class Format:
    """How one kind of record is read.

    `fields` tell it; `licence` is that of the set that is published so.
    """

    name: str
    fields: tuple[str, ...]
    read: Callable[[Record], Iterator[Item]]
    licence: str = ""


def _item(question: object, answer: object, **more: Any) -> Item:
    question, answer = _text(question), _text(answer)
    return Item("", more.pop("group", "") or group_of(question), "", "", question, answer, **more)


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value).strip()


def _choice(question: str, options: Mapping[str, str], letter: str, reasoning: str = "", context: str = "") -> Item:
    options = {key: _text(text) for key, text in options.items() if _text(text)}
    if letter not in options:
        raise Unusable("no answer" if not letter else "answer not among the options")
    return _item(
        question,
        letter,
        kind="choice",
        asked=choice_prompt(question.strip(), options, context),
        reasoning=reasoning,
        reference=letter,
        options=options,
    )


def _lettered(options: object) -> dict[str, str]:
    """Options as {letter: text}: of a mapping, a list of texts, or a list of {key, value}."""
    if isinstance(options, Mapping):
        return {str(key).strip().upper(): _text(text) for key, text in options.items()}
    if isinstance(options, list) and all(isinstance(one, Mapping) for one in options):
        return {str(one.get("key")).strip().upper(): _text(one.get("value")) for one in options}
    if isinstance(options, list):
        return {letter: _text(text) for letter, text in zip(LETTERS, options, strict=False)}
    raise Unusable("no options")


def _medical_o1(record: Record) -> Iterator[Item]:
    # The set's own demonstration has the exam's fields beside these.
    reference = _text(record.get("Ground-True Answer"))
    yield _item(record["Question"], record["Response"], reasoning=_text(record["Complex_CoT"]), reference=reference)


def _medical_o1_verifiable(record: Record) -> Iterator[Item]:
    yield _item(record["Open-ended Verifiable Question"], record["Ground-True Answer"])


def _huatuo_sft(record: Record) -> Iterator[Item]:
    turns: list[Message] = []
    for text in record["data"]:
        found = _HUATUO.match(_text(text))
        if not found:
            raise Unusable("turn without 问 or 答")
        role = "user" if found[1] == "问" else "assistant"
        turns.append(Message(role=role, content=_text(text)[found.end() :]))  # type: ignore[typeddict-item]
    yield from _turns(turns)


def _huatuo_26m(record: Record) -> Iterator[Item]:
    """One item for each way in which the question is put; they stay in one split."""
    asked, answers = list(_flat(record["questions"])), list(_flat(record["answers"]))
    if not asked or not answers:
        raise Unusable("no question or no answer")
    if _LINK.fullmatch(answers[0]):
        raise Unusable("answer is a link")
    for question in asked:
        yield _item(question, answers[0], group=group_of(asked[0]))


def _flat(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif _text(value):
        yield _text(value)


def _medmcqa(first: int) -> Callable[[Record], Iterator[Item]]:
    """MedMCQA with the number of its first option: 1 in the raw files, 0 in the hub's copy."""

    def read(record: Record) -> Iterator[Item]:
        place = _number(record["cop"])
        if place is None or place < 0:
            raise Unusable("no answer")
        options = {LETTERS[at]: _text(record[name]) for at, name in enumerate(_COP)}
        letter = LETTERS[place - first] if 0 <= place - first < len(_COP) else ""
        yield _choice(_text(record["question"]), options, letter, _text(record.get("exp")))

    return read


def _number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _medqa(record: Record) -> Iterator[Item]:
    options = _lettered(record["options"])
    yield _choice(_text(record["question"]), options, _text(record["answer_idx"]).upper())


def _pubmedqa(record: Record) -> Iterator[Item]:
    yield _of_abstract(record["QUESTION"], record["CONTEXTS"], record["final_decision"], record.get("LONG_ANSWER"))


def _pubmedqa_hub(record: Record) -> Iterator[Item]:
    context = record["context"]
    contexts = context.get("contexts") if isinstance(context, Mapping) else None
    yield _of_abstract(record["question"], contexts, record["final_decision"], record.get("long_answer"))


def _of_abstract(question: object, contexts: object, decision: object, conclusion: object) -> Item:
    """The abstract without its conclusion is what is asked about; the conclusion stands in the answer alone."""
    options = {"A": "yes", "B": "no", "C": "maybe"}
    letter = next((key for key, word in options.items() if word == _text(decision).lower()), "")
    return _choice(_text(question), options, letter, _text(conclusion), "\n\n".join(_flat(contexts)))


def _gsm8k(record: Record) -> Iterator[Item]:
    steps, mark, number = _text(record["answer"]).rpartition("####")
    number = number.strip().replace(",", "")
    if not mark or not re.fullmatch(r"-?\d+(?:\.\d+)?", number):
        raise Unusable("no number after ####")
    steps = _CALCULATION.sub("", steps).strip()
    yield _item(record["question"], f"#### {number}", kind="number", reasoning=steps, reference=number)


def _mmlu(record: Record) -> Iterator[Item]:
    options = {letter: _text(record[letter]) for letter in "ABCD"}
    yield _choice(_text(record["question"]), options, _text(record["answer"]).upper())


def _mmlu_hub(record: Record) -> Iterator[Item]:
    options = _lettered(record["choices"])
    place = _number(record["answer"])
    letter = LETTERS[place] if place is not None and 0 <= place < len(options) else _text(record["answer"]).upper()
    yield _choice(_text(record["question"]), options, letter)


def _alpaca(record: Record) -> Iterator[Item]:
    asked = "\n\n".join(filter(None, (_text(record["instruction"]), _text(record.get("input")))))
    # What is the same in all rows tells none apart.
    yield _item(asked, record["output"], group=group_of(_text(record.get("input")) or asked))


def _sharegpt(record: Record) -> Iterator[Item]:
    yield from _turns(_messages(record["conversations"], "from", "value"))


def _openai(record: Record) -> Iterator[Item]:
    yield from _turns(_messages(record["messages"], "role", "content"))


def _messages(turns: object, role: str, content: str) -> list[Message]:
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        raise Unusable("no list of turns")
    roles = [_ROLES.get(str(turn.get(role)).lower()) for turn in turns]
    if None in roles or not all(isinstance(turn.get(content), str) for turn in turns):
        raise Unusable("turn of another role, or without a text")
    return [Message(role=name, content=turn[content].strip()) for name, turn in zip(roles, turns, strict=True)]  # type: ignore[typeddict-item]


def _turns(turns: list[Message]) -> Iterator[Item]:
    """One item for each answer of a conversation, with all that was said before it; they stay in one split.

    A greeting of the assistant's, which answers nobody, is left away.
    """
    opening = 1 if turns and turns[0]["role"] == "system" else 0
    if [turn["role"] for turn in turns[opening : opening + 2]] == ["assistant", "user"]:
        turns = turns[:opening] + turns[opening + 1 :]
    roles = [turn["role"] for turn in turns[opening:]]
    if roles != ["user", "assistant"] * (len(roles) // 2) or not roles:
        raise Unusable("turns that do not alternate")
    group = group_of(turns[opening]["content"])
    for at in range(opening + 1, len(turns), 2):
        yield _item(turns[at - 1]["content"], turns[at]["content"], before=tuple(turns[: at - 1]), group=group)


def _pair(question: str, answer: str) -> Callable[[Record], Iterator[Item]]:
    def read(record: Record) -> Iterator[Item]:
        yield _item(record[question], record[answer])

    return read


def _prepared(record: Record) -> Iterator[Item]:
    try:
        row = _EXAMPLE.validate_python(record)
    except ValidationError:
        raise Unusable("no row of a prepared folder") from None
    if [message["role"] for message in row["messages"][-2:]] != ["user", "assistant"]:
        raise Unusable("turns that do not alternate")
    yield item_of(row)


def _format(name: str, fields: str, read: Callable[[Record], Iterator[Item]], licence: str = "") -> Format:
    return Format(name, tuple(fields.split("|")), read, licence)


# The first whose fields are all there is taken: those that are told by more stand before those that are told by less.
FORMATS = {
    one.name: one
    for one in (
        _format("primum", "id|group|source|licence|language|kind|messages", _prepared),
        _format("medical-o1", "Question|Complex_CoT|Response", _medical_o1, "Apache-2.0"),
        _format(
            "medical-o1-verifiable", "Open-ended Verifiable Question|Ground-True Answer", _medical_o1_verifiable,
            "Apache-2.0",
        ),
        _format("medmcqa-raw", "question|opa|opb|opc|opd|cop", _medmcqa(1), "MIT"),
        _format("medmcqa-hub", "question|opa|opb|opc|opd|cop", _medmcqa(0), "MIT"),
        _format("medqa", "question|options|answer_idx", _medqa, "MIT"),
        _format("pubmedqa", "QUESTION|CONTEXTS|final_decision", _pubmedqa, "MIT"),
        _format("pubmedqa-hub", "question|context|final_decision", _pubmedqa_hub, "MIT"),
        _format("mmlu", "question|A|B|C|D|answer", _mmlu, "MIT"),
        _format("mmlu-hub", "question|choices|answer", _mmlu_hub, "MIT"),
        _format("huatuo-26m", "questions|answers", _huatuo_26m, "Apache-2.0"),
        _format("huatuo-sft", "data", _huatuo_sft, "Apache-2.0"),
        _format("sharegpt", "conversations", _sharegpt),
        _format("messages", "messages", _openai),
        _format("alpaca", "instruction|output", _alpaca),
        _format("gsm8k", "question|answer", _gsm8k, "MIT"),
        *(_format(f"{q}-{a}", f"{q}|{a}", _pair(q, a)) for q, a in _PAIRS),
    )
}  # fmt: skip
NAMES = (*FORMATS, "medmcqa")  # medmcqa: raw or hub's, told by the data
_LOOKED_AT = 20  # records


def read(source: str, format_name: str = "") -> tuple[str, Iterator[tuple[str, Item | Unusable]]]:
    """The format of a file or a hub's data set, and what it makes of each record, under the record's place.

    Raises:
        BadInput: no such source or format, fields that are missing, or a MedMCQA whose numbering can't be told.
    """
    rows = records(source)
    start = list(islice(rows, _LOOKED_AT))
    if not start:
        raise BadInput(f"{source}: no records in it.")
    chosen = _chosen(source, start, format_name)
    return chosen.name, _items(chain(start, rows), chosen)


def _chosen(source: str, start: list[tuple[str, Record]], name: str) -> Format:
    first = _lowered(start[0][1])
    if name in ("", "medmcqa"):
        wanted = FORMATS["medmcqa-raw"] if name else told_by(first)
    elif name in FORMATS:
        wanted = FORMATS[name]
    else:
        raise BadInput(f"No format is called {name!r}. Known are {', '.join(NAMES)}.")
    there = ", ".join(map(str, start[0][1])) or "none"
    if wanted is None:
        nearest = max(FORMATS.values(), key=lambda one: _nearness(one, first))
        raise BadInput(
            f"{source}: its columns are {there}; no format has these. Rename the columns to "
            f"{', '.join(nearest.fields)} (the nearest format, {nearest.name})."
        )
    if missing := [name for name in wanted.fields if name not in first]:
        raise BadInput(f"{source}: {wanted.name} needs {', '.join(missing)}; the columns there are {there}.")
    if wanted.name.startswith("medmcqa") and name in ("", "medmcqa"):
        return _numbered(source)
    if wanted.name == "gsm8k" and not name and not any("####" in str(_lowered(one).get("answer")) for _, one in start):
        return FORMATS["question-answer"]
    return wanted


def told_by(record: Record) -> Format | None:
    """The format of which a record has all columns."""
    return next((one for one in FORMATS.values() if record.keys() >= {*one.fields}), None)


def _nearness(one: Format, first: Record) -> tuple[float, bool]:
    """The share of a format's columns that are there; of formats that are as near, a plain pair is."""
    return len(first.keys() & {*one.fields}) / len(one.fields), one.name == "question-answer"


def _numbered(source: str) -> Format:
    """Which MedMCQA it is: the raw files count the options from 1, the hub's copy from 0, with -1 for no answer."""
    places = {_number(record.get("cop")) for _, record in records(source)}
    from_zero, from_one = bool(places & {0, -1}), 4 in places
    if from_zero == from_one:
        why = "has both 0 and 4" if from_zero else "never is 0 or 4"
        raise BadInput(
            f"{source}: `cop` {why}, so where the options are counted from can't be told. "
            "Give --format medmcqa-raw (from 1) or --format medmcqa-hub (from 0)."
        )
    return FORMATS["medmcqa-hub" if from_zero else "medmcqa-raw"]


def _lowered(record: Record) -> Record:
    """The record, its fields also found by their names in small letters: `Question,Answer` is a common head."""
    return {str(key).strip().lower(): value for key, value in record.items()} | record


def _items(rows: Iterable[tuple[str, Record]], chosen: Format) -> Iterator[tuple[str, Item | Unusable]]:
    for place, record in rows:
        try:
            for number, item in enumerate(chosen.read(_lowered(record))):
                yield (f"{place}.{number}" if number else place), item
        except Unusable as error:
            yield place, error
        except (KeyError, TypeError, AttributeError):
            yield place, Unusable("fields missing")


def name_of(source: str) -> str:
    """How rows name their source: the file's name, or the hub's."""
    return Path(source).name if Path(source).is_file() else source
