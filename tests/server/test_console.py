"""What a terminal shows of an error that nobody expected."""

import pytest
import structlog

from primum.server.console import log_to_stderr


def test_a_traceback_tells_where_and_never_what_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("info")

    def look_up(question: str) -> None:
        raise ValueError(f"no {question}")

    try:
        look_up("zyxquarkle")
    except ValueError:
        structlog.get_logger().exception("it broke", service="s")
    told = capsys.readouterr().err
    assert "test_console.py" in told and "in look_up" in told and "ValueError" in told and "service" in told
    assert "zyxquarkle" not in told
