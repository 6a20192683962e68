"""What is wrong with a request, in words for who made it."""

from typing import Any

import httpx
import pytest

MESSAGES = [{"role": "user", "content": "What is gout?"}]


@pytest.mark.parametrize(
    ("fields", "told", "param"),
    [
        (
            {"response_format": {"type": "json_object"}},
            "`response_format.type` must be 'text'.",
            "response_format.type",
        ),
        ({"stop": ["."]}, "`stop` is not supported; leave it out or null.", "stop"),
        ({"guided_json": {}}, "`guided_json` is not supported; leave it out.", "guided_json"),
        ({"tools": [{}]}, "`tools` is not supported; leave it out or empty.", "tools"),
        ({"logprobs": True}, "`logprobs` must be false.", "logprobs"),
        ({"temperature": 3}, "`temperature` must be less than or equal to 2.", "temperature"),
        (
            {"messages": [{"role": "user", "content": [{}]}]},
            "`messages[0].content` must be a string; `messages[0].content[0].type` is missing.",
            "messages[0].content",
        ),
        ({"messages": ["x"]}, "`messages[0]` must be an object.", "messages[0]"),
        ({"messages": []}, "`messages` must have at least 1 item, not 0.", "messages"),
    ],
)
def test_a_field_is_named_as_it_was_written(api: httpx.Client, fields: dict[str, Any], told: str, param: str) -> None:
    error = api.post("/v1/chat/completions", json={"messages": MESSAGES, **fields}).json()["error"]
    assert (error["message"], error["param"], error["type"]) == (told, param, "invalid_request_error")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The body is missing."),
        (b"[]", "The body must be an object."),
        (b'{"question": "x', "The body is not JSON at character 13: Unterminated string."),
        (b"{}", "`question` is missing."),
        (b'{"question": 1}', "`question` must be a string."),
    ],
)
def test_a_body_that_can_not_be_read_is_said_to_be_so(api: httpx.Client, body: bytes, told: str) -> None:
    asked = {"content": body, "headers": {"content-type": "application/json"}}
    assert api.post("/generate", **asked).json()["message"] == told  # type: ignore[arg-type]
    if told.startswith("The body"):
        error = api.post("/v1/chat/completions", **asked).json()["error"]  # type: ignore[arg-type]
        assert (error["message"], error["param"]) == (told, None)


def test_a_rule_over_two_fields_and_a_parameter_are_told_plainly(api: httpx.Client) -> None:
    both = api.post(f"/reviews/{'0' * 8}-0000-4000-8000-{'0' * 12}", json={"decision": "approved", "text": "x"})
    assert both.json()["message"] == "`text` goes with the decision `edited`, and only with that."
    assert api.get("/documents", params={"limit": 0}).json()["message"] == "`limit` must be greater than or equal to 1."


def test_another_host_is_refused_in_openais_form_under_v1(api: httpx.Client) -> None:
    for host in ("evil.com", "", "127.0.0.1:x"):
        response = api.get("/v1/models", headers={"host": host})
        assert response.status_code == 400
        if host == "evil.com":
            assert "PRIMUM_ALLOWED_HOSTS" in response.json()["error"]["message"]
            assert "PRIMUM_ALLOWED_HOSTS" in api.get("/health", headers={"host": host}).json()["message"]
