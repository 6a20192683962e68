"""Multiple choice: how often the right letter is chosen, what could not be read as a choice counted apart.

With evidence, passages are found by the question alone, never by its options (they would bring the answer along).
"""

import math
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from primum.evals.cases import Report, share
from primum.evals.choices import Question
from primum.evals.endpoint import Messages, Progress, Sampling, Writer, Written
from primum.evals.metrics import bootstrap, calibration, paired
from primum.retrieval.options import question_only
from primum.retrieval.search import Passage

ASKING = "Answer with the letter of the one best answer, and nothing else."
SHOWN = 5  # passages
TOKENS = 512  # room for a thought; a letter alone takes two

T = TypeVar("T")
Search = Callable[[str], Awaitable[Sequence[Passage]]]

_OPEN, _CLOSE = r"[(\[（*_`\"'‘“$]*", r"[)\]）*_`\"'’”$]*"
# No choice is "A or B", "A is not right", nor the article of "a patient-centred visit".
_ONE = (
    rf"(?![A-Za-z0-9]|['’][A-Za-z]|{_CLOSE}\s*(?:,|/|&|、|和|或|or\b|and\b)\s*{_OPEN}[A-HJ](?![A-Za-z0-9])"
    r"|\s+(?:is|was)\s+(?:not|in|un|wrong|false)|\s+[a-z]+-)"
)
_MARKED = re.compile(r"\\boxed\{((?:\\\w+\{[^{}]*\}|[^{}])*)\}|(?i:<answer>(.*?)</answer>)", re.DOTALL)
_ALONE = re.compile(rf"\s*{_OPEN}([A-Ja-j]){_CLOSE}[.:!。]?{_CLOSE}\s*")
_OPENING = re.compile(
    rf"\s*{_OPEN}([A-J])(?:{_CLOSE}[.:)\]、](?=\s|$)|[*_`]+(?=\s|$)"
    rf"|(?<!I){_ONE}{_CLOSE}(?:,| [-–—])\s+(?!{_OPEN}[A-HJ](?![A-Za-z0-9])))"
)
_SAID = re.compile(
    r"(?:(?i:\b(?:answer|choice|option)(?:\s+(?:is|was|(?:must|should|would|will|has to) be))?"
    r"(?:\s+(?:most likely|likely|probably|clearly|definitely))?)"
    r"|答案(?:应?[是为选])?|(?<!不)(?<![不非][能应要])选择?项?[是为]?)"
    rf"\s*[:：]?[*_]*\s*(?i:option\s+)?{_OPEN}([A-J]|[a-j](?=[)\]）]|[*_`\"'’.]*\s*$)){_ONE}(?!{_CLOSE}\s*项?(?:是?错|不|有误))"
    rf"|(?:^\s*|[.:;,，。]\s*|\b(?i:so|thus|hence|therefore|that)\s+){_OPEN}([A-J]){_CLOSE}"
    r"(?:\s+(?:is|was)\s+(?:the\s+)?(?:(?!not|never)\w+\s+)?(?:correct|right|best|true)\b|\s*项?是?(?:正确|对的))",
    re.MULTILINE,
)
_DENIED = re.compile(r"(?:\b[Nn]ot|n['’]t|\b[Nn]either|\b[Nn]or)\s+(?:\w+[^\S\n]+){0,3}$")


def letter_of(text: str, options: Mapping[str, str]) -> str | None:
    r"""The letter that an answer without thoughts chooses; None where it chooses none, or more than one.

    Read are what stands in `\boxed{}` or `<answer>`; else a letter alone on its line, "the answer is B" and "B is
    correct"; else one that opens a line ("B) …", "B, …"). The article of "A patient …" is no choice.
    """
    if marked := [re.sub(r"\\\w+|[{}]", "", "".join(found)) for found in _MARKED.findall(text)]:
        found = {letter_of(inside, options) for inside in marked}
        return found.pop() if len(found) == 1 else None
    lines = text.splitlines()
    chosen = {match[1].upper() for line in lines if (match := _ALONE.fullmatch(line))}
    chosen |= {
        (match[1] or match[2]).upper()
        for match in _SAID.finditer(text)
        if not _DENIED.search(text, max(0, match.start() - 40), match.start())
    }
    chosen = chosen or {match[1] for line in lines if (match := _OPENING.match(line))}
    return chosen.pop() if len(chosen) == 1 and chosen <= options.keys() else None


