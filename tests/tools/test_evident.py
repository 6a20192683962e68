"""What a question evidently calls for, and that a tool which breaks is a stated gap."""

import pytest
from structlog.testing import capture_logs

from primum.tools import evident
from primum.tools.evident import outcome


def test_a_tool_that_breaks_is_a_stated_gap_and_no_text_of_it_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise OverflowError("what Anna Smith wrote")

    monkeypatch.setattr(evident, "work", broken)
    with capture_logs() as logs:
        told = outcome("work_out", {"expression": "1 + 1"})
    assert told["state"] == "failed" and told["sentences"] == [
        "This could not be worked out: work_out broke. I guess nothing."
    ]
    assert logs == [{"event": "a tool broke", "tool": "work_out", "error": "OverflowError", "log_level": "error"}]


def test_a_sum_that_is_too_large_is_told_and_not_raised() -> None:
    told = outcome("work_out", {"expression": "1 + exp(exp(exp(exp(10))))"})
    assert told["state"] == "failed" and "exp is worked out of numbers up to 900" in told["sentences"][0]
