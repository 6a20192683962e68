"""Asking with a picture: its words come into the box first, and are asked only when they are sent."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.async_api import Locator, Page, expect

from primum.graph.settings import Settings
from tests.fakes import FakeVLLM, Says
from tests.page.conftest import Api

LABEL = "Paracetamol 500 mg. Take 2 tablets up to 4 times a day."


@pytest.fixture
def api(settings: Settings, api_port: int) -> Iterator[Api]:
    api = Api(settings.model_copy(update={"picture_model": "primum"}), api_port)
    api.start()
    yield api
    api.stop()


def box(page: Page) -> Locator:
    return page.get_by_test_id("stChatInput").locator("textarea")


async def send(page: Page, content: bytes) -> None:
    await (
        page.get_by_test_id("stChatInput")
        .locator("input[type=file]")
        .set_input_files({"name": "label.png", "mimeType": "image/png", "buffer": content})
    )
    await page.get_by_test_id("stChatInputSubmitButton").click()  # once the file is there: until then it takes no click


def label() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(written, "PNG")
    return written.getvalue()


async def test_a_pictures_words_are_shown_before_they_are_asked(page: Page, vllm: FakeVLLM) -> None:
    vllm.says(Says(LABEL))
    await send(page, label())
    await expect(box(page)).to_have_value(LABEL)
    await expect(page.get_by_text("This is what was understood.")).to_be_visible()
    await expect(page.locator(".pm-question")).to_have_count(0)
    await box(page).fill("Is 2 tablets of 500 mg paracetamol too much?")
    await box(page).press("Enter")
    await expect(page.locator(".pm-question")).to_have_text("Is 2 tablets of 500 mg paracetamol too much?")


async def test_a_picture_that_cannot_be_read_says_so_and_asks_nothing(page: Page, vllm: FakeVLLM) -> None:
    await send(page, label()[:50])
    await expect(page.get_by_text("It could not be read")).to_be_visible()
    await expect(page.locator(".pm-question")).to_have_count(0)
