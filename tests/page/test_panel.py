"""What Primum knows of a patient, in a browser: shown with its proof, and ruled over."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from primum.graph.settings import Settings
from primum.memory.audit import Audit
from primum.memory.chart import Charts
from primum.memory.erasure import Receipt, is_genuine
from primum.memory.facts import Fact, Quote
from primum.memory.identity import Identity
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.page.client import Client
from tests.fakes import FakeVLLM
from tests.page.conftest import Api

SAID = "I'm allergic to penicillin and I take warfarin 5 mg daily. What is gout?"
EVIL = "<img src=x onerror=alert(1)> **bold** [a](https://evil.example) https://evil.example"


@pytest.fixture
def client(api: Api) -> Client:
    return Client.of(api.url)


@pytest.fixture
def told(client: Client, vllm: FakeVLLM) -> Client:
    """A patient of whom an allergy and a medicine are known."""
    vllm.default = "No."
    say(client, SAID)
    return client


def say(client: Client, words: str, thread: str = "told") -> None:
    assert list(client.ask(thread, words, "patient"))[-1][0] == "done"


def texts(client: Client) -> list[str]:
    return [fact["text"] for fact in client.facts()["facts"]]


async def open_panel(page: Page) -> None:
    await page.reload()
    await page.get_by_role("button", name="What I know about you").click()
    await expect(page.get_by_role("heading", name="What I know about you")).to_be_visible()


def fact(page: Page, words: str) -> Locator:
    return page.locator("[class*=st-key-fact-]", has=page.locator(".pm-words", has_text=words))


async def choose(page: Page, words: str, action: str) -> Locator:
    """The dialog of an action on a fact."""
    await page.get_by_role("button", name=f"Change {words}").click()
    await page.get_by_role("menuitem", name=action).click()
    return page.get_by_role("dialog")


async def pick(dialog: Locator, label: str, option: str) -> None:
    await dialog.get_by_role("combobox", name=label).click()
    await dialog.page.get_by_role("option", name=option, exact=True).click()


async def test_facts_stand_in_their_groups_with_their_proof(page: Page, told: Client) -> None:
    told.fill_in({"kind": "weight", "value": "70 kg"})
    await page.reload()
    await expect(page.get_by_role("button", name="What I know about you")).to_contain_text("3")
    box = page.get_by_test_id("stChatInput").locator("textarea")
    await box.fill("half a quest")
    await page.get_by_role("button", name="What I know about you").click()
    await expect(page.locator(".pm-group")).to_have_text(["Allergies", "Medicines", "You"])
    await expect(fact(page, "allergy to penicillin").locator(".pm-proof")).to_have_text("I'm allergic to penicillin")
    await expect(fact(page, "allergy to penicillin")).to_contain_text("You said so on ")
    await expect(fact(page, "weight 70 kg")).to_contain_text("Filled in by hand on ")
    await page.reload()
    await expect(fact(page, "warfarin 5 mg daily")).to_be_visible()
    await page.get_by_role("button", name="Back").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(page.locator(".pm-fact")).to_have_count(0)


async def test_a_question_that_is_half_typed_is_kept_and_can_be_asked_from_the_panel(page: Page, told: Client) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    await box.fill("What is gout?")
    await page.get_by_role("button", name="What I know about you").click()
    await expect(page.get_by_role("heading", name="What I know about you")).to_be_visible()
    await expect(box).to_have_value("What is gout?")
    await box.press("Enter")
    await expect(page.locator(".pm-question")).to_have_text(["What is gout?"])
    await expect(page.get_by_role("heading", name="What I know about you")).to_have_count(0)


async def test_of_whom_nothing_is_known_a_sentence_says_what_is_kept(page: Page) -> None:
    await open_panel(page)
    await expect(page.locator(".pm-known")).to_contain_text("I keep only what you say of yourself")
    await expect(page.get_by_role("button", name="Take it along")).to_have_count(0)


async def test_a_fact_is_added_and_what_is_wrong_with_it_is_said_beside_it(page: Page, told: Client) -> None:
    await open_panel(page)
    await page.get_by_role("button", name="Add a fact").click()
    dialog = page.get_by_role("dialog")
    await pick(dialog, "What is it about?", "Weight")
    field = dialog.get_by_label("Weight", exact=True)
    await expect(field).to_have_attribute("placeholder", "For example: 70 kg")
    await field.fill("heavy")
    await field.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("Write it like this: 70 kg")
    await expect(field).to_have_value("heavy")
    await field.fill("72 kg")
    await dialog.get_by_role("button", name="Save").click()
    await expect(fact(page, "weight 72 kg")).to_be_visible()
    await expect(dialog).to_have_count(0)


async def test_a_no_is_a_denial(page: Page, client: Client) -> None:
    await open_panel(page)
    await page.get_by_role("button", name="Add a fact").click()
    dialog = page.get_by_role("dialog")
    await pick(dialog, "What is it about?", "Breast-feeding")
    await dialog.get_by_label("Breast-feeding", exact=True).fill("no")
    await dialog.get_by_role("button", name="Save").click()
    await expect(fact(page, "no breast-feeding")).to_be_visible()
    assert [one["negated"] for one in client.facts()["facts"]] == [True]


async def test_a_fact_is_corrected_and_what_was_wrong_is_gone(page: Page, told: Client) -> None:
    await open_panel(page)
    dialog = await choose(page, "warfarin 5 mg daily", "Correct it")
    await expect(dialog.get_by_label("Medicine", exact=True)).to_have_value("warfarin 5 mg daily")
    await dialog.get_by_label("Medicine", exact=True).fill("warfarin 3 mg daily")
    await dialog.get_by_role("button", name="Save").click()
    await expect(fact(page, "warfarin 3 mg daily")).to_contain_text("Filled in by hand")

    dialog = await choose(page, "allergy to penicillin", "Correct it")
    await dialog.get_by_label("Allergy", exact=True).fill("peanuts")
    await dialog.get_by_label("What happens").fill("rash")
    await pick(dialog, "How bad", "Mild")
    await dialog.get_by_role("button", name="Save").click()
    await expect(fact(page, "allergy to peanuts (mild, rash)")).to_be_visible()
    await expect(fact(page, "penicillin")).to_have_count(0)
    assert sorted(texts(told)) == ["allergy to peanuts (mild, rash)", "warfarin 3 mg daily"]


async def test_a_correction_that_changes_nothing_removes_nothing(page: Page, told: Client) -> None:
    await open_panel(page)
    dialog = await choose(page, "allergy to penicillin", "Correct it")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    assert "allergy to penicillin" in texts(told)


async def test_what_ended_is_folded_away(page: Page, told: Client) -> None:
    await open_panel(page)
    dialog = await choose(page, "warfarin 5 mg daily", "No longer so")
    await dialog.get_by_role("button", name="It ended then").click()
    await expect(dialog).to_have_count(0)
    await expect(page.locator(".pm-group")).to_have_text(["Allergies"])
    folded = page.locator(".st-key-ended")
    await expect(folded.locator(".pm-words")).to_be_hidden()
    await folded.get_by_text("What no longer holds (1)").click()
    await expect(folded.locator(".pm-words")).to_contain_text("warfarin 5 mg daily (until ")


async def test_a_fact_is_removed_for_good_once_that_is_confirmed(page: Page, told: Client) -> None:
    await open_panel(page)
    dialog = await choose(page, "warfarin 5 mg daily", "Remove for good")
    await expect(dialog).to_contain_text("“warfarin 5 mg daily” goes with its proof")
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(dialog).to_have_count(0)
    await expect(fact(page, "warfarin")).to_be_visible()
    dialog = await choose(page, "warfarin 5 mg daily", "Remove for good")
    await dialog.get_by_role("button", name="Remove").click()
    await expect(fact(page, "warfarin")).to_have_count(0)
    assert [one["value"] for one in told.facts(ended=True)["facts"]] == ["penicillin-class"]


@pytest.mark.parametrize("right", ["allergy to penicillin", "no allergies"])
async def test_of_two_that_cannot_both_be_true_the_patient_says_which_is(page: Page, told: Client, right: str) -> None:
    say(told, "I have no allergies. What is gout?", "denied")
    await open_panel(page)
    unclear = page.locator("[class*=st-key-unclear-]")
    await expect(unclear).to_contain_text("Until you say which is right, I go by “allergy to penicillin”")
    await expect(unclear.locator("q")).to_have_text(["I'm allergic to penicillin", "I have no allergies."])
    await expect(page.locator(".st-key-ended")).to_have_count(0)
    await unclear.get_by_role("button", name=f"“{right}” is right").click()
    await expect(page.get_by_role("dialog")).to_contain_text(f"From now on I go by “{right}”")
    await page.get_by_role("button", name="That is right").click()
    await expect(unclear).to_have_count(0)
    await expect(fact(page, right)).to_be_visible()
    assert told.facts()["unclear"] == [] and sorted(texts(told)) == sorted([right, "warfarin 5 mg daily"])


async def test_neither_of_two_may_be_true(page: Page, told: Client) -> None:
    say(told, "I have no allergies. What is gout?", "denied")
    await open_panel(page)
    unclear = page.locator("[class*=st-key-unclear-]")
    await unclear.get_by_role("button", name="Neither is right").click()
    await expect(page.get_by_role("dialog")).to_contain_text("I take neither into account")
    await page.get_by_role("button", name="That is right").click()
    await expect(unclear).to_have_count(0)
    await expect(page.locator(".pm-group")).to_have_text(["Medicines"])
    assert told.facts()["unclear"] == [] and texts(told) == ["warfarin 5 mg daily"]


async def test_what_has_ended_is_removed_for_good_and_what_holds_of_it_stays(page: Page, told: Client) -> None:
    told.fill_in({"kind": "medicine", "value": "warfarin 3 mg daily"})
    await open_panel(page)
    folded = page.locator(".st-key-ended")
    await folded.get_by_text("What no longer holds (1)").click()
    await folded.get_by_role("button", name="Change warfarin 5 mg daily").click()
    await expect(page.get_by_role("menuitem")).to_have_text(["Remove for good"])
    await page.get_by_role("menuitem", name="Remove for good").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(folded).to_have_count(0)
    await expect(fact(page, "warfarin 3 mg daily")).to_be_visible()
    assert sorted(texts(told)) == ["allergy to penicillin", "warfarin 3 mg daily"]
    assert not [one for one in told.facts(ended=True)["facts"] if one["ended"]]


async def test_what_is_known_of_an_allergy_stands_in_the_form_that_corrects_it(page: Page, client: Client) -> None:
    client.fill_in({"kind": "allergy", "value": "penicillin", "reaction": "hives", "severity": "mild"})
    client.fill_in({"kind": "condition", "value": "no asthma"})
    await open_panel(page)
    dialog = await choose(page, "allergy to penicillin", "Correct it")
    await expect(dialog.get_by_label("What happens")).to_have_value("hives")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    dialog = await choose(page, "no asthma", "Correct it")
    await expect(dialog.get_by_label("Condition", exact=True)).to_have_value("no asthma")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    assert texts(client) == ["allergy to penicillin (mild, hives)", "no asthma"]


async def test_a_chart_is_taken_along_as_fhir(page: Page, told: Client) -> None:
    await open_panel(page)
    await page.get_by_role("button", name="Take it along").click()
    bundle = await downloaded(page, page.get_by_role("dialog").get_by_role("button", name="Download"))
    assert bundle["resourceType"] == "Bundle" and len(bundle["entry"]) >= 3


async def downloaded(page: Page, button: Locator) -> Any:
    async with page.expect_download() as started:
        await button.click()
    download = await started.value
    return read(await download.path())


def read(path: Path) -> Any:
    return json.loads(path.read_text())


async def test_everything_is_erased_once_the_word_is_typed_and_a_receipt_says_so(page: Page, told: Client) -> None:
    await page.goto("/?thread=told")
    await expect(page.locator(".pm-question")).to_be_visible()
    await open_panel(page)
    await page.get_by_role("button", name="Erase everything about me").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("To confirm").fill("yes")
    await dialog.get_by_role("button", name="Erase everything").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Nothing was erased")
    assert len(texts(told)) == 2
    await dialog.get_by_label("To confirm").fill("Erase")
    await dialog.get_by_role("button", name="Erase everything").click()
    await expect(page.locator(".pm-receipt")).to_contain_text("Everything about you is erased")
    await expect(page.locator(".pm-receipt")).to_be_in_viewport()
    await expect(page.locator(".pm-receipt li").first).to_have_text("1 conversation")
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(page.locator("[class*=st-key-thread-]")).to_have_count(0)
    assert "thread" not in page.url and texts(told) == []
    receipt = await downloaded(page, page.get_by_role("button", name="Download the receipt"))
    assert is_genuine(Receipt.model_validate(receipt)) and receipt["counts"]["facts"] == 2
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator(".pm-receipt")).to_have_count(0)


async def test_nothing_in_a_fact_runs_or_becomes_html(
    page: Page, client: Client, library_url: str, settings: Settings
) -> None:
    quote = Quote(role="patient", message="1", start=0, stop=len(EVIL), text=EVIL)
    known = Fact(kind="condition", value=EVIL, written=EVIL, said=date(2026, 5, 3), quotes=(quote,))
    client.fill_in({"kind": "weight", "value": "70 kg"})
    database = Database(library_url)
    charts = Charts(database, Audit(database, find_secret((), settings.home)))
    await charts.take(Identity("main", "me"), [known], "rules")
    await charts.take(Identity("main", "me"), [known.model_copy(update={"negated": True})], "rules")
    await database.close()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await open_panel(page)
    await expect(fact(page, EVIL).locator(".pm-proof")).to_have_text(EVIL)
    await expect(page.locator(".pm-unclear")).to_contain_text(f"I go by “{EVIL}”.")
    await expect(page.get_by_role("button", name=f"“no {EVIL}” is right", exact=True)).to_be_visible()
    dialog = await choose(page, EVIL, "Remove for good")
    await expect(dialog).to_contain_text(f"“{EVIL}” goes")
    made = page.locator(".st-key-panel, [role=dialog]").locator("img, a, script, em, p strong")
    await expect(made).to_have_count(0)
    assert not [url for url in asked if "evil" in url]


async def test_what_could_not_be_saved_says_so_and_keeps_what_was_typed(page: Page, told: Client, api: Api) -> None:
    await open_panel(page)
    dialog = await choose(page, "warfarin 5 mg daily", "Correct it")
    field = dialog.get_by_label("Medicine", exact=True)
    await field.fill("warfarin 3 mg daily")
    api.stop()
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("does not answer")
    await expect(field).to_have_value("warfarin 3 mg daily")
    api.start()
    await dialog.get_by_role("button", name="Save").click()
    await expect(fact(page, "warfarin 3 mg daily")).to_be_visible()


async def test_a_panel_that_cannot_be_shown_says_why(page: Page, api: Api) -> None:
    api.stop()
    await page.goto("/?view=known")
    await expect(page.locator(".pm-problem")).to_contain_text("What I know about you can't be shown at the moment")
    api.start()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="What I know about you")).to_be_visible()


async def test_an_answer_says_what_it_took_into_account(page: Page, told: Client) -> None:
    await page.goto("/?thread=told")
    used = page.locator(".pm-used")
    await expect(used.locator("summary")).to_have_text("Taken into account: allergy to penicillin, warfarin 5 mg daily")
    await expect(used.locator("li").first).to_be_hidden()
    await used.locator("summary").click()
    await expect(used.locator("li").first.locator("q")).to_have_text("I'm allergic to penicillin")
    await expect(used.locator("li").first).to_contain_text("You said so on ")


async def test_on_a_phone_the_panel_is_whole_and_the_sidebar_gives_way(page: Page, told: Client) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    told.fill_in({"kind": "medicine", "value": "x" * 190})
    await page.goto("/")
    await page.get_by_test_id("stExpandSidebarButton").click()
    await page.get_by_role("button", name="What I know about you").click()
    await expect(page.get_by_role("heading", name="What I know about you")).to_be_in_viewport()
    await expect(page.get_by_role("button", name="New conversation")).not_to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    for row in await page.locator("[class*=st-key-menu-] button").all():
        box = await row.bounding_box()
        assert box and box["x"] + box["width"] <= 390


async def test_the_keyboard_alone_reaches_every_action(page: Page, told: Client) -> None:
    await open_panel(page)
    await page.get_by_role("button", name="Change warfarin 5 mg daily").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[role=menu]:focus-within")).to_be_visible()
    active = page.locator("[role=menuitem][data-focused]")
    for action in ("Correct it", "No longer so"):
        await expect(active).to_have_text(action)
        await page.keyboard.press("ArrowDown")
    await expect(active).to_have_text("Remove for good")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Remove it for good?")).to_be_visible()
