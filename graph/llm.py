"""Calls to an OpenAI-compatible endpoint: always streamed, bounded in time, length and repetition.

Streaming is for us, not for the reader: it shows early that a server hangs, drips or repeats itself. No token of a
call leaves Primum before the audit; LangGraph's own token stream is switched off by the tag `nostream`.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
import openai
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI, StreamChunkTimeoutError
from pydantic import ValidationError

from primum.graph.context import Form, Message, Reply, Run
from primum.graph.errors import InvalidModelOutput, ModelUnavailable
from primum.safety.sentences import strip_thinking, whole_sentences

IDLE_TIMEOUT = 30.0  # seconds without a token after which a server counts as hanging
CALL_SHARE = 0.6  # of the time that is left, so that one slow call leaves room for what follows
CHECK_EVERY = 150  # characters
_REPETITION = re.compile(r"(.{1,160}?)\1{5,}\Z", re.DOTALL)


class EndpointChat(ChatOpenAI):
    """ChatOpenAI drops a server's reasoning text; vLLM calls it `reasoning`, others `reasoning_content`."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        converted = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices") or []
        delta = (choices[0].get("delta") or {}) if choices else {}
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        if converted is not None and isinstance(thought, str):
            converted.message.additional_kwargs["reasoning"] = thought
        return converted


@dataclass(frozen=True)
class Endpoint:
    """A model by name on a server; the shared part, from which each run gets its own `EndpointModel`."""

    chat: EndpointChat

    @classmethod
    def open(cls, url: str, key: str, name: str, client: httpx.AsyncClient) -> "Endpoint":
        return cls(
            EndpointChat(
                model=name,
                base_url=url,
                api_key=lambda: key,
                http_async_client=client,
                max_retries=0,  # the graph's retry policy is the only one
                stream_usage=True,
                logprobs=True,
                stream_chunk_timeout=IDLE_TIMEOUT,
                tags=["nostream"],
            )
        )

    def bind(self, role: str, run: Run) -> "EndpointModel":
        return EndpointModel(self.chat, role, run)


@dataclass(frozen=True)
class EndpointModel:
    """A model in one role of one run."""

    chat: EndpointChat
    role: str
    run: Run

    async def write(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        until: Callable[[str], bool] | None = None,
    ) -> Reply:
        reply = await self._call(messages, until, max_tokens=max_tokens, temperature=temperature)
        if not reply.cut:
            return reply
        if not (whole := whole_sentences(reply.text)):
            raise ModelUnavailable("The model wrote no whole sentence.")
        return replace(reply, text=whole)

    async def fill(self, messages: Sequence[Message], form: type[Form], *, max_tokens: int) -> Form:
        # In the body, not as the client's `response_format`: for that it imports its beta API, 2 s in mid-turn.
        extra: dict[str, Any] = {
            "extra_body": {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": form.__name__, "schema": form.model_json_schema(), "strict": True},
                },
                # A thought before the first brace would break the form.
                "chat_template_kwargs": {"enable_thinking": False},
            }
        }
        reply = await self._call(messages, max_tokens=max_tokens, temperature=0.0, **extra)
        try:
            return form.model_validate_json(reply.text)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'JSON'}: {e['msg']}" for e in error.errors()[:5])
        repair: list[Message] = [
            *messages,
            ("assistant", reply.text[:4000] or "{}"),
            ("user", f"That is not valid: {faults}. Answer again with the JSON object alone."),
        ]
        reply = await self._call(repair, max_tokens=max_tokens, temperature=0.0, **extra)
        try:
            return form.model_validate_json(reply.text)
        except ValidationError:
            raise InvalidModelOutput(f"The {self.role} did not fill its form, also when asked twice.") from None

    async def _call(
        self, messages: Sequence[Message], until: Callable[[str], bool] | None = None, **options: Any
    ) -> Reply:
        if self.run.model_down:
            raise ModelUnavailable(self.run.model_down)
        started = time.perf_counter()
        # `from None`, everywhere: a server's error may repeat the prompt, and LangGraph logs what it tries again.
        try:
            stream = cast(AsyncGenerator[AIMessageChunk, None], self.chat.astream(list(messages), **options))
            # Closed at once, or a server would go on writing for nobody until the garbage collector comes.
            async with asyncio.timeout(max(0.05, self.run.seconds_left() * CALL_SHARE)), aclosing(stream):
                return await self._collect(stream, until)
        except (TimeoutError, StreamChunkTimeoutError, openai.APITimeoutError):
            raise self._down("The model did not answer in time.") from None
        except (openai.APIConnectionError, httpx.TransportError):
            raise ModelUnavailable("The model server can't be reached, or broke off.", transient=True) from None
        except openai.APIStatusError as error:
            reason = f"The model server answered with HTTP {error.status_code}."
            raise ModelUnavailable(reason, transient=error.status_code >= 500) from None
        except (openai.APIError, ValueError, KeyError, TypeError, AttributeError):
            # What the client raises on a stream that is no stream of completions.
            raise ModelUnavailable("The model server sent what is no answer.", transient=True) from None
        finally:
            self.run.took("model", started)

    def _down(self, reason: str) -> ModelUnavailable:
        """The error for a server that is not worth another call in this run."""
        self.run.model_down = reason
        return ModelUnavailable(reason)

    async def _collect(self, stream: AsyncIterator[Any], until: Callable[[str], bool] | None) -> Reply:
        text, thought = "", ""
        logprobs: list[float] = []
        finish: str | None = None
        checked = 0
        async for chunk in stream:
            text += chunk.text
            thought += chunk.additional_kwargs.get("reasoning", "")
            logprobs += [t["logprob"] for t in (chunk.response_metadata.get("logprobs") or {}).get("content") or []]
            finish = finish or chunk.response_metadata.get("finish_reason")
            self._count(chunk)
            if len(text) - checked > CHECK_EVERY:
                checked = len(text)
                if until is not None and until(text):
                    finish = "until"
                    break
                if _REPETITION.search(text[-1000:]):
                    raise self._down("The model repeated itself without end.")
        if not finish:
            raise ModelUnavailable("The model server broke off.", transient=True)
        text, inline = strip_thinking(text)
        if not text:
            raise ModelUnavailable("The model answered with nothing.")
        logprob = sum(logprobs) / len(logprobs) if logprobs else None
        return Reply(text, (thought or inline).strip(), logprob, cut=finish == "length")

    def _count(self, chunk: AIMessageChunk) -> None:
        if usage := chunk.usage_metadata:
            self.run.count("calls", 1)
            self.run.count("prompt", usage["input_tokens"])
            self.run.count("completion", usage["output_tokens"])
            self.run.count("cached", (usage.get("input_token_details") or {}).get("cache_read", 0) or 0)
