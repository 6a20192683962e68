"""Whether training helped: reports of before and after on one page, with intervals, failures, data and curves."""

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from primum.evals import answers, audit, comparison, failures, mcq, report
from primum.evals.choices import Question
from primum.evals.endpoint import Progress, Sampling, Writer, Written
from primum.finetune.rows import Example, read_rows
from primum.graph.errors import BadInput
from primum.graph.fingerprint import template_of
from primum.graph.writing import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A figure's name, how it is read, and whether more of it is better.
FIGURES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "mcq": (("accuracy", "Right choices", "share"),),
    "answers": (
        ("rougeL", "ROUGE-L", "score"),
        ("rouge1", "ROUGE-1", "score"),
        ("bleu", "BLEU", "score"),
        ("bertscore", "BERTScore F1", "score"),
        ("support", "Proven sentences of an answer", "share"),
        ("words_to_reference", "Length, times the reference's", "times"),
    ),
    "audit": (
        ("clean", "Answers without a finding", "share"),
        ("support_per_answer", "Proven sentences of an answer", "share"),
        ("findings_per_answer", "Findings an answer", "count"),
    ),
    "rubric": (("score", "Rubric score", "share"),),
    "number": (("accuracy", "Right numbers", "share"),),
    "rewards": (
        ("choice", "Right choice", "score"),
        ("number", "Right number", "score"),
        ("support", "Proven sentences", "score"),
        ("format", "Form, such as a marker that can be followed to each sentence", "score"),
        ("safety", "Safety (0, or −1 with a finding)", "score"),
        ("length", "Length as asked for", "score"),
    ),
}
_COMPARED = {"support_per_answer": "support", "findings_per_answer": "findings"}
COUNTS: dict[str, tuple[tuple[str, str], ...]] = {
    "mcq": (("unparsable", "Without a readable choice"), ("cut", "Cut off"), ("refused", "Refused by the server")),
    "answers": (("empty", "Empty"), ("cut", "Cut off")),
    "audit": (("useless", "Safe but useless"), ("empty", "Empty"), ("rightly_declined", "Rightly declined")),
    "rubric": (("unscored", "Unscored"), ("criteria_unscored", "Criteria unscored")),
    "number": (("unparsable", "Without a number"), ("cut", "Cut off")),
    "rewards": (),
}
TASKS = {
    "mcq": "Multiple choice",
    "answers": "Answers beside references",
    "audit": "The audit of answers with passages",
    "rubric": "Graded along a rubric",
    "number": "Answers that are a number",
    "rewards": "What GRPO pays for",
}
CURVES = ("loss", "eval_loss", "reward", "rewards/margins", "mean_token_accuracy")
_COLOURS = ("#4b5f78", "#1f7a6d", "#a4541d", "#6d3f8c")


@dataclass(frozen=True)
class Asking:
    """How the models of folders are asked; `template` is what the chat template of one that is no run is told."""

    base: Path | None = None
    limit: int | None = None
    seed: int = 0
    max_tokens: int = 256
    temperature: float = 0.0
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """One model's reports, by task, and how its answers fail."""

    name: str
    reports: Mapping[str, Mapping[str, Any]]
    failures: Sequence[Mapping[str, Any]] = ()


async def evaluated(
    given: Sequence[Path],
    out: Path,
    data: Path | None,
    runs: Sequence[Path],
    asking: Asking,
    title: str,
    on_progress: Callable[[str], Progress],
) -> dict[str, Any]:
    """Writes the page, and its figures as JSON beside it; what it says in short.

    Raises:
        BadInput: fewer than two are given, a file is no report, or folders are given without data to ask them.
    """
    if len(given) < 2:
        raise BadInput("Give at least two: a report or a folder of before, and one of after.")
    asking = replace(asking, template=_template(given))
    sides = [await _side(path, data, asking, on_progress) for path in given]
    differences = [_against(sides[0], side) for side in sides[1:]]
    page = render(title, sides, differences, _json(data / "card.json") if data else None, runs)
    told = {
        "models": [side.name for side in sides],
        "differences": {side.name: one for side, one in zip(sides[1:], differences, strict=True)},
        "failures": {side.name: list(side.failures) for side in sides},
        "reports": {side.name: side.reports for side in sides},
    }
    _write(out, page, told)
    return {"out": str(out), "models": told["models"], "differences": told["differences"]}


