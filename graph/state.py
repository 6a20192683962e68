"""What a turn reads and writes. All plain JSON: this is what a checkpoint holds."""

from typing import Any, Literal, NotRequired, TypedDict

from primum.tools.outcome import Outcome

Route = Literal["evidence", "chat", "outside", "tool"]


class Exchange(TypedDict):
    """An earlier question of the thread and the audited text that answered it."""

    question: str
    answer: str


class Hit(TypedDict):
    """A retrieved passage; its text is read again where it is needed."""

    chunk_id: int
    score: float
    similarity: float
    words: float


class Problem(TypedDict):
    """What the audit found in a draft; `verified` if code proved it, else the model's word."""

    rule: str
    sentence: str
    subjects: list[str]
    advice: str
    verified: bool


class Decision(TypedDict):
    """What a clinician makes of an answer; `text` is theirs where they edited it."""

    decision: Literal["approved", "edited", "refused"]
    text: str
    by: str
    at: str


class TurnInput(TypedDict):
    question: str
    # What is left out here holds as the turn before had it: the agent gives them all.
    max_words: NotRequired[int | None]
    temperature: NotRequired[float | None]
    before: NotRequired[list[Exchange]]


class TurnOutput(TypedDict):
    answer: dict[str, Any]


class State(TypedDict, total=False):
    # The request.
    question: str
    max_words: int | None
    temperature: float | None
    before: list[Exchange]  # said elsewhere, before the thread
    # The thread: kept from turn to turn.
    told: dict[str, Any]  # a `Profile` of what its questions said of somebody who has no chart
    # The turn: reset by its first node.
    known: dict[str, Any]  # the `Profile` that the patient's chart makes
    facts: list[dict[str, Any]]  # of the chart, each with its proof: id, kind, text, proof, said, source
    unclear: list[dict[str, Any]]  # contradictions of the chart that nobody has settled
    summary: dict[str, Any]  # what the thread was about before `history`
    history: list[Exchange]  # its latest turns
    profile: dict[str, Any]  # the `Profile` that the rules of this turn read
    report: dict[str, Any]  # the question's `SafetyReport`
    card: str  # what to do about warning signs
    signs: list[str]  # what they may be a sign of
    refusal: str
    route: Route
    acts: bool  # whether a tool may help
    outcomes: list[Outcome]  # of the tools
    standalone: str
    english: str  # what a Chinese or Spanish question asks, in English words
    queries: list[str]
    hits: list[Hit]
    sufficiency: float  # how likely they are of the question's topic
    searches: int  # that were made
    looked_up: bool  # in the literature
    draft: str
    logprob: float | None
    reasoning: str
    findings: list[Problem]
    revisions: int
    settled: bool
    degraded: list[str]
    answer: dict[str, Any]


def fresh_turn() -> State:
    """The per-turn keys as they are before anything was done; an old checkpoint holds the last turn's."""
    return State(
        known={},
        facts=[],
        unclear=[],
        summary={},
        history=[],
        profile={},
        report={},
        card="",
        signs=[],
        refusal="",
        route="evidence",
        acts=False,
        outcomes=[],
        standalone="",
        english="",
        queries=[],
        hits=[],
        sufficiency=0.0,
        searches=0,
        looked_up=False,
        draft="",
        logprob=None,
        reasoning="",
        findings=[],
        revisions=0,
        settled=False,
        degraded=[],
        answer={},
    )
