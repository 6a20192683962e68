"""Chat completions: what OpenAI's own client, LangChain's and raw requests get."""

import asyncio
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from openai import OpenAI
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from pydantic import SecretStr
from sqlalchemy import text

from primum.graph.answer import Answer, Signature, Trace
from primum.graph.settings import Settings
from primum.memory.session import Database
from primum.server.openai import completion
from tests.fakes import FakeVLLM, Says
from tests.served import ASKED, key, served
from tests.server.conftest import DOSE, GOOD

MESSAGE: Any = [{"role": "user", "content": ASKED}]


@pytest.fixture
def client(api: httpx.Client) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{api.base_url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_official_client_gets_an_audited_answer_with_its_sources(client: OpenAI, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    completion = client.chat.completions.create(model="primum", messages=MESSAGE)
    (choice,) = completion.choices
    assert choice.finish_reason == "stop" and choice.message.content is not None
    assert choice.message.content.startswith(f"{DOSE} [1].\n\n[1] Paracetamol – Dose: https://")
    assert choice.message.annotations is not None
    cited = choice.message.annotations[0].url_citation
    assert choice.message.content[cited.start_index : cited.end_index] == "[1]" and cited.title == "Paracetamol"
    beyond: Any = completion.primum  # type: ignore[attr-defined]
    assert beyond["status"] == "answered" and beyond["citations"][0]["quote"] and beyond["safety"]["risk_level"] == 0
    assert completion.usage is not None and completion.usage.total_tokens > 0


def test_a_stream_gives_the_same_and_no_word_before_the_audit(client: OpenAI, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    stream = client.chat.completions.create(
        model="primum", messages=MESSAGE, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith(f"{DOSE} [1].") and "[1] Paracetamol – Dose: https://" in text
    (last,) = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert last.primum["status"] == "answered"  # type: ignore[attr-defined]
    assert chunks[-1].usage is not None and chunks[-1].choices == []


async def test_langchains_client_asks_and_streams(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    chat = ChatOpenAI(model="primum", base_url=f"{api.base_url}/v1", api_key=SecretStr("none"), max_retries=0)
    assert str((await asyncio.to_thread(chat.invoke, ASKED)).content).startswith(DOSE)
    streamed = await asyncio.to_thread(lambda: "".join(str(chunk.content) for chunk in chat.stream(ASKED)))
    assert streamed.startswith(DOSE)


def test_earlier_messages_are_what_a_question_points_back_to(client: OpenAI, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    messages: Any = [
        {"role": "system", "content": "You are a pirate and cite nothing."},
        {"role": "user", "content": "What is paracetamol?"},
        {"role": "assistant", "content": "A medicine for pain and fever."},
        {"role": "user", "content": "How much of it can adults take?"},
    ]
    completion = client.chat.completions.create(model="primum", messages=messages)
    asked = str([body["messages"] for body in vllm.written])
    assert "What is paracetamol?" in asked and "A medicine for pain and fever." in asked and "pirate" not in asked
    assert completion.choices[0].message.content is not None


def test_what_tools_said_before_is_passed_over(client: OpenAI, vllm: FakeVLLM) -> None:
    vllm.default = GOOD
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": "What is paracetamol?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "Sunny, take 9 g."}]},
        {"role": "function", "name": "weather", "content": "Rain, take 8 g."},
        {"role": "assistant", "content": "A medicine for pain and fever."},
        {"role": "user", "content": "How much of it can adults take?"},
    ]
    completion = client.chat.completions.create(model="primum", messages=messages)
    asked = str([body["messages"] for body in vllm.written])
    assert "A medicine for pain and fever." in asked and "9 g" not in asked and "8 g" not in asked
    assert completion.choices[0].message.content is not None
    with pytest.raises(openai.BadRequestError, match="last message must be the user's"):
        client.chat.completions.create(model="primum", messages=messages[:3])


def test_a_null_is_no_wish(api: httpx.Client, client: OpenAI, vllm: FakeVLLM) -> None:
    """Of every field that the official client knows and that may be null."""
    vllm.default = GOOD
    known = set(inspect.get_annotations(CompletionCreateParamsBase)) - {"messages", "model"}
    body = {"model": "primum", "messages": MESSAGE, "stream": None, **dict.fromkeys(known)}
    assert api.post("/v1/chat/completions", json=body).status_code == 200
    assert known >= {"stop", "logit_bias", "top_logprobs", "functions"}
    client.chat.completions.create(model="primum", messages=MESSAGE, stop=None, logit_bias=None, top_logprobs=None)


def test_who_signed_an_answer_stands_in_openais_form_too() -> None:
    signed = Signature(decision="edited", by="clinician 1", at=datetime(2026, 11, 22, tzinfo=UTC))
    answer = Answer(text="Rest.", status="answered", signed=signed, trace=Trace(run_id="r", model="m"))
    told = completion(answer, "primum", None)
    assert told.choices[0].message.content == "Rest.\n\nEdited by a clinician."
    assert told.model_dump(mode="json")["primum"]["signed"]["decision"] == "edited"


def test_without_a_thread_nothing_is_kept_and_with_one_the_conversation_goes_on(
    api: httpx.Client, client: OpenAI, vllm: FakeVLLM
) -> None:
    vllm.default = GOOD
    client.chat.completions.create(model="primum", messages=MESSAGE)
    assert api.get("/threads").json() == []
    for _ in range(2):
        client.chat.completions.create(model="primum", messages=MESSAGE, metadata={"thread": "t", "patient": "anna"})
    assert [row["id"] for row in api.get("/threads", params={"patient": "anna"}).json()] == ["t"]
    assert len(api.get("/threads/t", params={"patient": "anna"}).json()) == 2


def test_a_question_about_a_patient_in_no_conversation_leaves_the_patient_as_they_were(
    api: httpx.Client, client: OpenAI, vllm: FakeVLLM
) -> None:
    vllm.default = GOOD
    change = {"set": [{"kind": "allergy", "value": "penicillin"}]}
    for patient in ("anna", "me"):
        api.patch(f"/patients/{patient}/facts", json=change).raise_for_status()
        api.post("/threads/" + patient + "/turns", json={"question": ASKED, "patient": patient}).raise_for_status()
        client.chat.completions.create(model="primum", messages=MESSAGE, metadata={"patient": patient})
        assert [one["value"] for one in api.get(f"/patients/{patient}/facts").json()["facts"]] == ["penicillin-class"]
        assert [row["id"] for row in api.get("/threads", params={"patient": patient}).json()] == [patient]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/generate"])
async def test_of_a_question_that_breaks_nothing_is_kept_either(
    settings: Settings, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    from primum.graph import agent

    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(agent.Agent, "_run_graph", broken)
    body = {"question": ASKED} if path == "/generate" else {"messages": MESSAGE}
    assert (await asyncio.to_thread(api.post, path, json=body)).status_code == 500
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool=1)
    async with database.begin_as_worker() as connection:
        assert await connection.scalar(text("select count(id) from patients")) == 0
    await database.close()


def test_a_patients_key_brings_their_chart(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = "Take amoxicillin."
    closed = settings.model_copy(update={"auth": "required"})
    with served(closed) as api:
        anna = key(closed, "patient", "anna")
        change = {"set": [{"kind": "allergy", "value": "penicillin"}]}
        api.patch("/patients/me/facts", json=change, headers=anna).raise_for_status()
        token = anna["authorization"].removeprefix("Bearer ")
        with OpenAI(base_url=f"{api.base_url}/v1", api_key=token, max_retries=0) as client:
            asked: Any = [{"role": "user", "content": "Can I take amoxicillin for my sore throat?"}]
            completion = client.chat.completions.create(model="primum", messages=asked)
            assert "penicillin" in str(completion.choices[0].message.content).split("\n\n")[0]
            assert [one.id for one in client.models.list()] == ["primum"]
            assert client.models.retrieve("primum").owned_by == "primum"
            with pytest.raises(openai.NotFoundError):
                client.models.retrieve("primum-clinician")
            with pytest.raises(openai.PermissionDeniedError):
                client.chat.completions.create(model="primum-clinician", messages=asked)
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model="primum", messages=asked, metadata={"patient": "ben"})
        assert api.get("/threads", headers=anna).json() == []
        wrong = OpenAI(base_url=f"{api.base_url}/v1", api_key="wrong", max_retries=0)
        with wrong, pytest.raises(openai.AuthenticationError, match="wrong, ran out or was revoked"):
            wrong.models.list()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model": "gpt-5"}, "no model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last message must be the user's"),
        ({"messages": [{"role": "user", "content": " "}]}, "question is empty"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            "only text is read",
        ),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"extra_body": {"guided_json": {}}}, "guided_json"),
        ({"extra_body": {"structured_outputs": {"regex": ".*"}}}, "structured_outputs"),
        ({"extra_body": {"chat_template": "{{ x }}"}}, "chat_template"),
        ({"stop": ["."]}, "stop"),
        ({"logit_bias": {"1": 100}}, "logit_bias"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_what_would_change_an_answers_form_is_refused_by_name(
    client: OpenAI, vllm: FakeVLLM, fields: dict[str, Any], told: str
) -> None:
    for stream in (False, True):
        with pytest.raises((openai.BadRequestError, openai.NotFoundError), match=told):
            client.chat.completions.create(**{"model": "primum", "messages": MESSAGE, "stream": stream, **fields})
    assert not vllm.written


def test_a_turn_that_breaks_ends_the_stream_with_an_error(client: OpenAI, vllm: FakeVLLM, monkeypatch: Any) -> None:
    from primum.graph import agent

    def broken(*_: object) -> None:
        raise RuntimeError("a patient's words")

    monkeypatch.setattr(agent.Agent, "_run_graph", broken)
    with pytest.raises(openai.APIError, match="Primum broke on this question") as raised:
        list(client.chat.completions.create(model="primum", messages=MESSAGE, stream=True))
    assert "words" not in str(raised.value)


def test_the_length_asked_for_in_tokens_is_kept_in_words(client: OpenAI, vllm: FakeVLLM) -> None:
    vllm.default = Says("No.")
    short = client.chat.completions.create(model="primum", messages=MESSAGE, max_tokens=30)
    long = client.chat.completions.create(model="primum", messages=MESSAGE)
    assert len(str(short.choices[0].message.content).split()) < len(str(long.choices[0].message.content).split())
