"""The page in a browser: real Chromium, real Streamlit, the real API; the model is scripted."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from playwright.async_api import Browser, Locator, Page, expect

from primum.graph.settings import Settings
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.memory.threads import Threads
from tests.fakes import FakeVLLM, Says
from tests.page.conftest import Api
from tests.pages import cited

ME = Identity("main", "me")
ASKED = "How much paracetamol can adults take?"
DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
LIVER = "Too much paracetamol can damage the liver, even if you feel well"
DRAFT = f"{LIVER} [damage the liver]. {DOSE} [every 4 to 6 hours]."


async def ask(page: Page, question: str = ASKED) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    await box.fill(question)
    await box.press("Enter")


def answer(page: Page) -> Locator:
    return page.locator(".pm-answer:not(.pm-audited)")


async def seeded(settings: Settings, given: Mapping[str, Any] | None, question: str = ASKED) -> str:
    """A thread with one turn, answered so or still running, put straight into the database."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value())
    audit = Audit(database, find_secret((), settings.home))
    threads, run, thread = Threads(database, audit), uuid4(), str(uuid4())
    await threads.admit(ME, run, thread, question, {})
    if given is not None:
        await threads.finish(ME, run, given, "patient", {})
    await database.close()
    return thread


def stored(text: str, status: str, **given: Any) -> dict[str, Any]:
    trace = {"run_id": str(uuid4()), "model": "m", "route": "evidence", "revisions": 0, "problems": [], "tokens": {}}
    trace |= {"corpus_version": "1", "rules_version": "1", "timings_ms": {"router": 1.0}}
    empty = {"citations": [], "support": {}, "confidence": 0.5, "reasoning": None, "trace": trace}
    return {"text": text, "status": status, **empty, **given}


async def test_a_question_is_answered_with_its_steps_shown_and_chips_that_open_the_quote(
    page: Page, vllm: FakeVLLM
) -> None:
    vllm.says(lambda request: Says(str(cited(DRAFT)(request)), each=0.03))
    await ask(page)
    await expect(page.locator(".pm-question")).to_have_text(ASKED)
    await expect(page.locator(".pm-steps .done").first).to_have_text("Recalling what you told me")
    await expect(page.locator(".pm-found")).to_contain_text("Paracetamol")
    await expect(answer(page)).to_contain_text(DOSE)
    await expect(page.locator(".pm-working")).to_have_count(0)
    await expect(page.locator(".pm-check")).to_contain_text("Checked: 2 of 2 sentences proven. Confidence:")

    card = page.locator(".pm-card:popover-open")
    await page.locator(".pm-text .pm-chip", has_text="1").click()
    await expect(card.locator("blockquote")).to_have_text(f"{LIVER}.")
    await expect(card.locator("header")).to_contain_text("Warnings")
    await expect(card).to_contain_text("Reviewed 1 November 2026")
    link = card.get_by_role("link", name="Paracetamol")
    await expect(link).to_have_attribute("href", "https://www.nhs.uk/paracetamol/")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await page.keyboard.press("Escape")
    await expect(card).to_have_count(0)


async def test_a_conversation_survives_a_reload_and_can_be_left_opened_and_deleted(page: Page, vllm: FakeVLLM) -> None:
    vllm.says(cited(DRAFT))
    await ask(page)
    await expect(answer(page)).to_be_visible()
    assert re.search(r"\?thread=[0-9a-f-]{36}$", page.url)
    await page.reload()
    await expect(answer(page)).to_contain_text(DOSE)

    await page.get_by_role("button", name="New conversation").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(answer(page)).to_have_count(0)
    await page.get_by_role("button", name=ASKED, exact=True).click()
    await expect(answer(page)).to_contain_text(DOSE)

    await page.get_by_role("button", name=f"Delete {ASKED}").click()
    await expect(page.get_by_role("dialog")).to_contain_text("stays in “What I know about you”")
    await page.get_by_role("button", name="Keep it").click()
    await expect(answer(page)).to_contain_text(DOSE)
    await page.get_by_role("button", name=f"Delete {ASKED}").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(page.get_by_role("button", name=ASKED)).to_have_count(0)