def _template(given: Sequence[Path]) -> Mapping[str, Any]:
    """What the first run among them told its chat template: a base model is asked as those trained on it are."""
    return next((told for path in given if (told := template_of(path)) is not None), {})


def _write(out: Path, page: str, told: Mapping[str, Any]) -> None:
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    report.write(told, out.with_suffix(".json"))


async def _side(path: Path, data: Path | None, asking: Asking, on_progress: Callable[[str], Progress]) -> Side:
    if not path.is_dir():  # noqa: ASYNC240
        return of_report(path)
    if data is None:
        raise BadInput(f"{path} is a model's folder: give the prepared data that it is asked by --data.")
    from primum.evals.folder import Folder

    rows = _test_rows(data, asking)
    found = await asked(
        Folder(path, asking.base, given=asking.template), rows, asking, on_progress(path.name or str(path))
    )
    return Side(_name(path), found.reports, found.failures)


def _name(path: Path) -> str:
    return path.resolve().name


def of_report(path: Path) -> Side:
    """A report of `primum eval`, or the JSON that stands beside a page of this command: its last model.

    Raises:
        BadInput: it is neither.
    """
    told = _json(path)
    if "reports" in told and told.get("models"):
        name = told["models"][-1]
        return Side(name, told["reports"][name], told["failures"][name])
    if told.get("task") in FIGURES:
        return Side(path.stem, {told["task"]: told})
    raise BadInput(f"{path} is no report of `primum eval mcq|answers|audit|rubric`. Make one with --out.")


def _test_rows(data: Path, asking: Asking) -> list[dict[str, Any]]:
    import random

    rows = list(read_rows(data / "test.jsonl", Example))
    if not rows:
        raise BadInput(f"{data}: its test split is empty.")
    if asking.limit is None or asking.limit >= len(rows):
        return rows
    places = sorted(random.Random(asking.seed).sample(range(len(rows)), asking.limit))  # noqa: S311
    return [rows[place] for place in places]


async def asked(
    writer: Writer, rows: Sequence[Mapping[str, Any]], asking: Asking, on_progress: Progress = lambda _done, _of: None
) -> Side:
    """Asks each row once and judges the answer by the row's kind. Raises ModelUnavailable."""
    sampling = Sampling(asking.max_tokens, asking.temperature, seed=asking.seed, logprobs=True)
    written = await writer.write([answers.prompt(row) for row in rows], sampling, on_progress)
    both = list(zip(rows, written, strict=True))
    reports: dict[str, Mapping[str, Any]] = {}
    if choice := [one for one in both if one[0]["kind"] == "choice"]:
        reports["mcq"] = {"task": "mcq", **_choices(choice)}
    if grounded := [one for one in both if one[0]["kind"] == "grounded"]:
        given, texts = [row for row, _ in grounded], [said.answer for _, said in grounded]
        reports["audit"] = {"task": "audit", **audit.run(given, texts)}
    if prose := [one for one in both if one[0]["kind"] in ("open", "grounded")]:
        found = answers.measured([row for row, _ in prose], [said.answer for _, said in prose])
        likely = _likely(writer, [row for row, _ in prose])
        reports["answers"] = {"task": "answers", **found, "cut": sum(said.cut for _, said in prose), **likely}
    if number := [one for one in both if one[0]["kind"] == "number"]:
        reports["number"] = {"task": "number", **_numbers(number)}
    reports["rewards"] = {"task": "rewards", **_rewards(both)}
    failed = [failure for row, said in both for failure in failures.of(row, said.answer)]
    return Side(writer.name, reports, failures.grouped(failed, len(both)))


