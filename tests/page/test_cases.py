"""A clinician hands in a case on the page."""

from playwright.async_api import Page, expect
from sqlalchemy import text

from primum.graph.settings import Settings
from primum.memory.identity import Identity
from primum.memory.session import Database
from tests.page.test_page import answer, ask

CASE = "58-year-old man, crushing chest pain for 40 minutes, sweating, BP 92/60, on sildenafil"


async def test_a_case_is_handed_in_as_one_and_only_by_a_clinician(page: Page, settings: Settings) -> None:
    toggle = page.get_by_text("My message is a case")
    await expect(page.get_by_text("Clinician")).to_be_visible()
    await expect(toggle).to_have_count(0)
    await page.get_by_text("Clinician").click()
    await toggle.click()
    await ask(page, CASE)
    await expect(answer(page)).to_contain_text("Case.", timeout=30_000)
    await expect(answer(page).get_by_role("heading", name="Red flags")).to_be_visible()
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool=1)
    async with database.begin(Identity("main", "me")) as connection:
        assert await connection.scalar(text("select answer -> 'trace' ->> 'route' from turns")) == "case"
    await database.close()
