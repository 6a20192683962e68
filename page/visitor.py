"""Who uses the page: signed in with a key where the API asks for one, and which patient it is about."""

import re
import time
from dataclasses import dataclass
from typing import Self, cast

import streamlit as st

from primum.page.client import Client, Json, Refused
from primum.page.view import heading, plain, problem, show
from primum.page.words import say

FRESH = 20  # seconds for which who asks is not asked again
MOST = 20  # patients shown at once
ROLES = {
    "patient": "Signed in as a patient",
    "clinician": "Signed in as a clinician",
    "admin": "Signed in as an administrator",
}
PATIENT = re.compile(r"[!-~]{1,128}")  # as the API takes a name


@dataclass(frozen=True)
class Visitor:
    """What the API says of who asks. `patient`: the only one that a patient's key speaks for."""

    login: bool
    role: str
    patient: str | None
    scopes: frozenset[str]
    signs: bool = False  # answers to patients wait here, and who asks may decide on them
    senses: frozenset[str] = frozenset()  # what else than words they may ask with: speech, picture

    @classmethod
    def of(cls, me: Json) -> Self:
        scopes = frozenset(me["scopes"])
        signs = me["sign_off"] and "sign" in scopes
        return cls(me["login"], me["role"], me["patient"], scopes, signs, frozenset(me["senses"]))

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def chooses_patient(self) -> bool:
        """Whether what they ask is about one patient of many."""
        return self.login and self.patient is None and self.may("ask")


# While the API can't say who asks: each part of the page says then that it can't be reached.
UNKNOWN = Visitor(False, "patient", None, frozenset({"ask", "chart"}))


def find(client: Client) -> Visitor | None:
    """Who asks; nobody until they sign in, or while what they signed in with does not hold."""
    at, known = st.session_state.get("visitor", (0.0, None))
    if known and time.monotonic() - at < FRESH:
        return cast(Visitor, known)
    try:
        visitor = Visitor.of(client.me())
    except Refused as refused:
        if refused.status == 401:
            if client.key:
                forget()
                st.session_state["ended"] = refused
            return None
        return known or UNKNOWN
    st.session_state["visitor"] = time.monotonic(), visitor
    return visitor


def signed(client: Client) -> Client:
    """The API as this visitor asks it: with the key that was typed, else the token of the house's login."""
    token = st.user.tokens["access"] if logged_in() else ""
    return client.signed(st.session_state.get("key", token)).about(st.session_state.get("patient", client.patient))


def logged_in() -> bool:
    """Whether they came in by the house's login."""
    return login_offered() and bool(st.user.get("is_logged_in"))


def login_offered() -> bool:
    """Whether the house's login is set up: PRIMUM_PAGE_LOGIN."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def sign_out() -> None:
    """Forgets who asked; what came in by the house's login leaves by it."""
    forget()
    if logged_in():
        st.logout()


def forget() -> None:
    """Forgets the key, and all that was shown with it but the language."""
    for name in {*st.session_state} - {"language"}:
        del st.session_state[name]
    for name in ("thread", "view", "document", "piece"):
        st.query_params.pop(name, None)


def show_login(client: Client) -> None:
    """The house's login where there is one, and the form that a key is typed into.

    A key stays in this session's memory, and nowhere else.
    """
    heading(say("Sign in"), say("Primum needs to know who asks."))
    if ended := st.session_state.get("ended"):
        problem(say("You are not signed in"), ended)
    if not login_offered():
        _show_form(client)
        return
    st.button(say("Sign in with your account"), type="primary", icon=":material/login:", on_click=st.login)
    with st.expander(say("Sign in with an API key")):
        _show_form(client)


def _show_form(client: Client) -> None:
    show("note", text=say("Type the API key that you were given; it is forgotten when you sign out."))
    with st.form("login", border=False):
        key = st.text_input(
            say("API key"), type="password", autocomplete="off",
            help=say("Whoever runs Primum here makes one with “primum keys create”."),
        ).strip()  # fmt: skip
        wrong = st.empty()
        if not st.form_submit_button(say("Sign in"), type="primary"):
            return
    try:
        st.session_state["visitor"] = time.monotonic(), _enter(client, key)
    except Refused as refused:
        with wrong.container():
            problem(say("You are not signed in"), refused)
        return
    st.session_state.pop("ended", None)
    st.session_state["key"] = key
    st.rerun()


def _enter(client: Client, key: str) -> Visitor:
    if not re.fullmatch(r"[!-~]+", key):
        raise Refused("An API key is made of letters, digits and signs, without spaces.")
    return Visitor.of(client.signed(key).me())


def show_account(visitor: Visitor) -> None:
    """As what one is signed in, and the way out."""
    with st.container(horizontal=True, key="account", vertical_alignment="center"):
        show("account", text=say(ROLES[visitor.role]))
        st.button(say("Sign out"), type="tertiary", icon=":material/logout:", on_click=sign_out)


def show_patient() -> None:
    """Whom it is about, and the way to another."""
    with st.container(horizontal=True, key="patient-current", vertical_alignment="center"):
        show("account", text=say("Patient: {name}", name=st.session_state["patient"]))
        st.button(say("Change patient"), type="tertiary", icon=":material/swap_horiz:", on_click=leave_patient)


def leave_patient() -> None:
    """Leaves nothing of the patient on the page."""
    for name in ("patient", "live", "fresh", "visited", "receipt", "shown", "opinions"):
        st.session_state.pop(name, None)
    for name in ("thread", "view"):
        st.query_params.pop(name, None)


def _choose(patient: str) -> None:
    leave_patient()
    st.session_state["patient"] = patient


def show_picker(client: Client, visitor: Visitor) -> None:
    """The patients to choose from, and a way to one who is new here."""
    heading(
        say("Which patient is it about?"),
        say("What you ask is kept with this patient, and answers take into account what is known of them."),
    )
    like = st.text_input(
        say("Name or number of the patient"), max_chars=128, autocomplete="off", key="like", icon=":material/search:"
    ).strip()
    try:
        names = client.patients(like, MOST) if visitor.may("chart") else []
    except Refused as refused:
        problem(say("The patients can't be shown at the moment"), refused)
        return
    with st.container(key="patients", gap="small"):
        for name in names:
            st.button(
                plain(name),
                f"patient {name}",
                icon=":material/person:",
                width="stretch",
                on_click=_choose,
                args=(name,),
            )
    if len(names) == MOST:
        show("note", text=say("There may be more: type a part of the name."))
    if not names and not like:
        show("note", text=say("There is no patient yet: type the name or number of the first."))
    if like and like not in names:
        _show_new(like)


def _show_new(name: str) -> None:
    if not PATIENT.fullmatch(name) or name == "me":
        show("note", text=say("To open a new patient, type letters, digits and signs without spaces, as in P-1042."))
        return
    label = say("Open “{name}” as a new patient", name=plain(name))
    st.button(label, "new-patient", icon=":material/person_add:", on_click=_choose, args=(name,))
