"""Pairs from a model's own answers (self-instruct): several to each prompt, the best beside the worst.

An answer to a `grounded` prompt is judged by the auditor, and chosen only if it says what the reference says: a passage
on something else proves its sentences, too. One to an `open` prompt is judged by its likeness to the reference, and by
the auditor, to which the reference is the passage. Safe but useless ones, which say nothing clinical where the
reference does, stand last. Two that are equal make no pair. Where no answer is good enough, the row's own is chosen,
beside the worst.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from primum.evals import answers, audit, report
from primum.evals.endpoint import Progress, Sampling, Writer
from primum.evals.mcq import letter_of
from primum.finetune.rows import Example, Message, Pair, read_rows, write_rows
from primum.graph.errors import BadInput
from primum.graph.fingerprint import CARD, file_hash
from primum.graph.writing import writing
from primum.safety.sentences import join_answer, split_answer, strip_thinking
from primum.safety.support import Evidence
from primum.safety.validator import rules_version

USELESS = -10.0
GAP = 0.1  # of two likenesses, below which neither is the better one
LIKE = 0.2  # ROUGE-L, up to which an answer says too little of its reference to be chosen
# What an answer must not do beside its reference. It may say more, and in other words.
AGAINST = ("danger", "drug", "number", "negation", "direction", "permission")
SHARE_OF_LENGTH = 0.05  # of the score; of two equally right answers the shorter is the better


@dataclass(frozen=True)
class Draw:
    """How many answers are drawn, and how."""

    answers: int = 4
    temperature: float = 0.9
    seed: int = 0
    max_tokens: int = 256
    limit: int | None = None
    split: str = "train"


@dataclass(frozen=True)
class Judged:
    """An answer, how good it is, and the rules that it breaks."""

    text: str
    score: float
    findings: Sequence[str] = ()


async def sample_pairs(
    prepared: Path, writer: Writer, out: Path, draw: Draw, on_progress: Progress = lambda _done, _of: None
) -> dict[str, Any]:
    """Asks each prompt of a split several times and writes `pairs.jsonl` and `card.json`.

    Raises:
        BadInput: the folder is none of `primum finetune prepare`, or the output holds pairs already.
        ModelUnavailable: the model gives no answers.
    """
    rows = _rows(prepared, draw)
    target = _new(out)
    drawn: list[list[str]] = [[] for _ in rows]
    for number in range(draw.answers):
        sampling = Sampling(draw.max_tokens, draw.temperature, seed=draw.seed + number)
        written = await writer.write([answers.prompt(row) for row in rows], sampling, on_progress)
        for texts, one in zip(drawn, written, strict=True):
            texts += [] if one.cut or one.refused else [one.answer]
    pairs = [pair for row, texts in zip(rows, drawn, strict=True) if (pair := pair_of(row, texts, writer.name))]
    with writing(target):
        write_rows(target, pairs)
    card = _card(prepared, rows, drawn, pairs, writer.name, draw, target)
    report.write(card, target.with_name(CARD))
    return {"out": str(out), **card}


def _rows(prepared: Path, draw: Draw) -> Sequence[Mapping[str, Any]]:
    rows = list(read_rows(prepared / f"{draw.split}.jsonl", Example))
    if not rows:
        raise BadInput(f"{prepared}: its {draw.split} split is empty. Prepare more data.")
    if draw.limit is None or draw.limit >= len(rows):
        return rows
    return random.Random(draw.seed).sample(rows, draw.limit)  # noqa: S311


def _new(out: Path) -> Path:
    if (out / "pairs.jsonl").exists():
        raise BadInput(f"{out} holds pairs already. Give a new folder.")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    return out / "pairs.jsonl"


def pair_of(row: Mapping[str, Any], texts: Sequence[str], model: str) -> Pair | None:
    """The best and the worst of a prompt's answers; None where they are equally good, or none is good."""
    unlike = {" ".join(text.split()).casefold(): text for text in texts if text.strip()}
    judged = sorted((judge(row, text) for text in unlike.values()), key=lambda one: one.score)
    if not judged:
        return None
    best, worst, by = judged[-1], judged[0], "drawn"
    if best.score <= 0:
        best, by = judge(row, str(row["messages"][-1]["content"])), "row"
    if best.score <= 0 or best.score - worst.score < GAP:
        return None
    return cast(
        Pair,
        {
            "id": f"{row['id']}-sampled",
            "prompt": cast(list[Message], [dict(message) for message in answers.prompt(row)]),
            "chosen": [{"role": "assistant", "content": best.text}],
            "rejected": [{"role": "assistant", "content": worst.text}],
            "origin": "sampled",
            "findings": list(dict.fromkeys(worst.findings)),
            "subject": "",
            "provenance": {
                "row": str(row["id"]),
                "model": model,
                "rules": rules_version(),
                "chosen": by,
                "scores": f"{best.score:.3f} {worst.score:.3f}",
            },
        },
    )


