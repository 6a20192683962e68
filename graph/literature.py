"""The services of literature that the settings name, open as long as they are used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from primum.graph.settings import Settings
from primum.tools.connect import MedlinePlus
from primum.tools.europepmc import EuropePMC
from primum.tools.guard import Guard
from primum.tools.labels import Labels
from primum.tools.pubmed import PubMed
from primum.tools.service import Service
from primum.tools.trials import Trials
from primum.tools.web import Web


@asynccontextmanager
async def open_services(settings: Settings, guard: Guard | None = None) -> AsyncIterator[tuple[Service, ...]]:
    """The services of PRIMUM_LITERATURE, in its order; none where it is empty, and then nothing leaves."""
    guard = guard or Guard()
    try:
        yield tuple(_service(name, settings, guard) for name in dict.fromkeys(settings.literature))
    finally:
        await guard.close()


def _service(name: str, settings: Settings, guard: Guard) -> Service:
    match name:
        case "pubmed":
            return PubMed(guard, key=_plain(settings.ncbi_key), contact=settings.contact)
        case "europepmc":
            return EuropePMC(guard)
        case "medlineplus":
            return MedlinePlus(guard)
        case "openfda":
            return Labels(guard, key=_plain(settings.openfda_key))
        case "ctgov":
            return Trials(guard)
    return Web(guard, settings.web_domains)


def _plain(key: SecretStr | None) -> str:
    return key.get_secret_value() if key else ""
