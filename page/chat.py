"""The conversation: questions, answers as they come, and the conversations before."""

from typing import cast
from uuid import uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.widgets.chat import ChatInputValue
from streamlit.runtime.uploaded_file_manager import UploadedFile

from primum.page import panel, script
from primum.page.client import Audience, Client, Form, Json, Refused
from primum.page.export import show_export
from primum.page.feedback import show_feedback
from primum.page.live import LiveTurn
from primum.page.script import scripts
from primum.page.view import dialog, plain, problem, show
from primum.page.visitor import Visitor
from primum.page.words import say

EXAMPLES = (
    "What are the symptoms of type 2 diabetes?",
    "Can I take ibuprofen while pregnant?",
    "How is asthma treated in children?",
    "What should I do about a burn?",
    "When is a headache an emergency?",
)
AUDIENCES: dict[str, Audience] = {"Patient": "patient", "Clinician": "clinician"}
CASE_HELP = "It is worked up: differential, tests, treatment, red flags and what is missing, each with its source."
MORE = "{seconds} s so far. What you read is checked; the rest is still written and may change it."
SO_FAR = "{seconds} s so far. You see the answer once every sentence in it is checked."
PICTURES = ["jpg", "jpeg", "png", "webp"]
MAX_UPLOAD = 12  # MB, as much as the API takes
GOES = "“{title}” and its answers will be removed for good. What it told of you stays in “What I know about you”."


def show_chat(client: Client, visitor: Visitor, sidebar: DeltaGenerator) -> None:
    """The page of the conversation, and its part of the sidebar."""
    with sidebar:
        st.button(say("New conversation"), icon=":material/add:", width="stretch", on_click=leave)
        known = st.container()
        audience = choose_audience(visitor)
        form = choose_form(audience)
    if panel.is_open() and visitor.may("chart"):
        busy = False
        panel.show_panel(client, start_over)
    else:
        busy = show_conversation(client, audience)
    with st.bottom:
        show_input(client, visitor, audience, form, busy)
        show("disclaimer")
    if visitor.may("chart"):
        with known:
            show_known(client)
    with sidebar:
        show_threads(client)


def show_input(client: Client, visitor: Visitor, audience: Audience, form: Form | None, busy: bool) -> None:
    """The box that questions are typed into; with a microphone and for pictures, where the endpoint can read them."""
    if refused := st.session_state.pop("unread", None):
        problem(say("It could not be read"), refused)
    elif st.session_state.pop("heard", False):
        show("note", text=say("This is what was understood. Correct it if it is wrong, then send it."))
    st.chat_input(
        say("One moment: an answer is on its way") if busy else say("Ask a health question"),
        key="typed",
        disabled=busy,
        accept_audio="speech" in visitor.senses,
        accept_file="picture" in visitor.senses,
        file_type=PICTURES,
        max_upload_size=MAX_UPLOAD,
        on_submit=lambda: take(client, st.session_state["typed"], audience, form),
    )


def take(client: Client, given: str | ChatInputValue, audience: Audience, form: Form | None) -> None:
    """Asks what was typed. What was said or shown comes back as words first: models mishear."""
    if isinstance(given, str):
        ask(client, given, audience, form)
        return
    # What is not accepted is not among its keys.
    sent = [*cast(list[UploadedFile], given.get("files", []))]
    if recorded := cast(UploadedFile | None, given.get("audio")):
        sent.append(recorded)
    if not sent:
        ask(client, given.text, audience, form)
        return
    try:
        read = [client.words(file.name, file.getvalue()) for file in sent]
    except Refused as refused:
        read, st.session_state["unread"] = [], refused
    st.session_state["heard"] = bool(read)
    st.session_state["typed"] = "\n".join(filter(None, (given.text, *read)))


def choose_audience(visitor: Visitor) -> Audience:
    """For whom answers are written; for who signed in as a patient, always for them."""
    if visitor.login and visitor.role == "patient":
        return "patient"
    usual = "Clinician" if visitor.login else "Patient"
    name = st.segmented_control(
        say("Answers for"), list(AUDIENCES), default=usual, format_func=say, required=True, key="audience",
        bind="query-params",
    )  # fmt: skip
    return AUDIENCES[name or usual]


