"""The scripts of the page, for what Streamlit can't do. Nothing of an answer ever becomes part of one."""

from typing import cast
from uuid import uuid4

import streamlit as st

# On a phone the sidebar covers the page, and Streamlit leaves it open when a conversation is chosen.
CLOSE_SIDEBAR = """
if (innerWidth <= 768) document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
"""

# A new question may stand below the fold; and the box loses the focus while an answer is made.
SHOW_LAST_QUESTION = """
setTimeout(() => {
    [...document.querySelectorAll('.pm-question')].at(-1)?.scrollIntoView({block: 'start'});
    const box = document.querySelector('[data-testid="stChatInput"] textarea');
    if (innerWidth > 768 && document.activeElement === document.body) box?.focus({preventScroll: true});
}, 50);
"""

# What is opened is read from its beginning, wherever the page before was scrolled to.
SHOW_TOP = """
setTimeout(() => document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0), 50);
"""

# The cited piece of a document.
SHOW_CITED = """
setTimeout(() => document.querySelector('.pm-cited')?.scrollIntoView({block: 'center'}), 50);
"""

# A link within the page is followed without loading the page anew, which would sign one out.
FOLLOW_LINKS = """
if (!window.primumFollows) {
    window.primumFollows = true;
    document.addEventListener('click', event => {
        const link = event.target.closest('a.pm-goto');
        if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        link.closest(':popover-open')?.hidePopover();
        history.pushState(null, '', link.href);
        dispatchEvent(new PopStateEvent('popstate'));
    });
}
"""


def speak(code: str) -> str:
    """Tells the browser, and whoever reads the page aloud, in which language it is."""
    return f"document.documentElement.lang = '{code}';\n"


def scripts() -> list[str]:
    """What is to run in the browser at the end of this run."""
    return cast(list[str], st.session_state.setdefault("scripts", []))


def run_scripts() -> None:
    """Runs them."""
    if waiting := st.session_state.pop("scripts", None):
        with st.container(key="script"):
            st.html(tag("".join(waiting)), unsafe_allow_javascript=True)


def tag(script: str) -> str:
    """The script as HTML, unlike any before: the same would not run again."""
    return f"<script>/* {uuid4()} */{script}</script>"
