"""The panel in which a patient sees what Primum knows of them, each fact with its proof, and rules over it."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from primum.page.chart import (
    ENDING,
    KINDS,
    RELATIVES,
    SEVERITIES,
    Entry,
    Fact,
    entry,
    grouped,
    typed,
)
from primum.page.client import Client, Json, Refused
from primum.page.view import dialog, plain, problem, show
from primum.page.words import say

VIEW = "known"  # in the address
ERASE = "erase"  # what one types to confirm
LONGEST = 200  # characters of a value
SIDES = ("known", "new")  # of what is unclear
STANDS = (
    "The chart keeps it. What began or was told after that day can't have ended on it, and an allergy does not end: "
    "if it was wrong, correct or remove it."
)
GO_BY = "From now on I go by “{fact}”. What can't be true with it is no longer taken into account."
ENDS = "“{fact}” will no longer be taken into account. It stays in sight among what no longer holds."
GOES = (
    "“{fact}” goes with its proof and all its earlier versions, and no answer takes it into account. "
    "The conversation in which you said it stays until you delete that."
)
ALL_GOES = (
    "All your conversations with their answers go for good, and everything I know about you with its proof. "
    "Nobody can bring it back. You get a signed receipt of what went."
)


def is_open() -> bool:
    return st.query_params.get("view") == VIEW


def open_panel() -> None:
    st.query_params["view"] = VIEW


def close_panel() -> None:
    st.query_params.pop("view", None)


def show_panel(client: Client, start_over: Callable[[], None]) -> None:
    """The whole panel. `start_over` leaves nothing on the page of what was erased."""
    with st.container(key="panel"):
        st.button(say("Back"), icon=":material/arrow_back:", type="tertiary", on_click=close_panel)
        try:
            chart, ended = client.facts(), client.facts(ended=True)["facts"]
        except Refused as refused:
            problem(say("What I know about you can't be shown at the moment"), refused)
            st.button(say("Try again"), icon=":material/refresh:")
            return
        show("known", facts=chart["facts"])
        with st.container(horizontal=True, key="panel-actions"):
            if st.button(say("Add a fact"), icon=":material/add:", type="primary"):
                add(client)
            if chart["facts"] and st.button(say("Take it along"), icon=":material/download:"):
                take_along(client)
        told = {fact["text"]: fact for fact in (*ended, *chart["facts"])}
        for unclear in chart["unclear"]:
            show_unclear(client, unclear, told)
        for name, facts in grouped(chart["facts"]).items():
            show("group", name=say(name))
            for fact in facts:
                show_fact(client, fact)
        disputed = {unclear[side]["text"] for unclear in chart["unclear"] for side in SIDES}
        show_ended(client, [fact for fact in ended if fact["ended"] and fact["text"] not in disputed])
        if st.button(
            say("Erase everything about me"), key="erase-all", type="tertiary", icon=":material/delete_forever:"
        ):
            erase(client, start_over)


def show_fact(client: Client, fact: Fact) -> None:
    actions: dict[str, Callable[[Client, Fact], None]] = {}
    if not fact["ended"]:
        actions[say("Correct it")] = correct
        if fact["kind"] in ENDING:
            actions[say("No longer so")] = end
    actions[say("Remove for good")] = remove
    with st.container(horizontal=True, key=f"fact-{fact['id']}", gap=None, wrap=False):
        show("fact", fact=fact)
        chosen = st.menu_button(
            say("Change {fact}", fact=plain(fact["text"])), list(actions), key=f"menu-{fact['id']}", type="tertiary",
            icon=":material/more_horiz:",
        )  # fmt: skip
    if chosen:
        actions[chosen](client, fact)


def show_ended(client: Client, facts: list[Fact]) -> None:
    if facts:
        with st.expander(say("What no longer holds ({count})", count=len(facts)), key="ended"):
            for fact in facts:
                show_fact(client, fact)


def show_unclear(client: Client, unclear: Json, told: Mapping[str, Fact]) -> None:
    """Two facts that can't both be true, for the patient to choose. `told`: the chart's facts by their words."""
    sides = {side: told.get(unclear[side]["text"], unclear[side]) for side in SIDES}  # which know where they are from
    with st.container(key=f"unclear-{unclear['id']}"):
        show("unclear", kept=sides[unclear["kept"]], sides=sides.values())
        with st.container(horizontal=True):
            for side, fact in sides.items():
                if st.button(say("“{fact}” is right", fact=plain(fact["text"])), key=f"right-{unclear['id']}-{side}"):
                    confirm_right(client, unclear["id"], side, fact["text"])
            if st.button(say("Neither is right"), key=f"right-{unclear['id']}-neither", type="tertiary"):
                confirm_right(client, unclear["id"], "neither", "")


@dialog("Is that right?")
def confirm_right(client: Client, number: int, right: str, words: str) -> None:
    if words:
        st.text(say(GO_BY, fact=words))
    else:
        st.text(say("From now on I take neither into account. If something else is so, add it as a fact."))
    with st.container(horizontal=True):
        if st.button(say("That is right"), type="primary"):
            try:
                client.settle(number, right)
            except Refused as refused:
                problem(say("It is still unclear"), refused)
                return
            st.rerun()
        if st.button(say("Leave it open")):
            st.rerun()


@dialog("Add a fact")
def add(client: Client) -> None:
    kind = st.selectbox(say("What is it about?"), list(KINDS), format_func=lambda kind: say(KINDS[kind][0]))
    fill_in(kind, "", client.fill_in)


@dialog("Correct it")
def correct(client: Client, fact: Fact) -> None:
    st.text(say("I know: {fact}", fact=fact["text"]))

    def replace(made: Entry) -> None:
        """What the right fact does not take the place of was wrong, and goes."""
        before = {one["id"] for one in client.facts()["facts"]}
        after = {one["id"] for one in client.fill_in(made)["facts"]}
        if fact["id"] in after and after - before:
            client.remove(fact["id"])

    fill_in(fact["kind"], typed(fact), replace, fact)


def fill_in(kind: str, value: str, save: Callable[[Entry], Any], known: Fact | None = None) -> None:
    """The fields of a fact, and what is wrong with them below the one that was typed."""
    label, example = KINDS[kind]
    details: dict[str, str | None] = {}
    known = known or {}
    with st.form(f"fact-{kind}", border=False):
        if kind == "family_history":
            relatives = [*dict.fromkeys((known.get("relative") or RELATIVES[0], *RELATIVES))]
            details["relative"] = st.selectbox(say("Who has it?"), relatives, format_func=say, accept_new_options=True)
        said = st.text_input(
            say(label),
            value,
            placeholder=say("For example: {example}", example=example),
            max_chars=LONGEST,
            autocomplete="off",
        )
        wrong = st.empty()
        if kind == "allergy":
            details["reaction"] = st.text_input(
                say("What happens (if you know)"),
                known.get("reaction") or "",
                placeholder=say("For example: {example}", example="rash, swelling"),
            )
            severity = known.get("severity")
            details["severity"] = st.selectbox(
                say("How bad (if you know)"), SEVERITIES, index=SEVERITIES.index(severity) if severity else None,
                format_func=lambda severity: say(severity.capitalize()), placeholder="",
            )  # fmt: skip
        if not st.form_submit_button(say("Save"), type="primary"):
            return
    try:
        save(entry(kind, said or "", **details))
    except Refused as refused:
        with wrong:
            problem(say("It was not saved"), refused)
    else:
        st.rerun()


@dialog("No longer so")
def end(client: Client, fact: Fact) -> None:
    st.text(say(ENDS, fact=fact["text"]))
    today = datetime.now(UTC).date()
    on = st.date_input(say("Until when was it so?"), today, max_value=today, format="YYYY-MM-DD")
    if st.button(say("It ended then"), type="primary"):
        try:
            after = client.end(fact["id"], on)
        except Refused as refused:
            problem(say("It was not ended"), refused)
            return
        if any(one["id"] == fact["id"] for one in after["facts"]):
            show("problem", heading=say("It was not ended"), text=say(STANDS))
            return
        st.rerun()


@dialog("Remove it for good?")
def remove(client: Client, fact: Fact) -> None:
    st.text(say(GOES, fact=fact["text"]))
    with st.container(horizontal=True):
        if st.button(say("Remove"), key="delete", type="primary"):
            try:
                client.remove(fact["id"])
            except Refused as refused:
                problem(say("It was not removed"), refused)
                return
            st.rerun()
        if st.button(say("Keep it")):
            st.rerun()


@dialog("Take it along")
def take_along(client: Client) -> None:
    st.text(say("Everything I know about you, as a FHIR bundle: a file that clinics and other programs can read."))
    try:
        bundle = client.fhir()
    except Refused as refused:
        problem(say("The file can't be made at the moment"), refused)
        return
    st.download_button(
        say("Download"), bundle, "primum-about-me.fhir.json", "application/fhir+json", on_click="ignore", type="primary"
    )


@dialog("Erase everything about you?")
def erase(client: Client, start_over: Callable[[], None]) -> None:
    st.text(say(ALL_GOES))
    with st.form("erasure", border=False):
        typed = st.text_input(say("To confirm, type the word “{word}”", word=ERASE), autocomplete="off")
        wrong = st.empty()
        if not st.form_submit_button(say("Erase everything"), key="delete", type="primary"):
            return
    if (typed or "").strip(" “”\"'").casefold() != ERASE:
        with wrong:
            show("problem", heading=say("Nothing was erased"), text=say("The word to type is: {word}", word=ERASE))
        return
    try:
        receipt = client.erase()
    except Refused as refused:
        with wrong:
            problem(say("Nothing was erased"), refused)
        return
    start_over()
    st.session_state["receipt"] = receipt
    st.rerun()


def show_receipt() -> None:
    """What was erased, until something else is opened or asked."""
    if receipt := st.session_state.get("receipt"):
        show("receipt", receipt=receipt)
        st.download_button(
            say("Download the receipt"), json.dumps(receipt, indent=2), "primum-receipt.json", "application/json",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
