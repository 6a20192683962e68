"""What a turn reads and writes. All plain JSON: this is what a checkpoint holds."""

from typing import Any, Literal, NotRequired, TypedDict

from primum.tools.outcome import Outcome

Route = Literal["evidence", "chat", "outside", "tool", "case"]
Form = Literal["answer", "case"]


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


class Match(TypedDict):
    """Words of a case, and the sentence of a passage that tells of them."""

    finding: str
    chunk_id: int
    start: int
    stop: int


class Candidate(TypedDict):
    """A condition of the library that a case may be; `rule` is the red flag that names it, if one does."""

    title: str
    document_id: int
    rule: str
    speaks_for: list[Match]
    speaks_against: list[Match]


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
    form: NotRequired[Form | None]
    reasons: NotRequired[bool]
    before: NotRequired[list[Exchange]]


class TurnOutput(TypedDict):
    answer: dict[str, Any]


class State(TypedDict, total=False):
    # The request.
    question: str
    max_words: int | None
    temperature: float | None
    form: Form | None  # that was asked for; none leaves it to the router
    reasons: bool  # whether the model's reasoning is asked for
    before: list[Exchange]  # said elsewhere, before the thread
    # The thread: kept from turn to turn.
    told: dict[str, Any]  # a `Profile` of what its questions said of somebody who has no chart
    # The turn: reset by its first node.
    known: dict[str, Any]  # the `Profile` that the patient's chart makes
    facts: list[dict[str, Any]]  # of the chart, each with its proof: id, kind, text, proof, said, source
    forgotten: list[str]  # facts that the question asked to forget, and that hold no more
    unclear: list[dict[str, Any]]  # contradictions of the chart that nobody has settled
    summary: dict[str, Any]  # what the thread was about before `history`
    history: list[Exchange]  # its latest turns
    profile: dict[str, Any]  # the `Profile` that the rules of this turn read
    report: dict[str, Any]  # the question's `SafetyReport`
    card: str  # what to do about warning signs
    signs: list[str]  # what they may be a sign of
    refusal: str
    route: Route
    reply: str  # to a message that asks nothing
    acts: bool  # whether a tool may help
    outcomes: list[Outcome]  # of the tools
    standalone: str
    english: str  # what a Chinese or Spanish question asks, in English words
    queries: list[str]
    hits: list[Hit]
    sufficiency: float  # how likely they are of the question's topic
    searches: int  # that were made
    looked_up: bool  # in the literature
    candidates: list[Candidate]  # of a case, the likeliest first
    workup: dict[str, Any]  # the form that the model filled for a case
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
        forgotten=[],
        unclear=[],
        summary={},
        history=[],
        profile={},
        report={},
        card="",
        signs=[],
        refusal="",
        route="evidence",
        reply="",
        acts=False,
        outcomes=[],
        standalone="",
        english="",
        queries=[],
        hits=[],
        sufficiency=0.0,
        searches=0,
        looked_up=False,
        candidates=[],
        workup={},
        draft="",
        logprob=None,
        reasoning="",
        findings=[],
        revisions=0,
        settled=False,
        degraded=[],
        answer={},
    )