def _likely(writer: Writer, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from primum.evals.folder import Folder

    return answers.likelihood(answers.likelihoods(rows, writer) if isinstance(writer, Folder) else None)


def _choices(both: Sequence[tuple[Mapping[str, Any], Written]]) -> dict[str, Any]:
    questions = [
        Question(row["id"], row["source"], "", row["options"], row["answer"], messages=answers.prompt(row))
        for row, _ in both
    ]
    return mcq.judged(questions, [said for _, said in both])


def _numbers(both: Sequence[tuple[Mapping[str, Any], Written]]) -> dict[str, Any]:
    """Answers that are a number, in the form of a report on choices."""
    from primum.evals.metrics import bootstrap

    rows = []
    for row, said in both:
        failed = {one.kind for one in failures.of(row, said.answer)}
        rows.append({"id": row["id"], "said": None if "format" in failed else "number", "right": not failed})
    return {
        "n": len(rows),
        "accuracy": bootstrap([float(row["right"]) for row in rows]),
        "unparsable": sum(row["said"] is None for row in rows),
        "cut": sum(said.cut for _, said in both),
        "rows": rows,
    }


def _rewards(both: Sequence[tuple[Mapping[str, Any], Written]]) -> dict[str, Any]:
    """What each answer would earn by each rule of `finetune.rewards`; None where a rule has nothing to say."""
    from primum.evals.metrics import bootstrap
    from primum.finetune.rewards import REWARDS

    rows = [
        {"id": row["id"], **{name: rule(row["messages"][:-1], said.text, dict(row)) for name, rule in REWARDS.items()}}
        for row, said in both
    ]
    figures = {name: bootstrap([row[name] for row in rows if row[name] is not None]) for name in REWARDS}
    return {"n": len(rows), **figures, "rows": rows}


def _against(before: Side, after: Side) -> dict[str, Any]:
    shared = [task for task in after.reports if task in before.reports]
    if not shared:
        raise BadInput(f"{before.name} and {after.name} are reports of different tasks: give two of the same.")
    try:
        return {task: comparison.compare(before.reports[task], after.reports[task]) for task in shared}
    except ValueError as error:
        raise BadInput(f"{before.name} and {after.name}: {error}.") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror})") from None
    except ValueError:
        raise BadInput(f"{path} is no JSON.") from None
    return told if isinstance(told, dict) else {}


# The page


