"""The models by role as the releases say now, and what the model server has really loaded under their names.

vLLM answers without an error whatever lies behind an adapter's name, so an answer tells the hash of the files that the
server names as the adapter's.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from primum.graph.errors import BadInput, PrimumError
from primum.graph.fingerprint import SHORT, card_of, fingerprint
from primum.graph.llm import Endpoint
from primum.graph.settings import Settings
from primum.memory.releases import Release, Releases, chosen
from primum.memory.roles import ModelRole

LOOK = 2.0  # seconds after which releases, and what is served, are looked at again
TIMEOUT = 3.0  # seconds for a server to say what it serves


@dataclass(frozen=True)
class Served:
    """An adapter that the server lists. `claimed`: its files can't be read here, and the hash is the release's."""

    name: str
    sha256: str | None = None
    claimed: bool = False

    @property
    def label(self) -> str:
        """As a trace tells it: `med@1a2b3c4d5e6f`."""
        known = self.sha256[:SHORT] if self.sha256 else "unknown"
        return f"{self.name}@{known}{' (claimed)' if self.claimed else ''}"


class Adapters:
    """Shared by all turns of a process. `look` before a turn; what it says then holds until the next."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, releases: Releases) -> None:
        self._settings = settings
        self._http = http
        self._releases = releases
        self._live: tuple[Release, ...] = ()
        self._looked = self._asked = float("-inf")
        self._served: Mapping[str, Mapping[str, Any]] = {}
        self._endpoints: dict[str, Endpoint] = {}

    def endpoint(self, name: str) -> Endpoint:
        if name not in self._endpoints:
            self._endpoints[name] = Endpoint.open(name, self._http)
        return self._endpoints[name]

    async def look(self) -> None:
        """Reads the releases, unless that was just done. Raises MemoryUnavailable."""
        if monotonic() - self._looked > LOOK:
            self._live = await self._releases.live()
            self._looked = monotonic()

    def models(self, tenant: str, thread: str) -> dict[ModelRole, str]:
        """The model of each role in this thread: the release's, else the settings', else the writer's."""
        settings = self._settings

        def model(role: ModelRole, otherwise: str) -> str:
            release = chosen(self._live, role, tenant, thread)
            return release.model if release else otherwise

        writer = model("writer", settings.model_name)
        critic = model("critic", settings.critic_model or writer)
        return {"writer": writer, "critic": critic, "router": model("router", settings.router_model or writer)}

    async def labels(self, models: Mapping[ModelRole, str]) -> dict[ModelRole, str]:
        """Of each role whose model is an adapter, which one the server has loaded: `med@1a2b3c4d5e6f`."""
        if monotonic() - self._asked > LOOK:
            try:
                await self.served()
            except (httpx.HTTPError, ValueError):  # it wrote a moment ago: what it served then is the best guess
                self._asked = monotonic()
        told = {name: await self.told(name) for name in set(models.values())}
        return {role: known.label for role, name in models.items() if (known := told[name])}

    async def served(self) -> Mapping[str, Mapping[str, Any]]:
        """The models that the server lists, by name, asked now. Raises httpx.HTTPError, and ValueError for nonsense."""
        response = await self._http.get("models", timeout=TIMEOUT)
        response.raise_for_status()
        try:
            self._served = {str(model["id"]): model for model in response.json()["data"]}
        except (KeyError, TypeError, AttributeError):
            raise ValueError("no list of models") from None
        self._asked = monotonic()
        return self._served

    async def health(self) -> dict[str, Any]:
        """The model server with its adapters and the releases; asks it now."""
        name = self._settings.model_name
        with contextlib.suppress(PrimumError):  # the database's own part of /health says so
            await self.look()
        try:
            served = await self.served()
        except (httpx.HTTPError, ValueError) as error:
            return {"state": "down", "reason": type(error).__name__, "name": name}
        adapters = [known for one in served if (known := await self.told(one))]
        writer = await self.told(name)
        return {
            **self._state(served, adapters),
            "name": name,
            "adapter": writer.label if writer else None,
            "served": [*served],
            "adapters": [{**vars(one), "card": await self.card(one.name)} for one in adapters],
            "releases": [
                {"role": one.role, "model": one.model, "adapter": one.adapter, "share": one.share} for one in self._live
            ],
        }

    def _state(self, served: Mapping[str, Any], adapters: Sequence[Served]) -> dict[str, str]:
        settings = self._settings
        wanted = {settings.model_name, settings.critic_model, settings.router_model} - {None}
        for name in sorted({*map(str, wanted), *(one.model for one in self._live)}):
            if name not in served:
                mend = f"Load it (`primum adapters load {name}=FOLDER`), or roll the release back."
                return {"state": "missing", "reason": f"The model server does not serve {name}. {mend}"}
        loaded = {one.name: one for one in adapters}
        for release in self._live:
            known = loaded.get(release.model)
            if known and release.adapter and known.sha256 != release.adapter:
                again = f"`primum adapters unload {release.model}`, `load` and `use`"
                mend = f"Load what was released; or unload it, load it and release it again: {again}."
                reason = f"{known.label} is loaded, but {release.adapter[:SHORT]} was released."
                return {"state": "mismatch", "reason": f"{reason} {mend}"}
        return {"state": "up"}

    async def told(self, name: str) -> Served | None:
        """The adapter of this name; None if it is none, as far as anybody knows."""
        release = self._released(name)
        model = self._served.get(name)
        if model is None:
            return Served(name, release.adapter, claimed=True) if release else None
        if not model.get("parent"):  # vLLM lists an adapter as a model whose parent is the base model
            return None
        try:
            found = await asyncio.to_thread(fingerprint, _folder(model))
            # Files that were written anew since the release tell nothing of what is loaded.
            return Served(name, found if release is None or release.adapter == found else None)
        except BadInput:
            return Served(name, release.adapter, claimed=True) if release else Served(name)

    async def card(self, name: str) -> Mapping[str, Any]:
        """Of what data it was made: as its folder tells it, else as its release does."""
        release = self._released(name)
        model = self._served.get(name, {})
        found = await asyncio.to_thread(card_of, _folder(model)) if model.get("root") else {}
        return found or (release.card if release else {})

    def _released(self, name: str) -> Release | None:
        return next((one for one in self._live if one.model == name and one.adapter), None)


def _folder(model: Mapping[str, Any]) -> Path:
    """Where the server read an adapter from, which it calls its root."""
    return Path(str(model.get("root") or ""))