async def test_audited_sentences_are_read_while_the_rest_is_written(page: Page, vllm: FakeVLLM) -> None:
    rest = "It may also help with a headache that comes after a long day" + ", and with the pains of a cold" * 20
    vllm.says(lambda request: Says(str(cited(f"{DRAFT} {rest}.")(request)), each=0.1))
    await ask(page)
    early = page.locator(".pm-audited")
    await expect(early).to_contain_text(LIVER)
    await expect(page.locator(".pm-waited")).to_contain_text("What you read is checked")
    await early.locator(".pm-chip").first.click()
    await expect(early.locator(".pm-card:popover-open")).to_contain_text(LIVER)
    await expect(answer(page)).to_contain_text(f"{DOSE}.")
    await expect(early).to_have_count(0)


async def test_an_example_is_asked_by_a_click_and_without_a_model_it_is_answered_by_quotes(
    page: Page, vllm: FakeVLLM
) -> None:
    vllm.default = Says(status=500)
    await page.get_by_role("button", name="What are the symptoms of type 2 diabetes?").click()
    await expect(page.locator(".pm-evidence_only .pm-state")).to_contain_text("Quoted from the library, word for word")
    await expect(page.locator(".pm-evidence_only .pm-state")).to_contain_text(
        "The language model gave no usable answer"
    )
    await expect(answer(page)).to_contain_text("feeling very thirsty, passing urine often")
    await expect(page.locator(".pm-sources .pm-chip").first).to_be_visible()


async def test_what_is_outside_is_declined(page: Page, vllm: FakeVLLM) -> None:
    vllm.forms["Routing"] = '{"route": "outside"}'
    await ask(page, "What is the capital of France?")
    await expect(page.locator(".pm-declined")).to_contain_text("This question seems to be about something else")


async def test_an_emergency_and_an_unproven_answer_are_told_apart(page: Page, settings: Any) -> None:
    await page.goto(f"/?thread={await seeded(settings, stored('Call 112 now.', 'emergency', disposition='emergency'))}")
    await expect(page.locator(".pm-emergency")).to_contain_text("This may be an emergency")
    await page.goto(f"/?thread={await seeded(settings, stored('Nothing is proven.', 'unverified'))}")
    await expect(page.locator(".pm-unverified")).to_contain_text("No proven answer")


async def test_what_the_rules_found_opens_with_its_source(page: Page, settings: Any) -> None:
    finding = {"rule": "interaction.x", "severity": "major", "subjects": ["warfarin", "ibuprofen"]}
    finding |= {"text": "Bleeding. <b>Avoid</b>.", "source": "BNF, 2024"}
    safety = {"risk_level": 2, "disposition": "none", "warnings": [], "findings": [finding]}
    given = stored("> **Warning.** Bleeding.\n\nAsk a pharmacist.", "answered", safety=safety)
    await page.goto(f"/?thread={await seeded(settings, given)}")
    await expect(page.locator(".pm-text blockquote")).to_have_text("Warning. Bleeding.")
    await page.get_by_text("Safety checks: 1 finding").click()
    await expect(page.locator(".pm-safety li")).to_contain_text("Bleeding. <b>Avoid</b>. BNF, 2024")


async def test_a_turn_that_runs_when_the_page_is_loaded_is_waited_for(page: Page, settings: Any) -> None:
    database = Database(settings.database_url.get_secret_value())
    audit = Audit(database, find_secret((), settings.home))
    threads, run, thread = Threads(database, audit), uuid4(), str(uuid4())
    await threads.admit(ME, run, thread, ASKED, {})
    await page.goto(f"/?thread={thread}")
    await expect(page.locator(".pm-working")).to_contain_text("Still working on the answer")
    await expect(page.get_by_test_id("stChatInput").locator("textarea")).to_be_disabled()
    await threads.finish(ME, run, stored("It came.", "answered"), "patient", {})
    await expect(answer(page)).to_contain_text("It came.")
    await expect(page.get_by_test_id("stChatInput").locator("textarea")).to_be_enabled()
    await database.close()


