"""Every word of the page in every language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from primum.page import chart, chat, export, feedback, operations, panel, view, visitor, words
from primum.page.client import SILENT, UNTOLD

ROOT = Path(__file__).resolve().parents[2]
CODE = [ROOT / "app.py", *sorted((ROOT / "page").glob("*.py"))]
TEMPLATES = sorted((ROOT / "page" / "templates").glob("*.html"))
SAYS = ("say", "dialog")
SHOWN = (
    "button",
    "text",
    "text_input",
    "selectbox",
    "checkbox",
    "expander",
    "caption",
    "file_uploader",
    "pills",
    "Page",
)
SEVERITIES = ("Info", "Minor", "Moderate", "Major", "Contraindicated", "Severe", "Mild", "Intolerance")
STATES = ("up", "down", "missing", "mismatch", "empty", "other")


def tables() -> Iterator[str]:
    """What is said by a name: the words stand in a table."""
    yield from (SILENT, UNTOLD, panel.STANDS, panel.GO_BY, panel.ENDS, panel.GOES, panel.ALL_GOES, export.DISCLAIMER)
    yield from (chat.MORE, chat.SO_FAR, chat.GOES, chat.CASE_HELP)
    yield from (*chat.EXAMPLES, *chat.AUDIENCES, *SEVERITIES, *STATES)
    yield from (*view.STEPS.values(), *view.TROUBLES.values(), *view.EVIDENCE.values(), *view.ORIGINS.values())
    yield from (name for names in view.COUNTS.values() for name in names)
    yield from ("record of the work on it", "records of the work on it", *view.STATUSES.values())
    yield from (name for name, _ in chart.KINDS.values())
    yield from (
        *chart.GROUPS,
        "More",
        *chart.RELATIVES,
        *export.STATES.values(),
        *operations.JOB_STATES.values(),
        *operations.PARTS.values(),
    )
    yield from (*feedback.LABELS.values(), *(reason for reasons in feedback.REASONS.values() for reason in reasons))
    yield from (*words.OF_PATIENT.values(), *words.OF_API, "Noted on {day}", *visitor.ROLES.values())


def literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*literals(node.body), *literals(node.orelse))


def calls() -> Iterator[ast.Call]:
    for file in CODE:
        yield from (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def said() -> set[str]:
    """All that the page says."""
    found = {
        text for call in calls() if name_of(call) in (*SAYS, "Refused") and call.args for text in literals(call.args[0])
    }
    for file in TEMPLATES:
        found |= {text for _, text in re.findall(r"""say\((["'])([^"]+?)\1[,)]""", file.read_text())}
    return (found | set(tables())) - {""}


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def test_every_word_of_the_page_is_there_in_chinese_and_none_that_is_not_said() -> None:
    assert said() - set(words.CHINESE) == set()
    assert set(words.CHINESE) - said() == set()


def test_what_is_put_into_a_text_has_its_place_in_every_language() -> None:
    for text, chinese in (*words.CHINESE.items(), *words.OF_PATIENT.items()):
        assert places(text) == places(chinese), text


def test_no_text_of_a_template_stands_outside_of_the_words() -> None:
    for file in TEMPLATES:
        shown = re.sub(
            r"{[{%].*?[%}]}|<[^<>]*>|&#?\w+;",
            " ",
            re.sub(r"{[{%].*?[%}]}", "", file.read_text(), flags=re.S),
            flags=re.S,
        )
        assert not re.search(r"[^\W\d_]", shown), file.name


def test_no_label_is_shown_that_is_not_said() -> None:
    for call in calls():
        if name_of(call) in SHOWN and call.args:
            assert not [text for text in literals(call.args[0]) if re.search(r"[a-z]", text)], ast.unparse(call)


@pytest.mark.parametrize("text", ["Try again", "No such words"])
def test_in_english_a_text_says_itself(text: str) -> None:
    assert words.say(text) == text
    assert words.say("{count} of {text}", count=2, text="{x}") == "2 of {x}"