def judge(row: Mapping[str, Any], answer: str) -> Judged:
    """How good an answer is: above 0 it may be chosen; the auditor's findings count against it, length a little."""
    text, _ = strip_thinking(answer)
    if row["kind"] == "grounded":
        return _audited(row, text)
    if row["kind"] == "choice":
        said = letter_of(text, row["options"])
        return Judged(text, float(said == row["answer"]), () if said == row["answer"] else ("wrong_choice",))
    if row["kind"] == "number":
        from primum.evals.failures import of

        failed = [one.kind for one in of(row, text)]
        return Judged(text, float(not failed), failed)
    return _beside(row, text)


def _audited(row: Mapping[str, Any], text: str) -> Judged:
    found = answers.measured([row], [text])["rows"][0]
    length = SHARE_OF_LENGTH * max(0.0, found["words_to_reference"] - 1)
    told = audit.judge_row(row, text)
    if told.standing == "audited" and not told.findings and found["rougeL"] < LIKE:
        return Judged(text, 0.0, ("beside_the_question",))
    return _judged(text, told, max(0.5, 1.0 - length), length)


def _beside(row: Mapping[str, Any], text: str) -> Judged:
    """An answer without passages: to the auditor each of its sentences cites the reference."""
    wanted = answers.reference(row)
    asked = " ".join(message["content"] for message in answers.prompt(row) if message["role"] == "user")
    cited = join_answer(replace(sentence, markers=(1,)) for sentence in split_answer(text))
    one = audit.audited(cited, audit.Task(asked, {1: Evidence(wanted, heading=asked)}), wanted)
    one = replace(one, findings=tuple(broken for broken in one.findings if broken.rule in AGAINST))
    found = answers.measured([row], [text])["rows"][0]
    length = SHARE_OF_LENGTH * max(0.0, found["words_to_reference"] - 1)
    return _judged(text, one, found["rougeL"] - LIKE - length, length)


def _judged(text: str, one: audit.Audited, good: float, length: float) -> Judged:
    """As good as told, unless the auditor found something."""
    if one.standing in ("empty", "useless"):
        return Judged(text, USELESS, ("useless",))
    if one.findings:
        return Judged(text, -float(len(one.findings)) - length, [broken.rule for broken in one.findings])
    return Judged(text, good)


def _card(
    prepared: Path,
    rows: Sequence[Mapping[str, Any]],
    drawn: Sequence[Sequence[str]],
    pairs: Sequence[Pair],
    model: str,
    draw: Draw,
    target: Path,
) -> dict[str, Any]:
    return {
        "prompts": len(rows),
        "answers": sum(len(texts) for texts in drawn),
        "left_out": draw.answers * len(rows) - sum(len(texts) for texts in drawn),
        "pairs": len(pairs),
        "model": model,
        "draw": vars(draw),
        "findings": dict(Counter(rule for pair in pairs for rule in pair["findings"]).most_common()),
        "licences": dict(Counter(str(row["licence"]) for row in rows).most_common()),
        "rows": {f"{draw.split}.jsonl": file_hash(prepared / f"{draw.split}.jsonl")},
        "files": {target.name: file_hash(target)},
    }
