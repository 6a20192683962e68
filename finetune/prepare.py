"""prepare: data sets in; a folder of rows that may be trained on, split, with its card, out.

The rows are read one after the other and kept on disk; in memory are the hashes of the evaluation sets alone.
"""

import shlex
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from primum.finetune import library
from primum.finetune.augment import variations
from primum.finetune.card import CLAIMED, UNKNOWN, Figures, Told, card, write_card
from primum.finetune.cleaning import Cleaned, Rules, cleaned, token_counter
from primum.finetune.datasets import FORMATS, Unusable, name_of, read
from primum.finetune.item import LIBRARY, Item
from primum.finetune.overlap import Evaluations
from primum.finetune.pool import Pool
from primum.finetune.rows import SPLITS, write_rows
from primum.finetune.splits import DEFAULT, Shares, check_shares, split_of
from primum.graph.errors import BadInput, PrimumError
from primum.graph.fingerprint import file_hash
from primum.graph.rules import rules_in_use
from primum.graph.settings import read_settings
from primum.safety.validator import rules_version

BATCH = 512  # rows that are cleaned at once

Advance = Callable[[int, str], None]  # records read of a source, and its name
Found = tuple[str, Item | Unusable]
Named = tuple[str, Item]


@dataclass(frozen=True)
class Plan:
    """How rows are read, cleaned and split.

    `format`: of all sources; none lets their fields tell. `evaluations`: files of questions that no row may share.
    `augment`: variations of each training row, at most. `licence`: of rows whose own is not known. `limit`: records
    that are read of each source.
    """

    format: str = ""
    evaluations: tuple[str, ...] = ()
    seed: int = 0
    split: Shares = DEFAULT
    augment: int = 0
    rules: Rules = field(default_factory=Rules)
    licence: str = ""
    limit: int | None = None


def prepare(
    sources: Sequence[str],
    out: Path,
    plan: Plan | None = None,
    *,
    workers: int = 1,
    advance: Advance = lambda _read, _source: None,
) -> dict[str, Any]:
    """Writes `train.jsonl`, `validation.jsonl`, `test.jsonl`, `card.json` and `README.md` into `out`; returns the card.

    Args:
        sources: files, hub names, folders of documents, or `library` (the starter library).
        workers: processes that clean.

    Raises:
        BadInput: a source, a format, an evaluation set or a setting that can't be used; what was there stays.
        PrimumError: the disk is full, or `out` can't be written to.
    """
    plan = plan or Plan()
    check_shares(plan.split)
    _check_folder(out)
    known = Evaluations(plan.evaluations)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".work-") as work, ExitStack() as stack:
            stack.enter_context(rules_in_use(read_settings()))
            pool = stack.enter_context(Pool(Path(work) / "rows.sqlite", plan.seed, plan.split))
            clean = stack.enter_context(_Cleaners(plan.rules, workers))
            told: list[Told] = []
            for source in sources:
                of_source, found = _opened(source, plan, [one.source for one in told])
                told.append(of_source)
                named = _named(islice(found, plan.limit), of_source, _licence(of_source, plan))
                _take(clean(named), of_source, known, pool, plan, advance)
            _check_any(told)
            figures = {name: Figures() for name in SPLITS}
            for name in SPLITS:
                write_rows(Path(work) / f"{name}.jsonl", figures[name].counted(pool.rows(name)))
                figures[name].groups = pool.groups(name)
            for name in SPLITS:
                (Path(work) / f"{name}.jsonl").replace(out / f"{name}.jsonl")
        hashes = {f"{name}.jsonl": file_hash(out / f"{name}.jsonl") for name in SPLITS}
        content = card(told, figures, hashes, known.rows, _made(sources, out, plan))
        write_card(out, content)
    except (OSError, sqlite3.OperationalError) as error:
        raise PrimumError(
            f"{out} can't be written to: {getattr(error, 'strerror', None) or error}. Free space, or give another."
        ) from None
    return content


