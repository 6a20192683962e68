"""Audit: what the auditor finds in answers to questions with passages, by the code that judges a turn's draft.

A row is one of kind `grounded`: its prompt is of the form of `nodes/prompts/draft.md`, passages and all, and its last
message is a reference. An answer that says nothing clinical where the reference does is safe but useless: it has no
finding, and is counted apart.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from primum.evals.cases import Report, ids, share
from primum.evals.metrics import bootstrap
from primum.graph.state import State
from primum.nodes.evidence import judge
from primum.safety.profile import Profile
from primum.safety.red_flags import assess
from primum.safety.sentences import strip_thinking
from primum.safety.support import Evidence
from primum.safety.validator import told

Standing = Literal["audited", "useless", "empty", "declined"]

_HEAD = re.compile(r"\[(\d{1,3})\] (.+)")
_SECTION = re.compile(
    r"(?m)^(PASSAGES|WHAT THIS PERSON HAS TOLD OF THEMSELVES|THE CONVERSATION UNTIL THEN, IN SHORT"
    r"|EARLIER IN THIS CONVERSATION|QUESTION|SAFETY RULES FOR THIS PERSON|Answer the question in at most)\b.*$"
)
_LIMIT = re.compile(r"(?m)^Answer the question in at most (\d+) words")


@dataclass(frozen=True)
class Task:
    """What a prompt asks, and from what: the parts of `nodes/prompts/draft.md`."""

    question: str
    passages: Mapping[int, Evidence]
    facts: str = ""
    max_words: int | None = None


@dataclass(frozen=True)
class Broken:
    """One rule that one sentence of an answer breaks."""

    rule: str
    sentence: str
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audited:
    """The auditor's word on one answer; `sentences` are its clinical ones."""

    standing: Standing
    sentences: int = 0
    supported: int = 0
    findings: tuple[Broken, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether it helps and nothing is wrong with it; what the passages leave open is rightly declined."""
        return self.standing in ("audited", "declined") and not self.findings

    @property
    def support(self) -> float:
        """The share of proven sentences; nothing said is nothing proven, unless there was nothing to say."""
        if self.standing == "declined":
            return 1.0
        return self.supported / self.sentences if self.sentences else 0.0


def task_of(messages: Sequence[Mapping[str, Any]]) -> Task:
    """The question and the passages of a prompt.

    Raises:
        ValueError: there is no passage in it.
    """
    for message in reversed(messages):
        if message["role"] == "user" and (passages := passages_in(message["content"])):
            parts, limit = _sections(message["content"]), _LIMIT.search(message["content"])
            return Task(
                question=parts.get("QUESTION", "").strip(),
                passages=passages,
                facts=parts.get("WHAT THIS PERSON HAS TOLD OF THEMSELVES", "").strip(),
                max_words=int(limit[1]) if limit else None,
            )
    raise ValueError("no passage in the prompt: blocks of “[1] Title – Heading” and the text below are looked for")


def passages_in(text: str) -> dict[int, Evidence]:
    """The blocks `[n] Title – Heading` of a prompt by their numbers, which rise; a text's own references are none."""
    found: dict[int, tuple[str, list[str]]] = {}
    last, blank = 0, True
    for line in _sections(text).get("PASSAGES", "").splitlines():
        head = _HEAD.fullmatch(line) if blank else None
        if head and int(head[1]) > last:
            last = int(head[1])
            found[last] = (head[2], [])
        elif found:
            found[last][1].append(line)
        blank = not line.strip()
    return {number: _evidence(head, lines) for number, (head, lines) in found.items()}


def _evidence(head: str, lines: Sequence[str]) -> Evidence:
    title, _, heading = head.partition(" – ")
    return Evidence("\n".join(lines).strip(), title.strip(), heading.strip())


def _sections(text: str) -> dict[str, str]:
    """A prompt's sections by their headings."""
    places = list(_SECTION.finditer(text))
    sections: dict[str, str] = {}
    for place, following in zip_longest(places, places[1:]):
        sections.setdefault(place[1], text[place.end() : following.start() if following else None])
    return sections


def audited(answer: str, task: Task, reference: str = "") -> Audited:
    """What the auditor finds in an answer; a thought before it is no part of it.

    Args:
        reference: a right answer. If it says nothing clinical, the passages leave the question open.
    """
    text, _ = strip_thinking(answer)
    if not text:
        return Audited("empty")
    state = _state(task)
    clinical = [v for v in judge(text, task.passages, state) if v.clinical]
    if not clinical:
        leaves_open = bool(reference) and not any(v.clinical for v in judge(reference, task.passages, state))
        return Audited("declined" if leaves_open else "useless")
    findings = tuple(
        Broken(violation.rule, verdict.sentence.text, violation.subjects)
        for verdict in clinical
        for violation in verdict.violations
    )
    return Audited("audited", len(clinical), sum(verdict.stands for verdict in clinical), findings)


def _state(task: Task) -> State:
    """As much of a turn's state as its audit reads."""
    who = told(f"{task.facts}\n{task.question}", Profile())
    return State(
        question=task.question,
        profile=who.model_dump(mode="json", exclude_defaults=True),
        report={"disposition": assess(task.question, who).disposition},
    )


def run(rows: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> Report:
    """Audits an answer to each row; the means carry bootstrap intervals.

    Args:
        rows: `primum.finetune.rows.Example` of kind `grounded`.

    Raises:
        ValueError: a row has no passages; it says which.
    """
    judged = [judge_row(row, answer) for row, answer in zip(rows, answers, strict=True)]
    told_any = [one for one in judged if one.standing == "audited"]
    sentences = sum(one.sentences for one in told_any)
    by_standing = {
        name: [r for r, one in zip(rows, judged, strict=True) if one.standing == name] for name in _STANDINGS
    }
    return {
        "n": len(rows),
        "audited": len(told_any),
        "empty": len(by_standing["empty"]),
        "empty_ids": ids(by_standing["empty"]),
        "useless": len(by_standing["useless"]),
        "useless_ids": ids(by_standing["useless"]),
        "rightly_declined": len(by_standing["declined"]),
        "sentences": sentences,
        "share_supported": share(sum(one.supported for one in told_any), sentences),
        "wrong_markers": _count(judged, "wrong_marker"),
        "missing_markers": _count(judged, "missing_marker"),
        "unsupported": _count(judged, "unsupported"),
        "rules": dict(Counter(broken.rule for one in judged for broken in one.findings).most_common()),
        "findings_per_answer": bootstrap([len(one.findings) for one in told_any]),
        "support_per_answer": bootstrap([one.support for one in judged]),
        "clean": bootstrap([float(one.clean) for one in judged]),
        "rows": [_row(row, one) for row, one in zip(rows, judged, strict=True)],
    }


_STANDINGS: tuple[Standing, ...] = ("audited", "useless", "empty", "declined")


def judge_row(row: Mapping[str, Any], answer: str) -> Audited:
    """The auditor's word on an answer to a prepared row. Raises ValueError, naming the row."""
    try:
        task = task_of(row["messages"][:-1])
    except ValueError as error:
        raise ValueError(f"row {row['id']}: {error}") from None
    return audited(answer, task, row["messages"][-1]["content"])


def _row(row: Mapping[str, Any], one: Audited) -> Report:
    rules = [broken.rule for broken in one.findings]
    return {"id": row["id"], "standing": one.standing, "findings": rules, "support": round(one.support, 4),
            "clean": one.clean}  # fmt: skip


def _count(judged: Sequence[Audited], rule: str) -> int:
    return sum(broken.rule == rule for one in judged for broken in one.findings)
