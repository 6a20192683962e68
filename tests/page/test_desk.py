"""An answer that waits: what its patient sees, and the desk of whoever signs."""

import pytest
from playwright.async_api import Page, expect

from primum.graph.settings import Settings
from primum.page.client import Client
from tests.fakes import FakeVLLM
from tests.page.conftest import Api
from tests.page.test_page import ASKED, DRAFT
from tests.pages import cited


@pytest.fixture
def settings(settings: Settings, vllm: FakeVLLM) -> Settings:
    vllm.default = cited(DRAFT)
    return settings.model_copy(update={"sign_off": "patients"})


async def test_the_patient_waits_and_gets_the_answer_by_itself(page: Page, api: Api) -> None:
    list(Client.of(api.url).ask("t", ASKED, "patient"))
    await page.goto("/?thread=t")
    await expect(page.get_by_text("A clinician looks at the answer before you get it")).to_be_visible()
    (review,) = Client.of(api.url).reviews()
    Client.of(api.url).decide(review["run_id"], "approved")
    await expect(page.get_by_text("Checked by a clinician.")).to_be_visible()


async def test_who_signs_edits_an_answer_and_lets_it_out(page: Page, api: Api) -> None:
    client = Client.of(api.url)
    list(client.ask("t", ASKED, "patient"))
    await page.goto("/sign-off")
    await expect(page.get_by_text(ASKED)).to_be_visible()
    await expect(page.get_by_role("button", name="Let my version out")).to_be_disabled()
    await page.get_by_role("textbox", name="Your version").fill("Come to the ward at nine.")
    await page.get_by_role("textbox", name="Your version").press("Control+Enter")
    await page.get_by_role("button", name="Let my version out").click()
    await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    answer = client.turns("t")[-1]["answer"]
    assert answer["text"] == "Come to the ward at nine." and answer["signed"]["decision"] == "edited"
    await page.goto("/?thread=t")
    await expect(page.get_by_text("Edited by a clinician.")).to_be_visible()
    await expect(page.get_by_text("sentences proven")).to_have_count(0)


async def test_a_refused_answer_is_told_to_its_patient(page: Page, api: Api) -> None:
    client = Client.of(api.url)
    list(client.ask("t", ASKED, "patient"))
    await page.goto("/sign-off")
    await page.get_by_role("button", name="Refuse").click()
    await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    await page.goto("/?thread=t")
    await expect(page.get_by_text("A clinician asks you to speak with them")).to_be_visible()
