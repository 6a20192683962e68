from typing import Any

import pytest

from primum.evals.endpoint import Endpoint
from primum.evals.rubric import Criterion, report, run, score
from tests.fakes import FakeVLLM


def criterion(points: float, text: str = "Names rest", *tags: str) -> dict[str, Any]:
    return {"criterion": text, "points": points, "tags": list(tags)}


def row(name: str, *criteria: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    prompt = [{"role": "user", "content": "How is gout treated?"}]
    return {"prompt_id": name, "prompt": prompt, "rubrics": list(criteria), "example_tags": list(tags)}


@pytest.mark.parametrize(
    ("points", "met", "wanted"),
    [
        ((5, 5), (True, False), 0.5),
        ((5, -5), (True, True), 0.0),
        ((5, -9), (True, True), -0.8),
        ((5, -5), (True, False), 1.0),
        ((-5,), (False,), None),
    ],
)
def test_the_score_is_of_the_points_that_are_possible(
    points: tuple[float, ...], met: tuple[bool, ...], wanted: float | None
) -> None:
    assert score([Criterion(criterion="x", points=one) for one in points], met) == wanted


def test_harm_counts_against_the_mean_which_is_not_below_0() -> None:
    rows = [row("a", criterion(5)), row("b", criterion(5), criterion(-9))]
    good, harmful = [True], [True, True]
    assert report(rows, [good, harmful])["score"]["mean"] == pytest.approx(0.1)
    assert report(rows[1:], [harmful])["score"]["mean"] == 0


def test_an_answer_with_a_criterion_that_nobody_scored_has_no_score() -> None:
    rows = [row("a", criterion(5, "x", "axis:accuracy"), tags=("theme:gout",)), row("b", criterion(5), criterion(5))]
    found = report(rows, [[True], [True, None]])
    assert found["score"]["mean"] == 1 and found["score"]["n"] == 1
    assert (found["unscored"], found["unscored_ids"], found["criteria_unscored"]) == (1, ["b"], 1)
    assert found["by_tag"]["theme:gout"]["mean"] == 1
    assert found["by_criterion_tag"] == {"axis:accuracy": 1.0}


async def test_each_criterion_is_judged_by_a_form(vllm: FakeVLLM) -> None:
    vllm.default = "Rest helps."

    def judge(body: dict[str, Any]) -> str:
        asked = body["messages"][0]["content"]
        if "magic" in asked:
            return "I'd say so"
        return '{"explanation": "It does.", "criteria_met": true}'

    vllm.forms["Grade"] = judge
    rows = [row("a", criterion(5)), row("b", criterion(5, "Denies magic"))]
    writer = Endpoint(vllm.url, "primum", pause=0)
    found = await run(rows, writer, Endpoint(vllm.url, "judge", pause=0))
    assert found["score"]["n"] == 1 and found["unscored_ids"] == ["b"]
    asked = vllm.filled("Grade")[0]["messages"][0]["content"]
    assert "user: How is gout treated?" in asked and "Rest helps." in asked and "Names rest" in asked
    assert found["judge"] == "judge"
