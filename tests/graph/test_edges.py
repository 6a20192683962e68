"""Where a turn goes next, as a table."""

from typing import Any

import pytest
from langgraph.runtime import Runtime

from primum.graph.context import Audience, Context, Examples, Limits
from primum.graph.edges import after_act, after_critique, after_retrieve, after_router, after_triage
from primum.graph.state import Hit, Problem, Route, State, fresh_turn
from primum.memory.identity import Identity

FINDING = Problem(rule="number", sentence="s", subjects=[], advice="", verified=True)


@pytest.mark.parametrize(
    ("disposition", "refusal", "audience", "then"),
    [
        ("none", "", "patient", "router"),
        ("urgent", "", "patient", "router"),
        ("emergency", "", "patient", "respond"),
        ("emergency", "", "clinician", "router"),
        ("none", "I can't help with that.", "patient", "respond"),
        ("none", "I can't help with that.", "clinician", "respond"),
    ],
)
async def test_after_triage(disposition: str, refusal: str, audience: Audience, then: str) -> None:
    state: State = {**fresh_turn(), "report": {"disposition": disposition}, "refusal": refusal}
    assert await after_triage(state, Runtime(context=context(audience=audience))) == then


@pytest.mark.parametrize(
    ("route", "acts", "then"),
    [
        ("evidence", False, "rewrite"),
        ("case", False, "gather"),
        ("chat", False, "draft"),
        ("outside", False, "respond"),
        ("evidence", True, "act"),
        ("tool", True, "act"),
        ("tool", False, "respond"),
    ],
)
async def test_after_router(route: Route, acts: bool, then: str) -> None:
    assert await after_router({**fresh_turn(), "route": route, "acts": acts}) == then


@pytest.mark.parametrize(("route", "then"), [("tool", "respond"), ("evidence", "rewrite")])
async def test_after_act(route: Route, then: str) -> None:
    assert await after_act({**fresh_turn(), "route": route}) == then


HIT = Hit(chunk_id=1, score=1, words=0.2, similarity=1)


@pytest.mark.parametrize(
    ("hits", "sufficiency", "searches", "literature", "looked_up", "then"),
    [
        ([HIT], 0.9, 1, True, False, "draft"),
        ([HIT], 0.4, 1, True, False, "further"),
        ([HIT], 0.4, 2, True, False, "look_up"),
        ([HIT], 0.4, 3, True, True, "draft"),
        ([HIT], 0.4, 2, False, False, "draft"),
        ([HIT], 0.09, 2, False, False, "respond"),
        ([HIT], 0.09, 3, True, True, "respond"),
        ([], 0.0, 1, False, False, "further"),
        ([], 0.0, 2, True, False, "look_up"),
        ([], 0.0, 3, True, True, "respond"),
    ],
)
async def test_after_retrieve(
    hits: list[Hit], sufficiency: float, searches: int, literature: bool, looked_up: bool, then: str
) -> None:
    found = {"hits": hits, "sufficiency": sufficiency, "searches": searches, "looked_up": looked_up}
    state: State = {**fresh_turn(), **found}  # type: ignore[typeddict-item]
    services = object() if literature else None
    assert await after_retrieve(state, Runtime(context=context(literature=services, search_rounds=2))) == then


@pytest.mark.parametrize(
    ("findings", "revisions", "settled", "route", "then"),
    [
        ([], 0, False, "evidence", "respond"),
        ([FINDING], 0, False, "evidence", "refine"),
        ([FINDING], 1, False, "evidence", "refine"),
        ([FINDING], 2, False, "evidence", "respond"),
        ([FINDING], 0, True, "evidence", "respond"),
        ([FINDING], 0, False, "chat", "respond"),
    ],
)
async def test_after_critique(findings: list[Problem], revisions: int, settled: bool, route: Route, then: str) -> None:
    state: State = {
        **fresh_turn(),
        "findings": findings,
        "revisions": revisions,
        "settled": settled,
        "route": route,
    }
    assert await after_critique(state, Runtime(context=context(max_revisions=2))) == then


async def test_no_revision_is_made_where_none_is_allowed() -> None:
    state: State = {**fresh_turn(), "findings": [FINDING]}
    assert await after_critique(state, Runtime(context=context(max_revisions=0))) == "respond"


def context(audience: Audience = "patient", literature: Any = None, **limits: int) -> Context:
    nothing: Any = None
    return Context(
        writer=nothing,
        critic=nothing,
        router=nothing,
        library=nothing,
        charts=nothing,
        summaries=nothing,
        examples=Examples({}),
        model_name="primum",
        identity=Identity("main", "me"),
        thread="t",
        literature=literature,
        limits=Limits(**limits),
        audience=audience,
    )
