"""Which services may be asked is a setting, and none is where nothing is set."""

import pytest

from primum.graph.errors import BadInput
from primum.graph.literature import open_services
from primum.graph.settings import read_settings
from primum.tools.pubmed import PubMed
from primum.tools.web import Web


async def opened(**given: str) -> list[str]:
    async with open_services(read_settings(**given)) as services:
        return [one.name for one in services]


async def test_nothing_leaves_unasked() -> None:
    assert await opened() == [] and await opened(literature="") == []


async def test_services_are_named_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUM_LITERATURE", "europepmc, pubmed ,pubmed")
    assert await opened() == ["europepmc", "pubmed"]
    everything = ["pubmed", "europepmc", "medlineplus", "openfda", "ctgov", "web"]
    assert await opened(literature=",".join(everything)) == everything


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PRIMUM_LITERATURE", "pubmed,google", "PRIMUM_LITERATURE"),
        ("PRIMUM_CONTACT", "no address", "PRIMUM_CONTACT"),
        ("PRIMUM_WEB_DOMAINS", "https://who.int", "PRIMUM_WEB_DOMAINS"),
        ("PRIMUM_WEB_DOMAINS", "com", "PRIMUM_WEB_DOMAINS"),
        ("PRIMUM_LITERATURE_TIMEOUT", "0", "PRIMUM_LITERATURE_TIMEOUT"),
    ],
)
def test_a_wrong_value_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=said):
        read_settings()


async def test_keys_contact_and_sites_reach_their_services() -> None:
    settings = read_settings(
        literature="pubmed,web", ncbi_key="k", contact="it@clinic.example", web_domains="who.int, nhs.uk"
    )
    async with open_services(settings) as services:
        pubmed, web = services
    assert isinstance(pubmed, PubMed) and isinstance(web, Web)
    assert pubmed._known == {"tool": "primum", "email": "it@clinic.example", "api_key": "k"}
    assert web._sites == ("who.int", "nhs.uk") and "k" not in repr(settings.ncbi_key)