def render(
    title: str,
    sides: Sequence[Side],
    differences: Sequence[Mapping[str, Any]],
    card: Mapping[str, Any] | None,
    runs: Sequence[Path],
) -> str:
    """The whole page: no script, no address, no font from elsewhere."""
    source = files("primum.finetune").joinpath("evaluation.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = written
    tasks = [_task(name, sides, differences) for name in TASKS if any(name in side.reports for side in sides)]
    return environment.from_string(source).render(
        title=title,
        made=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        sides=sides,
        tasks=tasks,
        summary=[line for task in tasks for line in task["summary"]],
        failures=[side for side in sides if side.failures],
        card=_card_lines(card) if card else [],
        curves=[{"name": _name(run), "plot": curve} for run in runs if (curve := _curve(run))],
    )


def _task(name: str, sides: Sequence[Side], differences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    there = [side for side in sides if name in side.reports]
    rows = []
    for figure, label, unit in FIGURES[name]:
        values = [side.reports[name].get(figure) for side in there]
        if not any(values) or (figure == "support" and any("audit" in side.reports for side in there)):
            continue  # the audit tells it, of more
        gains = [one.get(name, {}).get(_COMPARED.get(figure, figure)) for one in differences]
        rows.append({"label": label, "unit": unit, "means": values, "gains": gains})
    said = [
        {"label": row["label"], "unit": row["unit"], "gain": gain, "side": side.name, "n": gain["n"]}
        for row in rows[:1]
        for side, gain in zip(sides[1:], row["gains"], strict=True)
        if gain
    ]
    return {
        "name": TASKS[name],
        "sides": [side.name for side in there],
        "later": [side.name for side in sides[1:] if name in side.reports],
        "n": there[0].reports[name]["n"],
        "rows": rows,
        "counts": [(label, [side.reports[name].get(key, 0) for side in there]) for key, label in COUNTS[name]],
        "notes": _notes(name, there),
        "plot": _bars(TASKS[name], [side.name for side in there], rows),
        "calibration": _calibration(there) if name == "mcq" else "",
        "summary": said,
    }


def _notes(name: str, sides: Sequence[Side]) -> list[str]:
    """What a table of means can't hold, a line for each model."""
    notes = []
    for side in sides:
        told, said = side.reports[name], []
        if told.get("perplexity"):
            said.append(f"perplexity {told['perplexity']:.2f}, token accuracy {told['token_accuracy']:.1%}")
        if calibrated := told.get("calibration"):
            said.append(f"expected calibration error {calibrated['ece']:.3f} over {calibrated['n']} choices")
        if told.get("too_long") is not None:
            said.append(f"{told['too_long']:.1%} of answers longer than 1.5 times the reference")
        if told.get("always_the_commonest") is not None:
            said.append(f"always the commonest letter would be right in {told['always_the_commonest']:.1%}")
        notes += [f"{side.name}: {'; '.join(said)}"] if said else []
    return notes


def written(value: float | None, unit: str, *, signed: bool = False) -> str:
    """A figure as a reader expects it: a share in percent, a difference with its sign."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if unit == "share":
        return f"{value * 100:{sign}.1f} {'points' if signed else '%'}"
    return f"{value:{sign}.2f}{' ×' if unit == 'times' else ''}" if unit in ("times", "count") else f"{value:{sign}.3f}"


def _card_lines(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The card of the data, nested parts in one line each."""
    return [(name.replace("_", " "), _plain(value)) for name, value in card.items() if value not in (None, "", [], {})]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    return str(value)


def _bars(title: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """For each figure a mean with its interval for each model; each figure has a scale of its own."""
    shown = [row for row in rows if all(row["means"])]
    if not shown:
        return ""
    figure, axes = _figure(len(shown), 0.42 * len(names) + 0.75)
    for axis, row in zip(axes, shown, strict=True):
        for place, value in enumerate(row["means"]):
            spread = [[value["mean"] - value["low"]], [value["high"] - value["mean"]]]
            colour = _COLOURS[place % len(_COLOURS)]
            axis.errorbar(value["mean"], place, xerr=spread, fmt="o", color=colour, capsize=4, lw=2, ms=7)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_title(f"{row['label']}{' (share)' if row['unit'] == 'share' else ''}", loc="left", fontsize=10)
        low = min(value["low"] for value in row["means"])
        if low >= 0:
            axis.set_xlim(left=0)
    return _svg(figure, f"{title}: means with 95 % intervals; the table holds the same figures")


def _calibration(sides: Sequence[Side]) -> str:
    """How often choices were right, by how sure the model was."""
    told = [(side.name, side.reports["mcq"]["calibration"]) for side in sides if side.reports["mcq"].get("calibration")]
    if not told:
        return ""
    figure, (axis,) = _figure(1, 3.4)
    axis.plot([0, 1], [0, 1], color="#9aa5b1", ls="--", lw=1, label="as sure as right")
    for place, (name, one) in enumerate(told):
        bins = one["bins"]
        sure, right = [b["confidence"] for b in bins], [b["right"] for b in bins]
        axis.plot(sure, right, marker="o", color=_COLOURS[place % len(_COLOURS)], label=name)
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="how sure", ylabel="right")
    axis.legend(frameon=False, fontsize=9)
    return _svg(figure, "Calibration: how often choices were right, by how sure the model was of them")


def _curve(run: Path) -> str:
    """The losses and rewards of a training run by step; nothing where it kept none."""
    kept = run / "log_history.json"
    if not kept.is_file():
        return ""
    history = json.loads(kept.read_text(encoding="utf-8"))
    lines = {name: [(one["step"], one[name]) for one in history if name in one and "step" in one] for name in CURVES}
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    losses = {name: points for name, points in lines.items() if name.endswith("loss")}
    groups = [group for group in (losses, *({n: p} for n, p in lines.items() if n not in losses)) if group]
    if not groups:
        return ""
    figure, axes = _figure(len(groups), 2.1)
    for axis, group in zip(axes, groups, strict=True):
        for place, (name, points) in enumerate(group.items()):
            axis.plot(*zip(*points, strict=True), color=_COLOURS[place], lw=1.6, label=name)
        axis.legend(frameon=False, fontsize=9)
    axes[-1].set_xlabel("step")
    return _svg(figure, f"Training of {_name(run)}: {', '.join(lines)} by step")


def _figure(rows: int, height: float) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, height * rows + 0.3), layout="constrained")
    axes: Sequence[Axes] = list(figure.subplots(rows, 1, squeeze=False)[:, 0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", color="#e3e8ee")
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=9)
    return figure, axes


def _svg(figure: "Figure", words: str) -> str:
    """The plot as an address that holds it, with its words apart by a bar for the page."""
    from matplotlib import rc_context

    kept = io.BytesIO()
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "primum"}):
        figure.savefig(kept, format="svg", metadata={"Date": None, "Title": words})
    return f"data:image/svg+xml;base64,{base64.b64encode(kept.getvalue()).decode()}|{words}"
