"""The card of a prepared folder: for programs (`card.json`) and for people (`README.md`)."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from primum.finetune.item import words
from primum.finetune.rows import SPLITS, Example

IDS = 5  # of the rows that were left out for one reason
UNKNOWN = "unknown"
CLAIMED = ", claimed by the format"  # after the licence of the set that is published so; any file may have its form


@dataclass
class Left:
    """How many rows were left out for one reason, and the ids of the first; never a text."""

    rows: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.rows += 1
        if len(self.ids) < IDS:
            self.ids.append(name)


@dataclass
class Told:
    """What became of one source."""

    source: str
    format: str
    sha256: str = ""
    read: int = 0
    kept: int = 0
    varied: int = 0
    removed: dict[str, Left] = field(default_factory=dict)
    overlap: dict[str, dict[str, Left]] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)

    def leave(self, reason: str, name: str) -> None:
        self.removed.setdefault(reason, Left()).add(name)

    def mend(self, what: Iterable[str]) -> None:
        for one in what:
            self.mended[one] = self.mended.get(one, 0) + 1

    def shared(self, evaluation: str, how: str, name: str) -> None:
        self.overlap.setdefault(evaluation, {}).setdefault(how, Left()).add(name)


class Figures:
    """What the rows of one split are, counted as they are written."""

    def __init__(self) -> None:
        self.rows = 0
        self.groups = 0
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in ("kind", "language", "licence", "source")}
        self.prompts: Counter[int] = Counter()
        self.answers: Counter[int] = Counter()

    def counted(self, rows: Iterable[Example]) -> Iterable[Example]:
        for row in rows:
            self.rows += 1
            for name, counts in self.counts.items():
                counts[row[name]] += 1  # type: ignore[literal-required]
            *before, last = row["messages"]
            self.prompts[sum(len(words(message["content"])) for message in before)] += 1
            self.answers[len(words(last["content"]))] += 1
            yield row

    def told(self) -> dict[str, Any]:
        shares = {name: dict(counts.most_common()) for name, counts in self.counts.items()}
        lengths = {"prompt_words": _lengths(self.prompts), "answer_words": _lengths(self.answers)}
        return {"rows": self.rows, "groups": self.groups, **shares, **lengths}


def _lengths(counts: Counter[int]) -> dict[str, int]:
    """Median, 95th percentile and maximum."""
    if not counts:
        return {}
    found: dict[str, int] = {}
    total, passed = counts.total(), 0
    for length in sorted(counts):
        passed += counts[length]
        for name, share in (("median", 0.5), ("p95", 0.95), ("maximum", 1.0)):
            if passed >= share * total:
                found.setdefault(name, length)
    return found


def card(
    told: Iterable[Told],
    splits: Mapping[str, Figures],
    hashes: Mapping[str, str],
    evaluations: Mapping[str, int],
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """The card as JSON. `made`: how the folder was made: command, seed, shares, limits, versions."""
    sources = [asdict(one) for one in told]
    figures = {name: splits[name].told() for name in SPLITS}
    licences: Counter[str] = Counter()
    for one in figures.values():
        licences.update(one["licence"])
    return {
        "rows": {name: one["rows"] for name, one in figures.items()},
        "licences": dict(licences.most_common()),
        "sources": sources,
        "evaluations": dict(evaluations),
        "splits": figures,
        "hashes": dict(hashes),
        "made": dict(made),
    }


def write_card(folder: Path, content: Mapping[str, Any]) -> None:
    (folder / "card.json").write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_page(content), encoding="utf-8")


def _page(content: Mapping[str, Any]) -> str:
    rows = ", ".join(f"{count:,} {name}" for name, count in content["rows"].items())
    parts = [
        "# Data card\n",
        f"{rows}. Made by `{content['made']['command']}`.\n",
        "## Sources\n",
        _table(
            ("source", "format", "read", "kept", "variations", "SHA-256"),
            [
                (one["source"], one["format"], one["read"], one["kept"], one["varied"], one["sha256"][:12])
                for one in content["sources"]
            ],
        ),
        "## Licences\n",
        _table(("licence", "rows"), content["licences"].items()),
        _warning(content["licences"]),
        "## What was left out\n",
        _table(("source", "reason", "rows", "for example"), _left_out(content["sources"])),
        "## What was mended\n",
        _table(
            ("source", "what", "rows"),
            [(one["source"], what, count) for one in content["sources"] for what, count in one["mended"].items()],
        ),
        "## Evaluation sets\n",
        "Rows that share a question or thirteen words in a row with one of these were left out.\n",
        _table(("file", "questions", "how", "rows left out"), _overlaps(content)),
        "## The rows\n",
        _table(("split", "rows", "groups", "kinds", "languages", "words of an answer"), _splits(content["splits"])),
        "Rows of one group (a document, a question, a conversation) stand in one split. Exam questions and mathematics "
        "keep the names and places in them: they are of nobody. In all other rows personal data are masked by rules; a "
        "name that is in no list stays, and names and places in other languages than English, Spanish and Chinese.\n",
        "## Files\n",
        _table(("file", "SHA-256"), content["hashes"].items()),
    ]
    return "\n".join(filter(None, parts))


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    if not lines:
        return "None.\n"
    named = list(heads)
    return "\n".join(f"| {' | '.join(row)} |" for row in (named, ["---"] * len(named), *lines)) + "\n"


def _warning(licences: Mapping[str, int]) -> str:
    if not any(name == UNKNOWN or name.endswith(CLAIMED) for name in licences):
        return ""
    return (
        "Of rows with an unknown licence, or one that only their format claims, find out whether they may be trained "
        "on, then name it by `--licence`.\n"
    )


def _left_out(sources: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (one["source"], reason, left["rows"], ", ".join(left["ids"][:2]))
        for one in sources
        for reason, left in sorted(one["removed"].items(), key=lambda item: -item[1]["rows"])
    ]


def _overlaps(content: Mapping[str, Any]) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for name, questions in content["evaluations"].items():
        ways: Counter[str] = Counter()
        for one in content["sources"]:
            for how, left in one["overlap"].get(name, {}).items():
                ways[how] += left["rows"]
        found += [(name, questions, how, count) for how, count in ways.items()] or [(name, questions, "–", 0)]
    return found


def _splits(splits: Mapping[str, Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (
            name,
            one["rows"],
            one["groups"],
            _shares(one["kind"]),
            _shares(one["language"]),
            " / ".join(map(str, one["answer_words"].values())) + " (median / 95 % / most)" if one["rows"] else "–",
        )
        for name, one in splits.items()
    ]


def _shares(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
