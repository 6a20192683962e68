"""The live things that a turn works with. They are given to each run and never reach a checkpoint."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from uuid import uuid4

from pydantic import BaseModel

from primum.graph.state import Problem, Route
from primum.memory.chart import Charts
from primum.memory.identity import Identity
from primum.memory.roles import ModelRole
from primum.memory.summaries import Summaries
from primum.retrieval.likeness import Likeness
from primum.retrieval.search import Passage, Retriever
from primum.safety.profile import Profile

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from primum.tools.literature import Found

Audience = Literal["patient", "clinician"]
Message = tuple[Literal["system", "user", "assistant"], str]
Form = TypeVar("Form", bound=BaseModel)
Loaded = Callable[[], Awaitable[Mapping[ModelRole, str]]]  # by role, the adapter that the server has loaded


@dataclass(frozen=True)
class ToolCall:
    """A tool that a model wants to have called, and the arguments that it gave, which nobody has checked yet."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a model wrote: its text without thoughts, its thoughts, and the mean log-probability of a token.

    `cut`: it was ended in the middle, by the limit of tokens or by us.
    """

    text: str
    reasoning: str = ""
    logprob: float | None = None
    cut: bool = False
    calls: tuple[ToolCall, ...] = ()


class Model(Protocol):
    """A model in one role, bound to this run's deadline."""

    async def write(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        until: Callable[[str], bool] | None = None,
    ) -> Reply:
        """Free text in whole sentences, ended as soon as `until` says so of what is there. Raises ModelUnavailable."""
        ...

    async def fill(
        self,
        messages: Sequence[Message],
        form: type[Form],
        *,
        max_tokens: int,
        until: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> Form:
        """A filled form, by JSON schema; given up as soon as `until` says so of the fields that are there.

        Raises ModelUnavailable, InvalidModelOutput.
        """
        ...

    async def choose(
        self, messages: Sequence[Message], tools: Sequence["BaseTool"], *, max_tokens: int
    ) -> tuple[ToolCall, ...]:
        """The calls of these tools that it wants, perhaps none. Raises ModelUnavailable, InvalidModelOutput."""
        ...


class Literature(Protocol):
    """What is asked where the library has too little."""

    async def bring(self, question: str, seconds_left: float) -> "Found":
        """Looks a question up and puts what is found into the library. Raises RetrievalFailed."""
        ...


@dataclass(frozen=True)
class Limits:
    max_revisions: int = 2
    max_words: int = 200
    passages: int = 8
    history_turns: int = 6
    summarise_after: int = 1500
    search_rounds: int = 1
    tool_calls: int = 0  # that the model may make in a turn; none where it can't


@dataclass(frozen=True)
class Examples:
    """Labelled messages as vectors. A likeness is None where the embedder can't tell its examples apart."""

    routes: Mapping[Route, Sequence[Sequence[float]]]
    emergencies: Likeness | None = None
    harm: Likeness | None = None


@dataclass(frozen=True)
class Attempt:
    """One draft of a turn, and what the audit found in it."""

    text: str
    findings: Sequence[Problem]


@dataclass
class Run:
    """One run's clock, counters, passages and vectors; `model_down` says why no further model call is tried in it.

    `id` is a UUID. `prompt`, `attempts` and `shown` are what a model may be trained with: what it was asked, its
    drafts, and what of them, or of the passages, the answer shows, with the markers of the prompt. `followed`: somebody
    reads along, to whom sentences may be told as soon as they are audited.
    """

    id: str = field(default_factory=lambda: str(uuid4()))
    deadline: float = field(default_factory=lambda: time.monotonic() + 120)
    timings_ms: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    model_down: str | None = None
    passages: dict[int, Passage] = field(default_factory=dict)
    vectors: dict[str, Sequence[float]] = field(default_factory=dict)
    prompt: Sequence[Message] = ()
    attempts: list[Attempt] = field(default_factory=list)
    shown: str = ""
    followed: bool = False
    _within: Counter[str] = field(default_factory=Counter)  # calls of a step that are under way
    _began: dict[str, float] = field(default_factory=dict)

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Adds the time within to a step; what runs at once counts once."""
        if not self._within[step]:
            self._began[step] = time.perf_counter()
        self._within[step] += 1
        try:
            yield
        finally:
            self._within[step] -= 1
            if not self._within[step]:
                took = (time.perf_counter() - self._began[step]) * 1000
                self.timings_ms[step] = round(self.timings_ms.get(step, 0.0) + took, 2)

    def count(self, name: str, tokens: int) -> None:
        self.tokens[name] = self.tokens.get(name, 0) + tokens


async def _nothing() -> dict[ModelRole, str]:
    return {}


@dataclass(frozen=True)
class Context:
    """Given to every node by `Runtime[Context]`."""

    writer: Model
    critic: Model
    router: Model
    library: Retriever
    charts: Charts
    summaries: Summaries
    examples: Examples
    model_name: str
    identity: Identity
    thread: str
    loaded: Loaded = _nothing
    literature: Literature | None = None
    signs: bool = False
    limits: Limits = Limits()
    run: Run = field(default_factory=Run)
    audience: Audience = "patient"
    profile: Profile = field(default_factory=Profile)
    region: str = "INT"
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    async def vector(self, text: str) -> Sequence[float]:
        """The text's unit vector, made once a run."""
        if text not in self.run.vectors:
            (self.run.vectors[text],) = await self.library.embed([text])
        return self.run.vectors[text]
