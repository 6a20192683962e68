"""The scripts of the page, for what Streamlit can't do. Nothing of an answer ever becomes part of one."""

from uuid import uuid4

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


def tag(script: str) -> str:
    """The script as HTML, unlike any before: the same would not run again."""
    return f"<script>/* {uuid4()} */{script}</script>"
