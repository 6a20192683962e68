"""The library: what answers rest on, to be found, read, added to and taken out of."""

from urllib.parse import quote

import streamlit as st

from primum.page.client import Client, Json, Refused
from primum.page.script import SHOW_CITED, SHOW_TOP, scripts
from primum.page.view import dialog, heading, problem, show
from primum.page.visitor import Visitor
from primum.page.words import say

STEP = 50  # documents that are shown at once
MOST = 500
LARGEST = 32  # megabytes of a file


def show_library(client: Client, visitor: Visitor) -> None:
    """The library's documents, or the one that the address names."""
    st.session_state.pop("shown", None)  # back in the conversation, its last question is scrolled to again
    number = str(st.query_params.get("document", ""))
    with st.container(key="library"):
        if number.isdecimal() and len(number) < 19:
            _show_document(client, visitor, int(number))
            return
        heading(
            say("The library"),
            say("What answers rest on: every proven sentence stands in one of these documents."),
        )
        if ways := _ways():
            show("links", links=ways)
        if visitor.may("library"):
            _show_upload(client, visitor)
        if visitor.may("ask"):
            _show_list(client)


def _ways() -> dict[str, str]:
    """To the conversation that one comes from."""
    thread = st.session_state.get("visited")
    return {f"./?thread={quote(thread, safe='')}": say("Back to the conversation")} if thread else {}


def _show_list(client: Client) -> None:
    like = st.text_input(
        say("Find by title"), max_chars=200, autocomplete="off", key="title", icon=":material/search:"
    ).strip()
    limit = st.session_state.get("documents", STEP)
    try:
        found = client.documents(like, limit)
    except Refused as refused:
        problem(say("The documents can't be shown at the moment"), refused)
        st.button(say("Try again"), icon=":material/refresh:")
        return
    show("documents", documents=found, like=like)
    if len(found) == limit < MOST:
        st.button(say("Show more"), on_click=_show_more, args=(limit,))
    elif len(found) == MOST:
        show("note", text=say("These are the newest {count}: find others by their title.", count=MOST))


def _show_more(limit: int) -> None:
    st.session_state["documents"] = min(limit + STEP, MOST)


def _show_document(client: Client, visitor: Visitor, number: int) -> None:
    show("links", links=_ways() | {"library": say("All documents")})
    try:
        page = client.document(number)
        entry = _entry(client, number, page["title"])
    except Refused as refused:
        problem(say("This document can't be shown"), refused)
        return
    piece = str(st.query_params.get("piece", ""))
    if st.session_state.get("opened") != (number, piece):
        st.session_state["opened"] = number, piece
        scripts().append(SHOW_CITED if piece else SHOW_TOP)
    show("document", page={**page, "stale": entry.get("stale", False)}, piece=piece)
    may = visitor.may("library") and (entry.get("private") or visitor.may("operate"))
    if may and st.button(say("Take out of the library"), key="take-out", type="tertiary", icon=":material/delete:"):
        _confirm(client, number, page["title"])


def _entry(client: Client, number: int, title: str) -> Json:
    """The document's line in the list: whose it is, and how old."""
    return next((entry for entry in client.documents(title[:200], MOST) if entry["id"] == number), {})


@dialog("Take this document out?")
def _confirm(client: Client, number: int, title: str) -> None:
    st.text(say("“{title}” goes with all its versions, and no answer rests on it any more.", title=title))
    with st.container(horizontal=True):
        if st.button(say("Take out"), key="delete", type="primary"):
            try:
                client.take_out(number)
            except Refused as refused:
                problem(say("It was not taken out"), refused)
                return
            st.query_params.clear()
            st.rerun()
        if st.button(say("Keep it")):
            st.rerun()


def _show_upload(client: Client, visitor: Visitor) -> None:
    with st.expander(say("Add a document"), icon=":material/upload_file:", key="upload"):
        with st.form("upload", border=False, clear_on_submit=True):
            file = st.file_uploader(
                say("File: PDF, Word, slides, text, Markdown, HTML, a table or an archive of such"),
                max_upload_size=LARGEST,
            )
            everyones = visitor.may("operate") and st.checkbox(
                say("For everyone: the documents of all tenants of this installation")
            )
            if not st.form_submit_button(say("Add to the library"), type="primary"):
                return
        if file is None:
            show("note", text=say("Choose a file first."))
            return
        try:
            with st.spinner(say("Reading it in …")):
                taken = client.put_in(file.name, file.getvalue(), everyones=everyones)
        except Refused as refused:
            problem(say("It was not added"), refused)
        else:
            show("taken", taken=taken, name=file.name)
