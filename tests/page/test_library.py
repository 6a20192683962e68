"""The library in a browser: found, read, cited, added to and taken out of."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.async_api import Page, expect

from primum.page.client import Client, Refused
from tests.fakes import FakeVLLM
from tests.page.conftest import Api
from tests.page.test_page import ASKED, DRAFT, LIVER, answer, ask
from tests.pages import cited

EVIL = "<img src=x onerror=alert(1)> **bold** [a](javascript:alert(1))"


@pytest.fixture
def client(api: Api) -> Client:
    return Client.of(api.url)


def titles(client: Client) -> list[str]:
    return [document["title"] for document in client.documents("", 50)]


async def test_a_document_is_found_by_its_title_and_read_with_its_standing(page: Page, settings: Any) -> None:
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        connection.execute("update documents set retracted = true, reviewed = '2001-02-03' where title = 'Paracetamol'")
    await page.get_by_role("link", name="Library").click()
    rows = page.locator(".pm-documents li")
    await expect(rows).to_have_count(5)
    await page.get_by_label("Find by title").fill("parac")
    await page.get_by_label("Find by title").press("Enter")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("retracted")
    await expect(rows).to_contain_text("may be out of date")
    await expect(rows).to_contain_text("Reviewed 3 February 2001")
    await rows.get_by_role("link", name="Paracetamol").click()
    document = page.locator(".pm-document")
    await expect(document.get_by_role("heading", level=1)).to_have_text("Paracetamol")
    await expect(document).to_contain_text("This source was retracted")
    await expect(document).to_contain_text(f"{LIVER}.")
    await page.reload()
    await expect(document).to_contain_text(f"{LIVER}.")
    await page.get_by_role("link", name="All documents").click()
    await expect(rows).to_have_count(5)
    await page.get_by_label("Find by title").fill("no such thing")
    await page.get_by_label("Find by title").press("Enter")
    await expect(page.locator(".pm-note")).to_have_text("No document has “no such thing” in its title.")


async def test_a_citation_opens_its_document_at_the_cited_piece_and_one_comes_back(page: Page, vllm: FakeVLLM) -> None:
    vllm.says(cited(DRAFT))
    await ask(page)
    await page.locator(".pm-text .pm-chip", has_text="1").click()
    await page.locator(".pm-card:popover-open").get_by_role("link", name="Read it in the library").press("Enter")
    await expect(page.locator(".pm-document h1")).to_have_text("Paracetamol")
    await expect(page.locator(".pm-cited")).to_contain_text(f"{LIVER}.")
    await expect(page.locator(".pm-cited")).to_be_in_viewport()
    await page.get_by_role("link", name="Back to the conversation").click()
    await expect(answer(page)).to_contain_text(LIVER)
    await expect(page.locator(".pm-question")).to_have_text([ASKED])


async def test_a_document_that_is_gone_says_so(page: Page) -> None:
    await page.goto("/library?document=999999")
    await expect(page.locator(".pm-problem")).to_contain_text("There is no such document.")


async def test_a_file_is_added_cites_nothing_that_runs_and_is_taken_out(
    page: Page, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "evil.md"
    file.write_text(f"# {EVIL}\n\n{EVIL} Gout is a kind of arthritis that comes in attacks.\n")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/library")
    await page.get_by_text("Add a document").click()
    await page.get_by_role("button", name="Add to the library").click()
    await expect(page.locator(".pm-note").first).to_have_text("Choose a file first.")
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_text("evil.md")).to_be_visible()
    await page.get_by_role("button", name="Add to the library").click()
    await expect(page.locator(".pm-receipt")).to_contain_text("Documents added: 1")
    row = page.locator(".pm-documents li", has_text="onerror")
    await expect(row).to_contain_text("your own")
    await row.get_by_role("link").click()
    await expect(page.locator(".pm-document")).to_contain_text("Gout is a kind of arthritis")
    await expect(page.locator(".stHtml img, .pm-document script, .pm-text a")).to_have_count(0)
    assert not [url for url in asked if url.endswith("/x")]

    await page.get_by_role("button", name="Take out of the library").click()
    await page.get_by_role("button", name="Take out", exact=True).click()
    await expect(page.locator(".pm-documents li")).to_have_count(5)
    assert len(titles(client)) == 5


async def test_a_file_that_can_not_be_read_says_why(page: Page, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "broken.pdf"
    file.write_bytes(b"no PDF")
    await page.goto("/library")
    await page.get_by_text("Add a document").click()
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_text("broken.pdf")).to_be_visible()
    await page.get_by_role("button", name="Add to the library").click()
    await expect(page.locator(".pm-problem")).to_contain_text("It was not added")
    await expect(page.locator(".pm-problem")).to_contain_text("can't be read")
    assert len(titles(client)) == 5


def test_what_was_put_in_is_replaced_by_the_same_name_and_unknown_after_it_is_taken_out(client: Client) -> None:
    text = b"# Sprains\n\nA sprain is a stretched or torn ligament near a joint."
    assert client.put_in("sprains.md", text, everyones=False)["added"] == 1
    assert client.put_in("sprains.md", text, everyones=False)["unchanged"] == 1
    (entry,) = client.documents("sprains", 5)
    assert entry["private"] and "ligament" in client.document(entry["id"])["sections"][0]["text"]
    client.take_out(entry["id"])
    with pytest.raises(Refused, match="no such document"):
        client.document(entry["id"])
