"""Pages of the web: only of listed sites, only their main text, and one bad page stops no other."""

import asyncio
import sys
import threading
from collections.abc import Callable
from datetime import date
from types import ModuleType

import pytest

from primum.graph.errors import AddressRefused, LookUpFailed
from primum.tools.guard import Guard
from primum.tools.web import Web, found_by_ddgs
from tests.apis import WEB_PAGE, FakeAPI, FakeClock, Reply, as_html, moved, packed
from tests.tools.test_pubmed import query

SITES = ("nhs.uk", "who.int")
Opened = Callable[..., Web]


@pytest.fixture
def web(guard: Guard, clock: FakeClock) -> Opened:
    def opened(*addresses: str) -> Web:
        return Web(guard, SITES, find=lambda words, most: list(addresses), clock=clock.clock())

    return opened


async def test_a_page_is_its_main_text_with_headings(api: FakeAPI, web: Opened) -> None:
    api.says("/asthma", as_html(WEB_PAGE))
    (source,) = await web(f"{api.url}/asthma#top").search(query("asthma"), 5)
    assert source.uri == f"web:{api.url}/asthma" and (source.title, source.language) == ("Asthma", "en")
    assert source.text.startswith("Asthma is a common lung condition") and "\n## Symptoms\n" in source.text
    assert "- Coughing at night" in source.text
    assert not any(word in source.text for word in ("stolen", "Home", "Crown", "**"))
    assert source.sources[0]["publisher"] == "nhs.uk" and source.published == date(2024, 5, 1)


async def test_only_pages_of_listed_sites_are_asked_for(api: FakeAPI, web: Opened) -> None:
    found = [
        "https://evil.org/nhs.uk",
        "http://www.nhs.uk/asthma",
        "https://nhs.uk.evil.org/",
        "ftp://nhs.uk/",
        "http://[",
    ]
    assert await web(*found, "https://127.0.0.1/", "https://localhost/").search(query("asthma"), 5) == []
    assert not api.requests


async def test_the_words_that_leave_are_given_to_the_search_engine(guard: Guard, clock: FakeClock) -> None:
    asked: list[str] = []

    def find(words: str, most: int) -> list[str]:
        asked.append(words)
        return []

    await Web(guard, SITES, find=find, clock=clock.clock()).search(query("Ann Lee, 12 High Street: asthma?"), 5)
    assert asked == ["asthma"]


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/", "http://127.0.0.1:1/", "https://evil.org/", "https://10.0.0.1/nhs.uk"]
)
async def test_a_page_that_redirects_off_the_list_is_not_followed(api: FakeAPI, web: Opened, to: str) -> None:
    api.says("/asthma", moved(to))
    with pytest.raises(AddressRefused):
        await web().page(f"{api.url}/asthma")
    assert len(api.requests) == 1


async def test_one_bad_page_stops_no_other(api: FakeAPI, web: Opened) -> None:
    api.says("/good", packed(as_html(WEB_PAGE)))
    api.says("/gone", Reply(status=404, kind="text/html"))
    api.says("/pdf", Reply(b"%PDF-1.7", "application/pdf"))
    found = await web(*(f"{api.url}/{name}" for name in ("gone", "pdf", "good"))).search(query("asthma"), 5)
    assert [one.uri for one in found] == [f"web:{api.url}/good"]


@pytest.mark.parametrize(
    "reply",
    [
        *(
            Reply(b"", "text/html"),
            as_html("<html></html>"),
            as_html("<p>Accept cookies</p>"),
            Reply(b"\x00\xff" * 50, "text/html"),
        ),
        *(Reply(b"x" * (4 * 2**20), "text/html"), packed(Reply(bytes(40 * 2**20), "text/html"))),
        as_html("<div>" * 20_000),
    ],
    ids=["empty", "bare", "a door", "binary", "huge", "a bomb", "deep"],
)
async def test_a_page_that_is_none_is_told(api: FakeAPI, web: Opened, reply: Reply) -> None:
    api.says("/asthma", reply)
    with pytest.raises(LookUpFailed, match=r"None of the 1 pages found could be read|127\.0\.0\.1"):
        await web(f"{api.url}/asthma").search(query("asthma"), 5)


async def test_engines_that_hang_are_left_in_time_and_hold_up_no_other_work(guard: Guard, clock: FakeClock) -> None:
    over, threads = threading.Event(), []

    def find(words: str, most: int) -> list[str]:
        threads.append(threading.current_thread().name)
        over.wait()
        return []

    web = Web(guard, SITES, find=find, seconds=0.05, clock=clock.clock())
    try:
        with pytest.raises(LookUpFailed, match=r"No search engine answered within 0\.05 seconds"):
            await web.search(query("asthma"), 5)
        assert await asyncio.to_thread(lambda: 1) == 1
    finally:
        over.set()
    assert len(threads) == 1 and threads[0].startswith("web-search")


def engine(monkeypatch: pytest.MonkeyPatch, says: Callable[[], list[dict[str, str]]]) -> type[Exception]:
    """The package ddgs without its engines: they can't be asked from a test."""
    from ddgs.exceptions import DDGSException

    class Engines:
        def __init__(self, **how: object) -> None: ...

        def text(self, query: str, **how: object) -> list[dict[str, str]]:
            return says()

    module = ModuleType("ddgs")
    module.DDGS = Engines  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ddgs", module)
    return DDGSException


def test_the_engines_answer_is_a_list_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, lambda: [{"href": "https://www.nhs.uk/asthma", "title": "Asthma"}, {"title": "no address"}])
    assert found_by_ddgs("asthma", 5) == ["https://www.nhs.uk/asthma"]


@pytest.mark.parametrize(("reason", "fails"), [("No results found.", False), ("202 Ratelimit", True)])
def test_that_nothing_is_found_is_no_failure_and_no_answer_is(
    monkeypatch: pytest.MonkeyPatch, reason: str, fails: bool
) -> None:
    def refuse() -> list[dict[str, str]]:
        raise error(reason)

    error = engine(monkeypatch, refuse)
    if fails:
        with pytest.raises(LookUpFailed, match="No search engine answered"):
            found_by_ddgs("asthma", 5)
    else:
        assert found_by_ddgs("asthma", 5) == []


async def test_an_engine_that_fails_is_soon_left_alone(guard: Guard, clock: FakeClock) -> None:
    calls: list[str] = []

    def find(words: str, most: int) -> list[str]:
        calls.append(words)
        raise LookUpFailed("No search engine answered.")

    web = Web(guard, SITES, find=find, clock=clock.clock())
    for _ in range(5):
        with pytest.raises(LookUpFailed):
            await web.search(query("asthma"), 5)
    assert len(calls) == 3