def choose_form(audience: Audience) -> Form | None:
    """What a clinician's next message is; a patient's is a question."""
    if audience != "clinician":
        return None
    case = st.toggle(say("My message is a case"), key="case", help=say(CASE_HELP))
    return "case" if case else None


def thread_id() -> str:
    """The conversation on show: the address names it from the moment that the API has taken a question of it."""
    return str(st.query_params.get("thread") or st.session_state.setdefault("fresh", str(uuid4())))


def leave() -> None:
    """To an empty page."""
    st.query_params.pop("thread", None)
    for name in ("fresh", "receipt", "visited"):
        st.session_state.pop(name, None)
    panel.close_panel()
    scripts().append(script.CLOSE_SIDEBAR)


def start_over() -> None:
    """To an empty page, with nothing left of what was asked."""
    live_turns().clear()
    leave()
    scripts().append(script.SHOW_TOP)


def open_thread(thread: str) -> None:
    st.query_params["thread"] = thread
    panel.close_panel()
    scripts().append(script.CLOSE_SIDEBAR)


def open_panel() -> None:
    panel.open_panel()
    st.session_state.pop("shown", None)  # back in the conversation, its last question is scrolled to again
    scripts().extend((script.CLOSE_SIDEBAR, script.SHOW_TOP))


def live_turns() -> dict[str, LiveTurn]:
    """This visitor's questions that are on their way or were refused, one a conversation."""
    return cast(dict[str, LiveTurn], st.session_state.setdefault("live", {}))


def ask(client: Client, question: str, audience: Audience, form: Form | None = None) -> None:
    thread = thread_id()
    panel.close_panel()
    st.session_state.pop("receipt", None)
    live_turns()[thread] = LiveTurn.start(client, thread, question, audience, form)


def show_conversation(client: Client, audience: Audience) -> bool:
    """The conversation so far; whether the next question has to wait."""
    thread = thread_id()
    live = live_turns().get(thread)
    if live and live.accepted:
        st.query_params["thread"] = thread
        st.session_state.pop("fresh", None)
    if live and live.ended and not live.refused:
        live = live_turns().pop(thread) and None  # its answer is stored by now
    try:
        turns = client.turns(thread) if st.query_params.get("thread") else []
    except Refused as refused:
        show_absent(client, thread, refused)
        return False
    if st.query_params.get("thread"):
        st.session_state["visited"] = thread  # to which the library leads back
    scroll_when_new(thread, len(turns), live is not None)
    running = turns.pop() if turns and turns[-1]["status"] in ("running", "waiting") else None
    if not (turns or running or live):
        show_welcome(client, audience)
    for turn in turns:
        show_turn(client, audience, turn)
    if any(turn["answer"] for turn in turns) and not (live or running):
        show_export(turns)
    if live and not live.refused:
        show("question", text=live.question)
        follow(live, thread)
    elif running:
        show("question", text=running["question"])
        wait(client, thread, running["status"])
    if live and live.refused:
        show_refused(client, live, live.refused)
    return bool(running or (live and not live.refused))


def scroll_when_new(*shown: object) -> None:
    """To the last question, when another conversation is opened, a question asked or an answer there."""
    if st.session_state.get("shown") != shown:
        st.session_state["shown"] = shown
        scripts().append(script.SHOW_LAST_QUESTION)


def show_welcome(client: Client, audience: Audience) -> None:
    with st.container(key="welcome"):
        panel.show_receipt()
        show("welcome")
        with st.container(horizontal=True, key="examples"):
            for example in EXAMPLES:
                st.button(say(example), on_click=ask, args=(client, say(example), audience))


def show_turn(client: Client, audience: Audience, turn: Json) -> None:
    show("question", text=turn["question"])
    if turn["answer"]:
        show("answer", answer=turn["answer"], clinician=audience == "clinician")
        show_feedback(client, turn["run_id"])
        return
    show(
        "problem",
        heading=say("No answer could be made"),
        text=say("Something broke while this question was being answered."),
    )
    st.button(say("Ask again"), key=turn["run_id"], on_click=ask, args=(client, turn["question"], audience))


