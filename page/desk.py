"""The desk of whoever signs: answers that wait, each to be let out, edited or refused."""

import streamlit as st

from primum.page.client import Client, Json, Refused
from primum.page.view import heading, problem, show
from primum.page.words import say


def show_desk(client: Client) -> None:
    """The whole page."""
    heading(say("Sign-off"), say("No patient sees one of these answers until you let it out. Emergencies never wait."))
    if refused := st.session_state.pop("undecided", None):
        problem(say("That could not be decided"), refused)
    try:
        found = client.reviews()
    except Refused as refused:
        problem(say("What waits can't be shown at the moment"), refused)
        st.button(say("Try again"), icon=":material/refresh:")
        return
    if not found:
        show("note", text=say("Nothing waits for you."))
    for review in found:
        _show_review(client, review)


def _show_review(client: Client, review: Json) -> None:
    run, answer = review["run_id"], review["answer"]
    with st.container(key=f"review-{run}", border=True):
        show("waited", text=say("Patient: {patient}", patient=review["patient"]))
        show("question", text=review["question"])
        show("answer", answer=answer, clinician=True)
        text = st.text_area(
            say("Your version"), answer["text"], key=f"version-{run}", max_chars=20_000, height=160,
            help=say("Keep a number such as [1] where a sentence rests on that source."),
        )  # fmt: skip
        edited = text.strip() != answer["text"].strip()
        with st.container(horizontal=True):
            _choice(client, run, say("Let it out"), "approved", primary=not edited, disabled=edited)
            _choice(client, run, say("Let my version out"), "edited", text, primary=edited, disabled=not edited)
            _choice(client, run, say("Refuse"), "refused")


def _choice(
    client: Client,
    run: str,
    label: str,
    decision: str,
    text: str | None = None,
    *,
    primary: bool = False,
    disabled: bool = False,
) -> None:
    st.button(
        label,
        key=f"{decision}-{run}",
        type="primary" if primary else "secondary",
        disabled=disabled,
        on_click=_decide,
        args=(client, run, decision, text),
    )


def _decide(client: Client, run: str, decision: str, text: str | None) -> None:
    try:
        client.decide(run, decision, text)
    except Refused as refused:
        st.session_state["undecided"] = refused
