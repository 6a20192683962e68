"""What whoever runs Primum sees of it."""

from typing import Any

from playwright.async_api import Page, expect

from primum.page.client import Client
from primum.page.operations import by_day, every_day, figures, parts
from tests.fakes import FakeVLLM
from tests.page.conftest import Api
from tests.page.test_page import ASKED, DRAFT
from tests.pages import cited


def day(name: str, **given: Any) -> dict[str, Any]:
    empty = {"p50_ms": 1500.0, "p95_ms": 3000.0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}
    return {"day": name, "answers": 1, **empty, **given}


def test_a_day_without_an_answer_is_a_day_too() -> None:
    rows = [day("2026-02-27", answers=2), day("2026-03-02", answers=5)]
    days = every_day(rows)
    assert days == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    assert by_day(days, rows, "answers") == [2, 0, 0, 5]
    assert by_day(days, rows, "p50_ms", None) == [1500.0, None, None, 1500.0]
    assert every_day([]) == []


def test_the_figures_sum_the_days_and_claim_nothing_of_none() -> None:
    ratings, library = {"up": 3, "down": 1}, {"documents": 1200, "chunks": 7}
    found = {
        "days": [day("2026-03-01", prompt_tokens=100, cached_tokens=40), day("2026-03-02", prompt_tokens=100)],
        "statuses": [{"day": "2026-03-01", "status": "answered", "answers": 2000}],
        "findings": [], "jobs": [], "ratings": ratings, "library": library,
    }  # fmt: skip
    assert list(figures(found).values()) == ["2,000", "1.5 s", "20%", "3 / 4", "1,200", "7"]
    empty = {**found, "days": [], "statuses": [], "ratings": {"up": 0, "down": 0}, "library": {}}
    assert list(figures(empty).values()) == ["0", "–", "–", "–", "0", "0"]


def test_each_part_is_named_with_its_state() -> None:
    health = {"state": "degraded", "version": "1", "database": {"state": "up"}, "model": {"state": "down"}}
    assert parts(health) == [("Database", "up"), ("Language model", "down")]


async def test_what_was_answered_is_counted_and_drawn(page: Page, api: Api, vllm: FakeVLLM) -> None:
    vllm.default = cited(DRAFT)
    client = Client.of(api.url)
    for thread in ("a", "b"):
        assert list(client.ask(thread, ASKED, "patient"))[-1][0] == "done"
    await page.get_by_role("link", name="Operations").click()
    await expect(page.locator(".pm-figures div").first).to_have_text("Answers2")
    await expect(page.locator(".pm-parts")).to_contain_text("Language model: up")
    for title in ("Answers by status", "Seconds to an answer", "Tokens of the model", "Prompt tokens from the cache"):
        await expect(page.get_by_role("heading", name=title)).to_be_visible()
    await expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(4)
    await expect(page.get_by_role("heading", name="Jobs of the whole installation")).to_be_visible()


async def test_figures_that_can_not_be_had_are_said_to_be_so(page: Page, api: Api) -> None:
    await expect(page.locator(".pm-health")).to_contain_text("Ready")
    api.stop()
    await page.get_by_role("link", name="Operations").click()
    await expect(page.locator(".pm-problem")).to_contain_text("Primum's server does not answer")
