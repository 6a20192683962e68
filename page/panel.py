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
from primum.page.view import plain, show

VIEW = "known"  # in the address
ERASE = "erase"  # what one types to confirm
LONGEST = 200  # characters of a value
SIDES = ("known", "new")  # of what is unclear
STANDS = (
    "The chart keeps it. What began or was told after that day can't have ended on it, and an allergy does not end: "
    "if it was wrong, correct or remove it."
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
        st.button("Back", icon=":material/arrow_back:", type="tertiary", on_click=close_panel)
        try:
            chart, ended = client.facts(), client.facts(ended=True)["facts"]
        except Refused as refused:
            show("problem", heading="What I know about you can't be shown at the moment", text=refused.message)
            st.button("Try again", icon=":material/refresh:")
            return
        show("known", facts=chart["facts"])
        with st.container(horizontal=True, key="panel-actions"):
            if st.button("Add a fact", icon=":material/add:", type="primary"):
                add(client)
            if chart["facts"] and st.button("Take it along", icon=":material/download:"):
                take_along(client)
        told = {fact["text"]: fact for fact in (*ended, *chart["facts"])}
        for unclear in chart["unclear"]:
            show_unclear(client, unclear, told)
        for name, facts in grouped(chart["facts"]).items():
            show("group", name=name)
            for fact in facts:
                show_fact(client, fact)
        disputed = {unclear[side]["text"] for unclear in chart["unclear"] for side in SIDES}
        show_ended(client, [fact for fact in ended if fact["ended"] and fact["text"] not in disputed])
        if st.button("Erase everything about me", key="erase-all", type="tertiary", icon=":material/delete_forever:"):
            erase(client, start_over)


def show_fact(client: Client, fact: Fact) -> None:
    actions: dict[str, Callable[[Client, Fact], None]] = {}
    if not fact["ended"]:
        actions["Correct it"] = correct
        if fact["kind"] in ENDING:
            actions["No longer so"] = end
    actions["Remove for good"] = remove
    with st.container(horizontal=True, key=f"fact-{fact['id']}", gap=None, wrap=False):
        show("fact", fact=fact)
        chosen = st.menu_button(
            f"Change {plain(fact['text'])}", list(actions), key=f"menu-{fact['id']}", type="tertiary",
            icon=":material/more_horiz:",
        )  # fmt: skip
    if chosen:
        actions[chosen](client, fact)


def show_ended(client: Client, facts: list[Fact]) -> None:
    if facts:
        with st.expander(f"What no longer holds ({len(facts)})", key="ended"):
            for fact in facts:
                show_fact(client, fact)


def show_unclear(client: Client, unclear: Json, told: Mapping[str, Fact]) -> None:
    """Two facts that can't both be true, for the patient to choose. `told`: the chart's facts by their words."""
    sides = {side: told.get(unclear[side]["text"], unclear[side]) for side in SIDES}  # which know where they are from
    with st.container(key=f"unclear-{unclear['id']}"):
        show("unclear", kept=sides[unclear["kept"]], sides=sides.values())
        with st.container(horizontal=True):
            for side, fact in sides.items():
                if st.button(f"“{plain(fact['text'])}” is right", key=f"right-{unclear['id']}-{side}"):
                    confirm_right(client, unclear["id"], side, fact["text"])
            if st.button("Neither is right", key=f"right-{unclear['id']}-neither", type="tertiary"):
                confirm_right(client, unclear["id"], "neither", "")


@st.dialog("Is that right?")
def confirm_right(client: Client, number: int, right: str, words: str) -> None:
    if words:
        st.text(f"From now on I go by “{words}”. What can't be true with it is no longer taken into account.")
    else:
        st.text("From now on I take neither into account. If something else is so, add it as a fact.")
    with st.container(horizontal=True):
        if st.button("That is right", type="primary"):
            try:
                client.settle(number, right)
            except Refused as refused:
                show("problem", heading="It is still unclear", text=refused.message)
                return
            st.rerun()
        if st.button("Leave it open"):
            st.rerun()


@st.dialog("Add a fact")
def add(client: Client) -> None:
    kind = st.selectbox("What is it about?", list(KINDS), format_func=lambda kind: KINDS[kind][0])
    fill_in(kind, "", client.fill_in)


@st.dialog("Correct it")
def correct(client: Client, fact: Fact) -> None:
    st.text(f"I know: {fact['text']}")

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
            details["relative"] = st.selectbox("Who has it?", relatives, accept_new_options=True)
        said = st.text_input(label, value, placeholder=f"For example: {example}", max_chars=LONGEST, autocomplete="off")
        wrong = st.empty()
        if kind == "allergy":
            details["reaction"] = st.text_input(
                "What happens (if you know)", known.get("reaction") or "", placeholder="For example: rash, swelling"
            )
            severity = known.get("severity")
            details["severity"] = st.selectbox(
                "How bad (if you know)", SEVERITIES, index=SEVERITIES.index(severity) if severity else None,
                format_func=str.capitalize, placeholder="",
            )  # fmt: skip
        if not st.form_submit_button("Save", type="primary"):
            return
    try:
        save(entry(kind, said or "", **details))
    except Refused as refused:
        with wrong:
            show("problem", heading="It was not saved", text=refused.message)
    else:
        st.rerun()


@st.dialog("No longer so")
def end(client: Client, fact: Fact) -> None:
    st.text(f"“{fact['text']}” will no longer be taken into account. It stays in sight among what no longer holds.")
    today = datetime.now(UTC).date()
    on = st.date_input("Until when was it so?", today, max_value=today, format="YYYY-MM-DD")
    if st.button("It ended then", type="primary"):
        try:
            after = client.end(fact["id"], on)
        except Refused as refused:
            show("problem", heading="It was not ended", text=refused.message)
            return
        if any(one["id"] == fact["id"] for one in after["facts"]):
            show("problem", heading="It was not ended", text=STANDS)
            return
        st.rerun()


@st.dialog("Remove it for good?")
def remove(client: Client, fact: Fact) -> None:
    st.text(
        f"“{fact['text']}” goes with its proof and all its earlier versions, and no answer takes it into account. "
        "The conversation in which you said it stays until you delete that."
    )
    with st.container(horizontal=True):
        if st.button("Remove", key="delete", type="primary"):
            try:
                client.remove(fact["id"])
            except Refused as refused:
                show("problem", heading="It was not removed", text=refused.message)
                return
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


@st.dialog("Take it along")
def take_along(client: Client) -> None:
    st.text("Everything I know about you, as a FHIR bundle: a file that clinics and other programs can read.")
    try:
        bundle = client.fhir()
    except Refused as refused:
        show("problem", heading="The file can't be made at the moment", text=refused.message)
        return
    st.download_button(
        "Download", bundle, "primum-about-me.fhir.json", "application/fhir+json", on_click="ignore", type="primary"
    )


@st.dialog("Erase everything about you?")
def erase(client: Client, start_over: Callable[[], None]) -> None:
    st.text(
        "All your conversations with their answers go for good, and everything I know about you with its proof. "
        "Nobody can bring it back. You get a signed receipt of what went."
    )
    with st.form("erasure", border=False):
        typed = st.text_input(f"To confirm, type the word “{ERASE}”", autocomplete="off")
        wrong = st.empty()
        if not st.form_submit_button("Erase everything", key="delete", type="primary"):
            return
    if (typed or "").strip(" “”\"'").casefold() != ERASE:
        with wrong:
            show("problem", heading="Nothing was erased", text=f"The word to type is: {ERASE}")
        return
    try:
        receipt = client.erase()
    except Refused as refused:
        with wrong:
            show("problem", heading="Nothing was erased", text=refused.message)
        return
    start_over()
    st.session_state["receipt"] = receipt
    st.rerun()


def show_receipt() -> None:
    """What was erased, until something else is opened or asked."""
    if receipt := st.session_state.get("receipt"):
        show("receipt", receipt=receipt)
        st.download_button(
            "Download the receipt", json.dumps(receipt, indent=2), "primum-receipt.json", "application/json",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
