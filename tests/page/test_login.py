"""Signing in with a key, and what a role sees, in a browser."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from primum.graph.settings import Settings
from primum.memory.keys import Keys
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.page.client import Client
from tests.fakes import FakeVLLM
from tests.page.conftest import Api
from tests.page.test_page import ASKED, DOSE, DRAFT, answer, ask
from tests.pages import cited

MakeKey = Callable[..., Awaitable[str]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "required"})


@pytest.fixture
async def keys(settings: Settings, library_url: str) -> AsyncIterator[Keys]:
    database = Database(library_url, owner=True)
    yield Keys(database, find_secret((), settings.home))
    await database.close()


@pytest.fixture
def make_key(keys: Keys, api: Api) -> MakeKey:
    async def make(role: Any, **given: Any) -> str:
        return (await keys.create("main", role, role, **given))[0]

    return make


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("API key", exact=True).fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def see_pages(page: Page, *names: str) -> None:
    await expect(page.get_by_test_id("stSidebarNavLink")).to_contain_text(names)


async def test_nothing_is_shown_before_a_key_that_holds_and_nothing_after_signing_out(
    page: Page, make_key: MakeKey, vllm: FakeVLLM
) -> None:
    key = await make_key("patient", patient="p1")
    vllm.default = cited(DRAFT)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_label("API key", exact=True)).to_have_attribute("type", "password")
    await expect(page.get_by_test_id("stChatInput")).to_have_count(0)
    await sign_in(page, "primum_0_wrong")
    await expect(page.locator(".pm-problem")).to_contain_text("The API key is wrong, ran out or was revoked.")
    await sign_in(page, "wrong ключ")
    await expect(page.locator(".pm-problem")).to_contain_text("letters, digits and signs, without spaces")
    await sign_in(page, key)
    await ask(page)
    await expect(answer(page)).to_contain_text(DOSE)
    assert key not in page.url
    await see_pages(page, "Conversation", "Library")
    await expect(page.get_by_text("Answers for")).to_have_count(0)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(answer(page)).to_have_count(0)
    await expect(page.get_by_role("button", name=ASKED)).to_have_count(0)


async def test_a_clinician_asks_about_the_patient_that_was_chosen_and_about_no_other(
    page: Page, make_key: MakeKey, vllm: FakeVLLM, api: Api
) -> None:
    key = await make_key("clinician")
    client = Client.of(api.url).signed(key)
    client.about("p1").fill_in({"kind": "allergy", "value": "penicillin"})
    client.about("q1").fill_in({"kind": "allergy", "value": "latex"})
    vllm.default = cited(DRAFT)
    await sign_in(page, key)
    await expect(page.get_by_role("button", name="q1", exact=True)).to_be_visible()
    search = page.get_by_label("Name or number of the patient")
    await search.fill("a b")
    await search.press("Enter")
    await expect(page.locator(".pm-note")).to_contain_text("without spaces")
    await search.fill("p")
    await search.press("Enter")
    await expect(page.get_by_role("button", name="q1", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="p1", exact=True).click()
    await expect(page.get_by_text("Patient: p1")).to_be_visible()
    await expect(page.get_by_role("button", name="What is known of the patient")).to_contain_text("1")
    await ask(page)
    await expect(answer(page)).to_contain_text(DOSE)
    assert "p1" not in page.url.split("?")[1]
    assert [thread["title"] for thread in client.about("p1").threads()] == [ASKED]

    await page.get_by_role("button", name="Change patient").click()
    await page.get_by_label("Name or number of the patient").fill("p-2")
    await page.get_by_label("Name or number of the patient").press("Enter")
    await page.get_by_role("button", name="Open “p-2” as a new patient").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(page.get_by_role("button", name=ASKED)).to_have_count(0)


async def test_an_administrator_sees_the_pages_that_the_key_allows(page: Page, make_key: MakeKey) -> None:
    await sign_in(page, await make_key("admin"))
    await see_pages(page, "Library", "Operations")
    await expect(page.get_by_text("Add a document")).to_be_visible()
    await page.get_by_role("link", name="Operations").click()
    await expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    await expect(page.get_by_text("Nothing was asked in these days.")).to_be_visible()


async def test_whose_key_was_revoked_is_led_to_the_door(page: Page, make_key: MakeKey, keys: Keys) -> None:
    await sign_in(page, await make_key("patient", patient="p1"))
    await page.get_by_role("button", name="What I know about you").click()
    await expect(page.get_by_role("heading", name="What I know about you")).to_be_visible()
    (kept,) = await keys.listed("main")
    await keys.revoke("main", kept.id)
    await page.get_by_role("button", name="Back").click()
    await page.get_by_role("button", name="What I know about you").click()
    await expect(page.locator(".pm-problem")).to_contain_text("The API key is wrong, ran out or was revoked.")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