def prompt(one: Question, passages: Sequence[Passage] = ()) -> Messages:
    """The question as it is asked; that of a prepared row as it stands there."""
    if one.messages and not passages:
        return one.messages
    shown = [
        f"[{number}] {passage.title}{f' – {passage.heading}' if passage.heading else ''}\n{passage.text}"
        for number, passage in enumerate(passages, 1)
    ]
    options = "\n".join(f"{letter}. {text}" for letter, text in one.options.items())
    asked = one.question if one.messages else f"{one.question}\n\n{options}\n\n{ASKING}"
    parts = [*(["PASSAGES\n\n" + "\n\n".join(shown)] if shown else []), *([one.context] if one.context else []), asked]
    return [*one.messages[:-1], {"role": "user", "content": "\n\n".join(parts)}]


def sampled(questions: Sequence[T], limit: int | None, seed: int = 0) -> list[T]:
    """So many of the questions or rows, drawn by chance, in their order; all without a limit."""
    if limit is None or limit >= len(questions):
        return list(questions)
    places = sorted(random.Random(seed).sample(range(len(questions)), limit))  # noqa: S311
    return [questions[place] for place in places]


async def run(
    questions: Sequence[Question],
    writer: Writer,
    search: Search | None = None,
    on_progress: Progress = lambda _done, _of: None,
    max_tokens: int = TOKENS,
) -> Report:
    """Asks each question; with a search, once more with what it finds, and the difference between the two.

    Raises:
        ModelUnavailable: the model gives no answers.
    """
    sampling = Sampling(max_tokens=max_tokens, logprobs=True)
    without = judged(questions, await writer.write([prompt(one) for one in questions], sampling, on_progress))
    report = {"model": writer.name, **without}
    if search is None:
        return report
    found = [(await search(question_only(one.question)))[:SHOWN] for one in questions]
    prompts = [prompt(one, passages) for one, passages in zip(questions, found, strict=True)]
    evidence = judged(questions, await writer.write(prompts, sampling, on_progress))
    return {**report, "with_evidence": evidence, "evidence_difference": compare(without, evidence)}


def judged(questions: Sequence[Question], answers: Sequence[Written]) -> Report:
    """The report on an answer to each question; one that can't be read as a choice is wrong, and counted apart."""
    rows = [_row(one, answer) for one, answer in zip(questions, answers, strict=True)]
    readable = [row for row in rows if row["said"]]
    sure = [row for row in readable if row["confidence"] is not None]
    sources = sorted({one.source for one in questions})
    return {
        "n": len(rows),
        "accuracy": bootstrap([float(row["right"]) for row in rows]),
        "accuracy_of_readable": share(sum(row["right"] for row in readable), len(readable)),
        "unparsable": len(rows) - len(readable),
        "unparsable_ids": [row["id"] for row in rows if not row["said"]],
        "cut": sum(answer.cut for answer in answers),
        "refused": sum(bool(answer.refused) for answer in answers),
        "said": dict(sorted(Counter(row["said"] for row in readable).items())),
        "right_letters": dict(sorted(Counter(one.answer for one in questions).items())),
        "always_the_commonest": share(max(Counter(one.answer for one in questions).values()), len(questions)),
        "by_source": {name: _share_of(name, questions, rows) for name in sources},
        "calibration": calibration([row["confidence"] for row in sure], [row["right"] for row in sure]),
        "rows": rows,
    }


def _share_of(source: str, questions: Sequence[Question], rows: Sequence[Mapping[str, Any]]) -> Report:
    mine = [row["right"] for one, row in zip(questions, rows, strict=True) if one.source == source]
    return {"n": len(mine), "accuracy": share(sum(mine), len(mine))}


def _row(one: Question, answer: Written) -> dict[str, Any]:
    said = letter_of(answer.answer, one.options)
    return {"id": one.id, "said": said, "right": said == one.answer, "confidence": _confidence(said, one, answer)}


def _confidence(said: str | None, one: Question, answer: Written) -> float | None:
    """How much of the likelihood of all options' letters the chosen one has, where it was written."""
    for token in reversed(answer.tokens):
        if said and token.text.strip(" ([*_`\"'.):\n") == said and token.top:
            shares: Counter[str] = Counter()
            for text, logprob in token.top.items():
                if (letter := text.strip(" ([*_`\"'.):\n")) in one.options:
                    shares[letter] += math.exp(logprob)  # type: ignore[assignment]
            return round(shares[said] / shares.total(), 4) if shares[said] else None
    return None


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Report:
    """The difference of accuracy over the questions of both reports.

    Raises:
        ValueError: they have none in common.
    """
    known = {row["id"]: float(row["right"]) for row in before["rows"]}
    pairs = [(known[row["id"]], float(row["right"])) for row in after["rows"] if row["id"] in known]
    if not pairs:
        raise ValueError("the baseline has no question in common with this run")
    return dict(paired([one for one, _ in pairs], [other for _, other in pairs]) or {})