def _check_folder(out: Path) -> None:
    """Raises BadInput for a folder with something else in it, which would lie among the rows."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "card.json").is_file())):
        raise BadInput(f"{out} is there and no prepared folder. Give --out another one, or empty it.")


def _opened(source: str, plan: Plan, taken: Sequence[str]) -> tuple[Told, Iterator[Found]]:
    """A source by its name, and what is in it."""
    if library.is_library(source):
        folder = library.folder_of(source)
        # A folder is never taken for the starter library, whose rows are of nobody.
        name = source if folder is None else _unique(folder.name, source, [*taken, LIBRARY])
        documents = library.documents(folder)
        return Told(name, "documents", library.digest(documents)), library.items(documents, plan.seed, plan.split)
    found, items = read(source, plan.format)
    name = _unique(name_of(source), source, taken)
    return Told(name, found, file_hash(Path(source)) if Path(source).is_file() else ""), items


def _unique(name: str, source: str, taken: Sequence[str]) -> str:
    if source in taken:
        raise BadInput(f"{source} is given twice.")
    return source if name in taken else name


def _licence(told: Told, plan: Plan) -> str:
    """What is given; else that of the set which is published in this form, claimed by nothing but the form."""
    claimed = FORMATS[told.format].licence if told.format in FORMATS else ""
    return plan.licence or (f"{claimed}{CLAIMED}" if claimed else UNKNOWN)


def _named(found: Iterable[Found], told: Told, licence: str) -> Iterator[Named]:
    """The items under ids of their own: source and place; those of a prepared folder keep theirs."""
    for place, item in found:
        told.read += 1
        name = f"{told.source}:{place}"
        if isinstance(item, Unusable):
            told.leave(str(item), name)
        else:
            name = item.id or name
            yield name, replace(item, id=name, source=item.source or told.source, licence=item.licence or licence)


def _take(
    found: Iterable[tuple[str, Cleaned]], told: Told, known: Evaluations, pool: Pool, plan: Plan, advance: Advance
) -> None:
    """Keeps what is clean, new and in no evaluation set; counts all else by its reason."""
    for name, done in found:
        if done.item is None:
            told.leave(done.reason, name)
        elif overlap := known.overlap(done.item):
            told.shared(*overlap, name)
        elif kept := pool.add(done.item):
            told.kept += 1
            told.mend(done.mended)
            _vary(kept, told, known, pool, plan)
        else:
            told.leave("near-duplicate", name)
        advance(told.read, told.source)


def _vary(item: Item, told: Told, known: Evaluations, pool: Pool, plan: Plan) -> None:
    if plan.augment and split_of(item.group, plan.seed, plan.split) == SPLITS[0]:
        for one in variations(item, plan.augment, plan.seed):
            if not known.overlap(one):
                pool.keep(one)
                told.varied += 1


def _check_any(told: Sequence[Told]) -> None:
    if any(one.kept for one in told):
        return
    reasons = Counter({reason: left.rows for one in told for reason, left in one.removed.items()})
    reasons["overlap with an evaluation set"] = sum(
        left.rows for one in told for ways in one.overlap.values() for left in ways.values()
    )
    why = ", ".join(f"{reason}: {rows}" for reason, rows in reasons.most_common() if rows)
    raise BadInput(f"No row is left ({why or 'nothing was read'}).")


class _Cleaners:
    """Cleans item after item, in other processes if more than one is wanted; the order stays."""

    def __init__(self, rules: Rules, workers: int) -> None:
        self._rules, self._workers = rules, workers
        self._count = token_counter(rules.tokenizer)
        self._stack = ExitStack()

    def __enter__(self) -> Callable[[Iterable[Named]], Iterator[tuple[str, Cleaned]]]:
        if self._workers < 2:
            return lambda found: ((name, cleaned(item, self._rules, self._count)) for name, item in found)
        # A fork has the rules' tables at once; elsewhere than on Linux it is not safe.
        start = get_context("fork" if sys.platform == "linux" else "spawn")
        workers = self._stack.enter_context(start.Pool(self._workers, _begin, (self._rules,)))
        # A pool reads ahead as far as it can: a batch at a time, or all rows would come to lie in memory.
        return lambda found: (one for batch in _batches(found) for one in workers.map(_cleaned, batch, chunksize=16))

    def __exit__(self, *_: object) -> None:
        self._stack.close()


_OF_WORKER: dict[str, Any] = {}


def _begin(rules: Rules) -> None:
    stack = ExitStack()  # held for as long as the process lives
    stack.enter_context(rules_in_use(read_settings()))
    _OF_WORKER.update(rules=rules, count=token_counter(rules.tokenizer), tables=stack)


def _cleaned(found: Named) -> tuple[str, Cleaned]:
    name, item = found
    return name, cleaned(item, _OF_WORKER["rules"], _OF_WORKER["count"])


def _batches(found: Iterable[Named]) -> Iterator[list[Named]]:
    rows = iter(found)
    while batch := list(islice(rows, BATCH)):
        yield batch


def _made(sources: Sequence[str], out: Path, plan: Plan) -> dict[str, Any]:
    return {
        "command": _command(sources, out, plan),
        "seed": plan.seed,
        "split": list(plan.split),
        "augment": plan.augment,
        "max_tokens": plan.rules.max_tokens,
        "tokenizer": Path(plan.rules.tokenizer).name or "none: four characters a token",
        "primum": version("primum"),
        "rules": rules_version(),
    }


def _command(sources: Sequence[str], out: Path, plan: Plan) -> str:
    """The command that makes the same folder; files by their names alone, since paths are of one machine."""

    def named(source: str) -> str:
        return Path(source).name if Path(source).exists() else source

    rules = plan.rules
    words: list[object] = ["primum", "finetune", "prepare", *map(named, sources), "--out", out.name]
    words += ["--seed", plan.seed, "--split", *plan.split, "--max-tokens", rules.max_tokens]
    for name, value in (("format", plan.format), ("augment", plan.augment), ("licence", plan.licence)):
        words += [f"--{name}", value] if value else []
    words += [word for file in plan.evaluations for word in ("--eval", named(file))]
    words += [word for code in sorted(rules.languages) for word in ("--language", code)]
    words += ["--limit", plan.limit] if plan.limit is not None else []
    words += ["--min-words", rules.min_words] if rules.min_words > 1 else []
    words += ["--tokenizer", named(rules.tokenizer)] if rules.tokenizer else []
    words += [] if rules.reasoning else ["--no-reasoning"]
    return shlex.join(map(str, words))
