"""The page: `streamlit run app.py -- --api http://127.0.0.1:8400`. A client of the HTTP API, nothing else."""

import argparse
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from primum.page import script
from primum.page.chat import show_chat
from primum.page.client import Client, Refused
from primum.page.desk import show_desk
from primum.page.library import show_library
from primum.page.operations import show_operations
from primum.page.view import heading, show
from primum.page.visitor import Visitor, find, show_account, show_login, show_patient, show_picker, signed
from primum.page.words import CODES, LANGUAGES, language, native, say

ROOM = Path(script.__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description="The page of Primum.")
    parser.add_argument("--api", default="http://127.0.0.1:8400", help="address of the HTTP API")
    client = signed(connect(parser.parse_args().api))
    st.set_page_config("Primum", page_icon=str(ROOM / "icon.svg"))
    st.html(ROOM / "style.css")
    st.logo(str(ROOM / "logo.svg"), size="large")
    st.session_state.setdefault("scripts", [script.FOLLOW_LINKS])
    with st.sidebar:
        sidebar, foot = st.container(key="own"), st.container(key="foot", gap="small")
    with foot:
        choose_language()
    visitor = find(client)
    with foot:
        if visitor and visitor.login:
            show_account(visitor)
        show_health(client)
    show_page(client, visitor, sidebar)
    if st.session_state.get("spoken") != language():
        st.session_state["spoken"] = language()
        script.scripts().append(script.speak(CODES[language()]))
    script.run_scripts()


@st.cache_resource(show_spinner=False)
def connect(url: str) -> Client:
    return Client.of(url)


def choose_language() -> None:
    st.segmented_control(
        "Language · 语言", LANGUAGES, default=native(), required=True, key="language", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip


def show_page(client: Client, visitor: Visitor | None, sidebar: DeltaGenerator) -> None:
    """The page that the address names, of those that the visitor may see."""
    if visitor is None:
        every = Visitor(True, "", None, frozenset({"ask", "library", "operate"}), signs=True)
        st.navigation(pages(client, every, sidebar), position="hidden")
        show_login(client)
    elif found := pages(client, visitor, sidebar):
        st.navigation(found).run()
    else:
        heading(say("Nothing to see here"), say("Your key allows none of the pages. Ask whoever gave it to you."))


def pages(client: Client, visitor: Visitor, sidebar: DeltaGenerator) -> list[Any]:
    def chat() -> None:
        if visitor.chooses_patient and "patient" not in st.session_state:
            show_picker(client, visitor)
            return
        if visitor.chooses_patient:
            with sidebar:
                show_patient()
        show_chat(client, visitor, sidebar)

    def desk() -> None:
        show_desk(client)

    def library() -> None:
        show_library(client, visitor)

    def operations() -> None:
        show_operations(client)

    found = []
    if visitor.may("ask"):
        found.append(st.Page(chat, title=say("Conversation"), icon=":material/chat:", url_path="", default=True))
    if visitor.signs:
        found.append(st.Page(desk, title=say("Sign-off"), icon=":material/approval:", url_path="sign-off"))
    if visitor.may("ask") or visitor.may("library"):
        icon = ":material/local_library:"
        found.append(st.Page(library, title=say("Library"), icon=icon, url_path="library"))
    if visitor.may("operate"):
        icon = ":material/monitoring:"
        found.append(st.Page(operations, title=say("Operations"), icon=icon, url_path="operations"))
    return found


@st.fragment(run_every=30)
def show_health(client: Client) -> None:
    try:
        show("health", health=client.health())
    except Refused as refused:
        show("silent", text=say(refused.message, **refused.given))


main()
