"""A model behind an OpenAI-compatible endpoint, asked many things at once; what it wrote is kept as it comes."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from primum.graph.errors import ModelUnavailable, PrimumError
from primum.graph.llm import open_client
from primum.graph.writing import writing
from primum.safety.sentences import strip_thinking

TRIES = 4
PAUSE = 1.0  # seconds before a second try, doubled before each further one
TIMEOUT = 600.0  # seconds of one answer: a busy server queues requests
TOP = 20  # likeliest tokens that are asked for, as many as OpenAI gives

Messages = Sequence[Mapping[str, str]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Token:
    """A token that was written, its log-probability, and those of the likeliest in its place."""

    text: str
    logprob: float
    top: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What a model wrote. `cut`: the limit of tokens ended it. `refused`: the server's reason to write nothing."""

    text: str = ""
    tokens: Sequence[Token] = ()
    cut: bool = False
    refused: str = ""

    @property
    def answer(self) -> str:
        """The text without thoughts."""
        return strip_thinking(self.text)[0]

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**{**kept, "tokens": tuple(Token(**token) for token in kept["tokens"])})


@dataclass(frozen=True)
class Sampling:
    """How is written: greedily unless a temperature is given; with the tokens' log-probabilities if wanted."""

    max_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    logprobs: bool = False
    form: Mapping[str, Any] | None = None  # a JSON schema, with its name as `title`


class Writer(Protocol):
    """A model that is evaluated."""

    name: str

    async def write(
        self, prompts: Sequence[Messages], sampling: Sampling, on_progress: Progress = lambda _done, _of: None
    ) -> list[Written]:
        """An answer to each prompt. Raises ModelUnavailable."""
        ...


class Kept:
    """Answers in a file, a line each, by what was asked of whom; broken off, a run goes on behind them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Written] = {}
        if path is not None and path.exists():
            text = path.read_text(encoding="utf-8")
            if text and not text.endswith("\n"):
                path.write_text(f"{text}\n", encoding="utf-8")
            for line in filter(None, text.split("\n")):  # a text may hold other signs that end a line
                try:
                    row = json.loads(line)
                    key = row.pop("key")
                    self._known[key] = Written.of(row)
                except (ValueError, KeyError, TypeError):
                    continue  # the line that was being written as it broke off

    def get(self, key: str) -> Written | None:
        return self._known.get(key)

    def add(self, key: str, written: Written) -> None:
        self._known[key] = written
        if self._path is not None:
            with writing(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, **asdict(written)}, ensure_ascii=False) + "\n")


class Endpoint:
    """One model of a server. Requests that fail in passing are sent again."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str = "none",
        *,
        at_once: int = 8,
        kept: Kept | None = None,
        pause: float = PAUSE,
    ) -> None:
        self.name = model
        self._url = url.rstrip("/")
        self._key = key
        self._at_once = at_once
        self._kept = kept or Kept(None)
        self._pause = pause

    async def write(
        self, prompts: Sequence[Messages], sampling: Sampling, on_progress: Progress = lambda _done, _of: None
    ) -> list[Written]:
        """An answer to each prompt; one that the server refuses (HTTP 4xx) comes back with its reason.

        Raises:
            ModelUnavailable: the server can't be reached, or keeps failing.
            PrimumError: the answers can't be kept.
        """
        slots, done = asyncio.Semaphore(self._at_once), 0

        async def one(http: httpx.AsyncClient, messages: Messages) -> Written:
            nonlocal done
            async with slots:
                written = await self._one(http, messages, sampling)
            done += 1
            on_progress(done, len(prompts))
            return written

        async with open_client(self._url, self._key) as http:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(http, messages)) for messages in prompts]
            except* PrimumError as errors:
                raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, http: httpx.AsyncClient, messages: Messages, sampling: Sampling) -> Written:
        body = _body(self.name, messages, sampling)
        key = key_of(self._url, self.name, messages, sampling)
        if (known := self._kept.get(key)) is not None:
            return known
        written = await self._tried(http, body)
        self._kept.add(key, written)
        return written

    async def _tried(self, http: httpx.AsyncClient, body: Mapping[str, Any]) -> Written:
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(self._pause * 2 ** (attempt - 1))
            try:
                response = await http.post("chat/completions", json=body, timeout=TIMEOUT)
                if response.status_code in (400, 413, 422):
                    return Written(refused=f"HTTP {response.status_code}")
                response.raise_for_status()
                return _written(response.json())
            except httpx.HTTPStatusError as error:
                reason = f"HTTP {error.response.status_code}"
                if error.response.status_code in (401, 403, 404):
                    break
            except httpx.HTTPError as error:
                reason = type(error).__name__
            except (ValueError, KeyError, TypeError, IndexError):
                reason = "an answer that is no completion"
        raise ModelUnavailable(
            f"{self._url} gives no answer of the model {self.name!r} ({reason}). Check the address and the model's "
            "name; what was answered is kept, so that the same command goes on from there."
        )


def key_of(url: str, model: str, messages: Messages, sampling: Sampling) -> str:
    """What tells a question to a model of a server from all others."""
    asked = [url.rstrip("/"), _body(model, messages, sampling)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _body(model: str, messages: Messages, sampling: Sampling) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in messages],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
    }
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": TOP}
    if sampling.form is not None:
        schema = {"name": sampling.form.get("title", "form"), "schema": dict(sampling.form), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body["chat_template_kwargs"] = {"enable_thinking": False}
    return body


def _written(told: Mapping[str, Any]) -> Written:
    choice = told["choices"][0]
    content = (choice.get("logprobs") or {}).get("content") or []
    return Written(
        text=choice["message"].get("content") or "",
        tokens=tuple(
            Token(one["token"], one["logprob"], {top["token"]: top["logprob"] for top in one.get("top_logprobs") or []})
            for one in content
        ),
        cut=choice.get("finish_reason") == "length",
    )