async def test_a_question_that_was_not_sent_stays_and_can_be_sent_again(page: Page, api: Api, vllm: FakeVLLM) -> None:
    await expect(page.locator(".pm-health")).to_contain_text("Ready")
    api.stop()
    await ask(page)
    await expect(page.locator(".pm-problem")).to_contain_text("Primum's server does not answer")
    await expect(page.locator(".pm-question")).to_have_text([ASKED])
    api.start()
    vllm.says(cited(DRAFT))
    await page.get_by_role("button", name="Try again").click()
    await expect(answer(page)).to_contain_text(DOSE)
    await expect(page.locator(".pm-problem")).to_have_count(0)


async def test_a_conversation_that_is_gone_says_so(page: Page) -> None:
    await page.goto("/?thread=gone")
    await expect(page.locator(".pm-problem")).to_contain_text("This conversation does not exist")
    await page.get_by_role("button", name="Start a new one").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


async def test_a_conversation_comes_back_with_the_server(page: Page, api: Api, settings: Any) -> None:
    thread = await seeded(settings, stored("Still here.", "answered"))
    api.stop()
    await page.goto(f"/?thread={thread}")
    await expect(page.locator(".pm-problem")).to_contain_text("can't be shown at the moment")
    await expect(page.locator(".pm-health")).to_contain_text("does not answer")
    api.start()
    await expect(answer(page)).to_contain_text("Still here.")


async def test_nothing_in_an_answer_runs_or_becomes_html(page: Page, settings: Any) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    citation = {"marker": 1, "chunk_id": 1, "document_id": 1, "title": evil, "heading": evil, "quote": evil}
    citation |= {"url": "javascript:alert(1)", "reviewed": evil}
    citation |= {"sources": [{"title": evil, "publisher": evil, "url": "javascript:alert(1)"}]}
    text = f"{evil} [1]\n\n[click](javascript:alert(1)) ![x](https://evil.example/x.png)\n\n[2]: https://evil.example"
    used = {"id": 1, "kind": "medicine", "text": evil, "proof": evil, "said": evil, "source": evil}
    given = stored(text, "answered", citations=[citation], facts=[used])
    thread = await seeded(settings, given, f"{evil} **bold**")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"/?thread={thread}")
    await page.locator(".pm-text .pm-chip").click()
    await expect(page.locator(".pm-card:popover-open blockquote")).to_have_text(evil)
    await expect(page.locator(".pm-question")).to_have_text(f"{evil} **bold**")
    await expect(page.get_by_role("button", name=f"{evil} **bold**", exact=True)).to_be_visible()
    await expect(page.locator(".pm-used summary")).to_have_text(f"Taken into account: {evil}")
    await expect(page.locator(".stHtml img, .pm-answer a:not(.pm-goto), .pm-answer script")).to_have_count(0)
    assert not [url for url in asked if "evil" in url]


async def test_a_clinician_sees_the_trace_and_the_reasoning_folded(page: Page, settings: Any) -> None:
    given = stored("Metformin first.", "answered", reasoning="Weighing <b>two</b> passages")
    thread = await seeded(settings, given)
    await page.goto(f"/?thread={thread}")
    await expect(answer(page)).not_to_contain_text("Weighing")
    await page.get_by_text("Clinician").click()
    details = page.locator(".pm-making")
    await expect(details).to_have_count(2)
    await expect(details.locator("dl")).to_be_hidden()
    await details.locator("summary").first.click()
    await expect(details.locator("dl")).to_contain_text(given["trace"]["run_id"])
    await details.locator("summary").last.click()
    await expect(details.last).to_contain_text("Weighing <b>two</b> passages")
    await page.reload()
    await expect(details).to_have_count(2)