def show_refused(client: Client, live: LiveTurn, refused: Refused) -> None:
    """A question that was not taken; unless something is wrong with it, it can be sent again."""
    show("question", text=live.question)
    problem(say("Your question was not sent"), refused)
    if refused.status not in (400, 413, 422):
        st.button(
            say("Try again"),
            icon=":material/refresh:",
            on_click=ask,
            args=(client, live.question, live.audience, live.form),
        )


def show_absent(client: Client, thread: str, refused: Refused) -> None:
    """A conversation that can't be shown: gone for good, or for now."""
    if refused.status in (404, 422):
        show(
            "problem",
            heading=say("This conversation does not exist"),
            text=say("It was deleted, or the address is wrong."),
        )
        st.button(say("Start a new one"), on_click=leave)
    else:
        problem(say("This conversation can't be shown at the moment"), refused)
        reappear(client, thread)


@st.fragment(run_every=0.4)
def follow(live: LiveTurn, thread: str) -> None:
    """The steps of a turn, as they happen."""
    if live.ended or (live.accepted and st.query_params.get("thread") != thread):
        st.rerun()
    show("working", steps=live.steps, titles=live.titles, first=say("One moment"))
    if live.audited:
        show("audited", **live.audited, card=f"audited-{thread}")
    show("waited", text=say(MORE if live.audited else SO_FAR, seconds=live.seconds))


@st.fragment(run_every=2)
def wait(client: Client, thread: str, status: str) -> None:
    """For a turn that was asked before the page was loaded, or elsewhere, or that waits for a clinician."""
    try:
        still = client.turns(thread)[-1]["status"] == status
    except Refused:
        still = False
    if not still:
        st.rerun()
    signing = say("A clinician looks at the answer before you get it")
    first = signing if status == "waiting" else say("Still working on the answer")
    show("working", steps={}, titles=[], first=first)
    show("waited", text=say("It will appear here by itself."))


@st.fragment(run_every=4)
def reappear(client: Client, thread: str) -> None:
    """Shows the conversation again as soon as the API can."""
    try:
        client.turns(thread)
    except Refused as refused:
        if refused.status == 401:
            st.rerun()
        show("note", text=say("Trying again every few seconds."))
    else:
        st.rerun()


def show_known(client: Client) -> None:
    try:
        label = f"{say('What I know about you')} :gray-badge[{client.fact_count()}]"
    except Refused:
        label = say("What I know about you")  # the panel says why
    kind = "current" if panel.is_open() else "other"
    with st.container(key=f"known-{kind}"):
        st.button(label, icon=":material/assignment_ind:", type="tertiary", width="stretch", on_click=open_panel)


def show_threads(client: Client) -> None:
    try:
        threads = client.threads()
    except Refused:
        return  # the card on top of the page, or the state below, says why
    current = None if panel.is_open() else st.query_params.get("thread")
    with st.container(key="threads", gap=None):
        for thread in threads:
            kind = "current" if thread["id"] == current else "other"
            with st.container(horizontal=True, key=f"thread-{kind}-{thread['id']}", gap=None, wrap=False):
                title = plain(thread["title"])
                st.button(title, f"open-{thread['id']}", type="tertiary", on_click=open_thread, args=(thread["id"],))
                if st.button(
                    say("Delete {title}", title=title),
                    f"delete-{thread['id']}",
                    type="tertiary",
                    icon=":material/delete:",
                ):
                    confirm_delete(client, thread)


@dialog("Delete this conversation?")
def confirm_delete(client: Client, thread: Json) -> None:
    st.text(say(GOES, title=thread["title"]))
    with st.container(horizontal=True):
        if st.button(say("Delete"), key="delete", type="primary"):
            try:
                client.delete(thread["id"])
            except Refused as refused:
                problem(say("It was not deleted"), refused)
                return
            live_turns().pop(thread["id"], None)
            if thread["id"] == st.query_params.get("thread"):
                leave()
            st.rerun()
        if st.button(say("Keep it")):
            st.rerun()
