"""What readers think of answers, in a browser."""

from typing import Any

import psycopg
from playwright.async_api import Page, expect

from primum.memory.session import Database
from tests.fakes import FakeVLLM
from tests.page.test_page import DRAFT, answer, ask
from tests.pages import cited
from tests.rows import rows


async def kept(library_url: str) -> list[Any]:
    database = Database(library_url)
    found = await rows(database, "select rating, reasons, comment from feedback")
    await database.close()
    return found


async def test_a_thumb_is_kept_at_once_and_its_reasons_when_they_are_sent(
    page: Page, vllm: FakeVLLM, library_url: str
) -> None:
    vllm.default = cited(DRAFT)
    await ask(page)
    await page.get_by_role("button", name="This helped").click()
    await expect(page.get_by_role("button", name="This helped (chosen)")).to_be_visible()
    assert [rating for rating, *_ in await kept(library_url)] == [1]
    await page.get_by_role("button", name="This did not help").click()
    await page.get_by_role("button", name="Unsafe").click()
    await page.get_by_role("button", name="Hard to understand").click()
    await page.get_by_label("In your words, without names (if you like)").fill("Too many numbers")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".pm-note")).to_contain_text("Thank you.")
    ((rating, reasons, comment),) = await kept(library_url)
    assert (rating, reasons, comment) == (-1, ["Unsafe", "Hard to understand"], "Too many numbers")


async def test_a_rating_that_was_not_kept_says_so(page: Page, vllm: FakeVLLM, library_url: str) -> None:
    vllm.default = cited(DRAFT)
    await ask(page)
    await expect(answer(page)).to_be_visible()
    with psycopg.connect(library_url) as connection:
        connection.execute("alter table feedback rename to elsewhere")
    await page.get_by_role("button", name="This helped").click()
    await expect(page.locator(".pm-problem")).to_contain_text("Your rating was not kept")
    await expect(page.locator(".pm-problem")).to_contain_text("Primum broke on this question")
    await expect(answer(page)).to_be_visible()
