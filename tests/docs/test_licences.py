"""docs/licences.md names what constraints.txt locks and what recipes name, and the check that says so can fail."""

import importlib.metadata
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / ".ci").exists():
    pytest.skip("an sdist has no .ci", allow_module_level=True)
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "licences"))
PAGE = (ROOT / "docs" / "licences.md").read_text()


def test_it_is_current() -> None:
    assert SCRIPT["faults"](PAGE) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"\| sqlalchemy \| [^|]+ \|", "| sqlalchemy | 0.0.1 |"),
        (r"\| sqlalchemy \|.*\n", ""),
        (r"\| sqlalchemy \|", "| sqlbrewery |"),
        (r"\| Qwen/Qwen3-32B \|.*\n", ""),
        (r"\| ray \|.*\n", ""),
        (r"\| deepspeed \|.*\n", ""),
    ],
)
def test_a_page_of_yesterday_is_told(old: str, new: str) -> None:
    changed, times = re.subn(old, new, PAGE)
    assert times == 1 and SCRIPT["faults"](changed)


def test_the_licences_are_those_that_the_installed_packages_state() -> None:
    rows = re.findall(r"^\| ([a-z0-9][\w.-]*) \| [^|]+ \| ([^|]+) \|$", PAGE.partition("| package |")[2], re.M)
    installed = {str(one.metadata["Name"]).lower().replace("_", "-") for one in importlib.metadata.distributions()}
    told = {name: licence for name, licence in rows if name in installed}
    assert len(told) > 100
    assert {name: SCRIPT["licence"](name) for name in told} == told
