"""How a service is asked again, and what it is told when it can't be used: seen on PubMed's wire."""

import asyncio

import pytest

from primum.graph.errors import AddressRefused, LookUpFailed
from primum.tools.connect import Connect, MedlinePlus
from primum.tools.deidentify import Query, deidentify
from primum.tools.europepmc import EuropePMC
from primum.tools.guard import Guard
from primum.tools.labels import Labels
from primum.tools.pace import Clock
from primum.tools.pubmed import PubMed
from primum.tools.service import Service
from primum.tools.trials import Trials
from primum.tools.web import Web
from tests.apis import FakeAPI, FakeClock, Reply, article, as_json, as_xml, efetch, esearch, moved

BOMB = """<?xml version="1.0"?><!DOCTYPE PubmedArticleSet [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>
<PubmedArticleSet>&d;</PubmedArticleSet>"""
FILE = """<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><PubmedArticleSet>&a;</PubmedArticleSet>"""


SERVICES = (PubMed, EuropePMC, MedlinePlus, Connect, Labels, Trials, Web)


def asthma() -> Query:
    query = deidentify("asthma")
    assert query is not None
    return query


@pytest.fixture
def pubmed(api: FakeAPI, guard: Guard, clock: FakeClock) -> PubMed:
    api.says("/efetch.fcgi", efetch(article(1)))
    return PubMed(guard, address=api.url, clock=clock.clock(), per_second=1e6)


def busy(seconds: str) -> Reply:
    return as_json({"error": "API rate limit exceeded", "limit": "3"}, 429, **{"Retry-After": seconds})


async def test_a_pause_is_kept_and_the_answer_comes_after_it(api: FakeAPI, pubmed: PubMed, clock: FakeClock) -> None:
    api.says("/esearch.fcgi", busy("2"), esearch(1))
    assert len(await pubmed.search(asthma(), 5)) == 1
    assert 2 in clock.waits


async def test_a_long_pause_is_not_waited_for_and_the_service_is_left_alone(
    api: FakeAPI, pubmed: PubMed, clock: FakeClock
) -> None:
    api.says("/esearch.fcgi", busy("3600"), esearch(1))
    with pytest.raises(LookUpFailed, match="429: it is asked too often"):
        await pubmed.search(asthma(), 5)
    with pytest.raises(LookUpFailed, match="asked again in 3600 seconds"):
        await pubmed.search(asthma(), 5)
    assert len(api.requests) == 1 and sum(clock.waits) < 1
    clock.time += 3601
    assert len(await pubmed.search(asthma(), 5)) == 1


async def test_trouble_is_tried_again_with_growing_pauses(api: FakeAPI, pubmed: PubMed, clock: FakeClock) -> None:
    api.says("/esearch.fcgi", Reply(status=500), Reply(status=503), esearch(1))
    assert len(await pubmed.search(asthma(), 5)) == 1
    first, second = (wait for wait in clock.waits if wait > 0.01)  # the others keep the pace
    assert 0.25 <= first <= 0.5 and 0.5 <= second <= 1


async def test_after_three_tries_it_is_told(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", Reply(status=502))
    with pytest.raises(LookUpFailed, match="PubMed answered with the error 502: it has trouble"):
        await pubmed.search(asthma(), 5)
    assert len(api.requests) == 3


async def test_a_service_that_is_down_is_soon_not_asked_at_all(api: FakeAPI, pubmed: PubMed) -> None:
    api.says("/esearch.fcgi", Reply(status=500))
    for _ in range(5):
        with pytest.raises(LookUpFailed):
            await pubmed.search(asthma(), 5)
    assert len(api.requests) == 9


async def test_who_waited_for_a_turn_is_not_sent_to_a_service_that_broke_meanwhile(
    api: FakeAPI, guard: Guard, clock: FakeClock
) -> None:
    async def sleep(seconds: float) -> None:
        service.breaker.rest(30)
        clock.time += seconds

    service = PubMed(guard, address=api.url, clock=Clock(lambda: clock.time, sleep), per_second=1)
    await service.pace.turn()
    with pytest.raises(LookUpFailed, match="asked again in 29 seconds"):
        await service.search(asthma(), 5)
    assert not api.requests


async def test_one_request_alone_finds_out_whether_a_service_is_back(
    api: FakeAPI, pubmed: PubMed, clock: FakeClock
) -> None:
    api.says("/esearch.fcgi", Reply(status=403))
    for _ in range(3):
        with pytest.raises(LookUpFailed):
            await pubmed.search(asthma(), 5)
    clock.time += 61
    found = await asyncio.gather(*(pubmed.search(asthma(), 5) for _ in range(6)), return_exceptions=True)
    assert len(api.requests) == 4 and all(isinstance(one, LookUpFailed) for one in found)
    clock.time += 61
    api.says("/esearch.fcgi", esearch(1))
    assert len(await pubmed.search(asthma(), 5)) == 1
    assert [len(one) for one in await asyncio.gather(*(pubmed.search(asthma(), 5) for _ in range(3)))] == [1, 1, 1]


@pytest.mark.parametrize(("status", "said"), [(400, "or the key"), (403, "refuses"), (404, "refuses"), (418, "418")])
async def test_a_refusal_is_not_tried_again(api: FakeAPI, pubmed: PubMed, status: int, said: str) -> None:
    api.says("/esearch.fcgi", as_json({"error": "API key invalid"}, status))
    with pytest.raises(LookUpFailed, match=said):
        await pubmed.search(asthma(), 5)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(b""), Reply(b"{"), Reply(b"[1, 2]"), Reply(b"null"), Reply(b"[" * 100_000), Reply(b'"\xff"')),
        *(as_json({"esearchresult": {"idlist": {}}}), as_json({"esearchresult": {"ERROR": "Invalid db name"}})),
        Reply(b"<html>Down for maintenance</html>", "text/html"),
    ],
)
async def test_what_is_no_answer_is_told(api: FakeAPI, pubmed: PubMed, reply: Reply) -> None:
    api.says("/esearch.fcgi", reply)
    with pytest.raises(LookUpFailed):
        await pubmed.search(asthma(), 5)


@pytest.mark.parametrize(
    "text", ["", "<a>", "<a><b></a>", BOMB, FILE, "<html/>", "<?xml version='1.0' encoding='x'?><a/>"]
)
async def test_xml_that_is_broken_or_a_bomb_is_told(api: FakeAPI, pubmed: PubMed, text: str) -> None:
    api.says("/esearch.fcgi", esearch(1))
    api.says("/efetch.fcgi", as_xml(text))
    with pytest.raises(LookUpFailed):
        await pubmed.search(asthma(), 5)


@pytest.mark.parametrize("to", ["http://169.254.169.254/", "http://127.0.0.1:9/", "https://evil.org/esearch.fcgi"])
async def test_a_service_that_redirects_elsewhere_is_not_followed(api: FakeAPI, pubmed: PubMed, to: str) -> None:
    api.says("/esearch.fcgi", moved(to))
    with pytest.raises(AddressRefused):
        await pubmed.search(asthma(), 5)
    assert len(api.requests) == 1


@pytest.mark.parametrize("one", SERVICES, ids=lambda one: one.__name__)
def test_every_service_has_an_https_address_and_a_pace(one: type[Service]) -> None:
    assert one.name and one.label and one.per_second <= 10
    assert one.address.startswith("https://") or one.name == "web"