async def test_on_a_phone_nothing_is_cut_and_the_sidebar_gives_way(page: Page, vllm: FakeVLLM) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/")
    vllm.says(cited(DRAFT))
    await ask(page)
    await expect(answer(page)).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    await page.locator(".pm-text .pm-chip").first.click()
    box = await page.locator(".pm-card:popover-open").bounding_box()
    assert box and (box["x"], box["width"]) == (0, 390) and round(box["y"] + box["height"]) == 844
    await page.keyboard.press("Escape")
    await page.get_by_test_id("stExpandSidebarButton").click()
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.get_by_role("button", name="New conversation")).not_to_be_in_viewport()
    await expect(page.get_by_text("it does not replace a doctor")).to_be_in_viewport()


async def test_a_second_question_is_scrolled_to_and_both_are_kept(page: Page, vllm: FakeVLLM) -> None:
    vllm.default = cited(DRAFT)
    await ask(page)
    await expect(answer(page)).to_have_count(1)
    await ask(page, "And what does too much paracetamol do?")
    await expect(answer(page)).to_have_count(2)
    await expect(page.locator(".pm-question").last).to_be_in_viewport()
    await expect(page.get_by_test_id("stChatInput").locator("textarea")).to_be_focused()


async def test_the_page_speaks_the_browsers_language_and_the_one_that_is_chosen(
    browser: Browser, api: Api, page_url: str, vllm: FakeVLLM
) -> None:
    vllm.default = cited(DRAFT)
    context = await browser.new_context(locale="zh-CN", base_url=page_url)
    context.set_default_timeout(20_000)
    page = await context.new_page()
    await page.goto("/")
    await expect(page.get_by_role("heading", name="您想了解什么？")).to_be_visible()
    await ask(page)
    await expect(page.locator(".pm-check")).to_contain_text("已核对：2 句中有 2 句得到证实。")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await page.get_by_role("radio", name="临床医生").click()
    await page.get_by_text("English", exact=True).click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.locator(".pm-check")).to_contain_text("Checked: 2 of 2 sentences proven.")
    await page.reload()
    await expect(page.locator(".pm-check")).to_contain_text("Checked: 2 of 2 sentences proven.")
    await context.close()


async def test_every_control_has_a_name_that_a_screen_reader_can_say(page: Page, vllm: FakeVLLM) -> None:
    vllm.default = cited(DRAFT)
    await ask(page)
    await expect(answer(page)).to_be_visible()
    for path in (page.url, "/library", "/operations"):
        await page.goto(path)
        await expect(page.locator(".pm-health")).to_be_visible()
        unnamed = await page.evaluate(
            """() => [...document.querySelectorAll('button, a[href], input:not([type=hidden]), textarea')]
                .filter(one => one.checkVisibility())
                .filter(one => !(one.ariaLabel || one.innerText || one.title || one.labels?.[0]?.innerText
                    || one.querySelector('[alt]:not([alt=""])')))
                .map(one => one.outerHTML.slice(0, 200))"""
        )
        assert unnamed == [], path


async def test_the_last_conversation_is_not_written_on_after_another_page(page: Page, vllm: FakeVLLM) -> None:
    vllm.default = cited(DRAFT)
    await ask(page)
    await expect(answer(page)).to_be_visible()
    await page.get_by_role("link", name="Library").click()
    await expect(page.get_by_role("heading", name="The library")).to_be_visible()
    await page.get_by_role("link", name="Conversation").first.click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await ask(page, "And what does too much paracetamol do?")
    await expect(page.locator(".pm-question")).to_have_text(["And what does too much paracetamol do?"])
    await expect(answer(page)).to_have_count(1)
