"""How it goes, for whoever runs Primum: answers, times, tokens, findings, jobs. Nothing of a patient is in it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import altair as alt
import streamlit as st

from primum.page.client import Client, Json, Refused
from primum.page.view import STATUSES, heading, problem, seconds, show
from primum.page.words import say

SPANS = (7, 14, 30, 90)  # days
STATUS_COLOURS = {
    "answered": "#2a8a78", "evidence_only": "#5ba3d0", "emergency": "#c0392b", "declined": "#8d99a6",
    "unverified": "#d99a20", "waiting": "#7f8c8d",
}  # fmt: skip
OTHER_COLOUR = "#7b5ea7"
PAIR = ("#2a8a78", "#d99a20")  # to be told apart on light and dark
PARTS = {"database": "Database", "embedder": "Search model", "corpus": "Library", "model": "Language model"}
JOB_STATES = {"todo": "waiting", "doing": "running", "succeeded": "done", "failed": "failed", "aborted": "aborted"}


def show_operations(client: Client) -> None:
    """The whole page."""
    with st.container(key="operations"):
        heading(say("Operations"), say("How the last days went, by the audit trail. Nothing of a patient is in it."))
        days = st.segmented_control(
            say("Days"), SPANS, default=14, required=True, key="days", bind="query-params"
        )  # fmt: skip
        try:
            found, health = client.statistics(days), client.health()
        except Refused as refused:
            problem(say("The figures can't be shown at the moment"), refused)
            st.button(say("Try again"), icon=":material/refresh:")
            return
        show("figures", figures=figures(found))
        show("parts", parts=parts(health))
        if not found["days"] and not found["statuses"]:
            show("note", text=say("Nothing was asked in these days."))
        else:
            _show_plots(found)
        _show_findings(found["findings"])
        _show_jobs(found["jobs"])


def figures(found: Json) -> dict[str, str]:
    """What the days come to, each with its name."""
    answers = sum(row["answers"] for row in found["statuses"])
    prompt, cached = (sum(day[f"{kind}_tokens"] for day in found["days"]) for kind in ("prompt", "cached"))
    up, down = found["ratings"]["up"], found["ratings"]["down"]
    latest = found["days"][-1] if found["days"] else None
    return {
        say("Answers"): f"{answers:,}",
        say("Time to an answer, last day"): seconds(latest["p50_ms"]) if latest else "–",
        say("Prompt tokens from the cache"): f"{cached / prompt:.0%}" if prompt else "–",
        say("Rated helpful"): f"{up} / {up + down}" if up + down else "–",
        say("Documents"): f"{found['library'].get('documents', 0):,}",
        say("Passages"): f"{found['library'].get('chunks', 0):,}",
    }


def parts(health: Json) -> list[tuple[str, str]]:
    """The parts of Primum with their states."""
    return [(say(told), str(health[name]["state"])) for name, told in PARTS.items() if name in health]


def every_day(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """All days from the first to the last of these, so that a day without a row is seen as one."""
    told = sorted({date.fromisoformat(str(row["day"])) for row in rows})
    if not told:
        return []
    return [(told[0] + timedelta(days=number)).isoformat() for number in range((told[-1] - told[0]).days + 1)]


def by_day(days: Sequence[str], rows: Iterable[Json], value: str, empty: float | None = 0) -> list[float | None]:
    """A row's value for each of the days."""
    known = {row["day"]: row[value] for row in rows}
    return [known.get(day, empty) for day in days]


def _show_plots(found: Json) -> None:
    days = every_day([*found["statuses"], *found["days"]])
    left, right = st.columns(2)
    with left:
        _show_answers(days, found["statuses"])
    with right:
        _show_times(days, found["days"])
    left, right = st.columns(2)
    with left:
        _show_tokens(days, found["days"])
    with right:
        _show_cache(days, found["days"])


def _show_answers(days: Sequence[str], rows: Sequence[Json]) -> None:
    names = list(dict.fromkeys([*STATUS_COLOURS, *(row["status"] for row in rows)]))
    names = [name for name in names if any(row["status"] == name for row in rows)]
    columns = {
        status_word(name): by_day(days, (row for row in rows if row["status"] == name), "answers") for name in names
    }
    colours = [STATUS_COLOURS.get(name, OTHER_COLOUR) for name in names]
    _plot(say("Answers by status"), True, days, columns, colours)


def _show_times(days: Sequence[str], rows: Sequence[Json]) -> None:
    columns = {
        label: [None if ms is None else ms / 1000 for ms in by_day(days, rows, name, None)]
        for name, label in (("p50_ms", say("half are faster")), ("p95_ms", say("95 of 100 are faster")))
    }
    _plot(say("Seconds to an answer"), False, days, columns, PAIR)


def _show_tokens(days: Sequence[str], rows: Sequence[Json]) -> None:
    kinds = {"prompt_tokens": say("read"), "completion_tokens": say("written")}
    columns = {label: by_day(days, rows, kind) for kind, label in kinds.items()}
    _plot(say("Tokens of the model"), True, days, columns, PAIR)


def _show_cache(days: Sequence[str], rows: Sequence[Json]) -> None:
    read = zip(by_day(days, rows, "cached_tokens"), by_day(days, rows, "prompt_tokens"), strict=True)
    columns = {say("of 100 tokens read"): [100 * (cached or 0) / prompt if prompt else None for cached, prompt in read]}
    _plot(say("Prompt tokens from the cache"), False, days, columns, PAIR[:1])


def _plot(
    title: str, bars: bool, days: Sequence[str], columns: Mapping[str, Sequence[float | None]], colours: Sequence[str]
) -> None:
    names = [f"{date.fromisoformat(day):%m-%d}" for day in days]
    points = [
        {"day": name, "kind": kind, "value": value}
        for kind, values in columns.items()
        for name, value in zip(names, values, strict=True)
        if value is not None
    ]
    chart = alt.Chart(alt.InlineData(values=points))
    legend = alt.Legend(orient="bottom", columns=3, title=None)  # which a phone shows whole
    colour = alt.Color("kind:N", scale=alt.Scale(domain=list(columns), range=list(colours)), legend=legend)
    show("group", name=title)
    st.altair_chart(
        (chart.mark_bar() if bars else chart.mark_line(point=True)).encode(
            x=alt.X("day:O", title=None, scale=alt.Scale(domain=names)), y=alt.Y("value:Q", title=None), color=colour
        ),
        height=260,
    )
    with st.expander(say("As a table: {title}", title=title)):
        st.dataframe({say("Day"): names, **columns}, hide_index=True)


def _show_findings(rows: Sequence[Json]) -> None:
    show("group", name=say("Safety findings"))
    if not rows:
        show("note", text=say("No rule found anything in these days."))
        return
    table = {say("Rule"): [row["rule"] for row in rows], say("Answers"): [row["answers"] for row in rows]}
    most = max(row["answers"] for row in rows)
    bar = st.column_config.ProgressColumn(format="%d", min_value=0, max_value=most)
    st.dataframe(table, hide_index=True, column_config={say("Answers"): bar})


def _show_jobs(rows: Sequence[Json]) -> None:
    show("group", name=say("Jobs of the whole installation"))
    if not rows:
        show("note", text=say("No job was ever put in a queue."))
        return
    table = {
        say("Queue"): [row["queue"] for row in rows],
        say("State"): [say(JOB_STATES.get(row["status"], "other")) for row in rows],
        say("Jobs"): [row["count"] for row in rows],
    }
    st.dataframe(table, hide_index=True)


def status_word(name: str) -> str:
    return say(STATUSES[name]) if name in STATUSES else name
