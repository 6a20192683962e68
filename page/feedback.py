"""What a reader thinks of an answer: a thumb, and why."""

from dataclasses import dataclass
from typing import Literal, cast

import streamlit as st

from primum.page.client import Client, Refused
from primum.page.view import problem, show
from primum.page.words import say

Rating = Literal[-1, 1]
LABELS: dict[Rating, str] = {1: "This helped", -1: "This did not help"}
ICONS: dict[Rating, str] = {1: ":material/thumb_up:", -1: ":material/thumb_down:"}
# As they are kept, in whatever language they were read.
REASONS: dict[Rating, tuple[str, ...]] = {
    1: ("Clear", "Complete", "Well proven", "Right for me"),
    -1: ("Wrong", "Unsafe", "Not what I asked", "Something is missing", "Hard to understand", "Badly proven"),
}
LONGEST = 2000  # characters of a comment


@dataclass(frozen=True)
class Opinion:
    """A rating that was given here. `said`: its reasons were sent; `refused`: why it is not kept."""

    rating: Rating
    said: bool = False
    refused: Refused | None = None


def show_feedback(client: Client, run: str) -> None:
    """The thumbs below an answer, and once one is given, what it is for."""
    given = _opinions().get(run)
    with st.container(horizontal=True, key=f"feedback-{run}", gap=None):
        for rating, label in LABELS.items():
            chosen = given is not None and given.rating == rating
            with st.container(key=f"rated-{'this' if chosen else 'not'}-{rating}-{run}", width="content"):
                words = say("{label} (chosen)", label=say(label)) if chosen else say(label)
                key = f"rate-{rating}-{run}"
                st.button(words, key, type="tertiary", icon=ICONS[rating], on_click=_keep, args=(client, run, rating))
    if given is None:
        return
    if given.refused:
        problem(say("Your rating was not kept"), given.refused)
    elif given.said:
        show("note", text=say("Thank you. Whoever runs Primum here can read it."))
    else:
        _ask_why(client, run, given.rating)


def _ask_why(client: Client, run: str, rating: Rating) -> None:
    with st.form(f"why-{run}"):
        label = say("What was good about it?" if rating == 1 else "What was wrong with it?")
        reasons = st.pills(label, REASONS[rating], selection_mode="multi", format_func=say)
        comment = st.text_input(
            say("In your words, without names (if you like)"), max_chars=LONGEST, autocomplete="off"
        )
        if st.form_submit_button(say("Send")):
            _keep(client, run, rating, reasons, comment, said=True)
            st.rerun()


def _keep(
    client: Client, run: str, rating: Rating, reasons: list[str] | None = None, comment: str = "", said: bool = False
) -> None:
    try:
        client.rate(run, rating, reasons or [], comment)
    except Refused as refused:
        _opinions()[run] = Opinion(rating, refused=refused)
    else:
        _opinions()[run] = Opinion(rating, said)


def _opinions() -> dict[str, Opinion]:
    """Those that this visitor gave, by the answer's run."""
    return cast(dict[str, Opinion], st.session_state.setdefault("opinions", {}))
