"""Whether this process lives, whether it can answer, and how each part is. Open to all: it tells nothing of anybody."""

import asyncio
from time import monotonic
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from primum import __version__
from primum.graph.errors import MemoryUnavailable
from primum.graph.resources import Resources
from primum.memory.schema import fits
from primum.server.problems import OPEN_ERRORS, Responses

LOOK = 30.0  # seconds for which tables that fit are taken to fit still: each look is a connection of its own


class Readiness:
    """Whether turns can be answered: with tables of this version or a newer one, and a model if one is wanted."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._looked = float("-inf")
        self._looking = asyncio.Lock()

    async def look(self) -> tuple[bool, dict[str, Any]]:
        """Whether they can, and each part with its state."""
        parts, tables = await asyncio.gather(self._resources.health(), self._tables())
        parts = {**parts, "tables": tables}
        needs = [parts["database"], tables]
        if not self._resources.settings.ready_without_model:
            needs.append(parts["model"])
        return all(part["state"] == "up" for part in needs), parts

    async def _tables(self) -> dict[str, Any]:
        async with self._looking:
            if monotonic() - self._looked > LOOK:
                try:
                    if not await asyncio.to_thread(fits, self._resources.database.url):
                        return {"state": "outdated", "reason": "Run `primum db upgrade`."}
                except MemoryUnavailable as error:
                    return {"state": "unknown", "reason": str(error)}
                self._looked = monotonic()
        return {"state": "up"}


class Health(BaseModel):
    """How this process is, and each part that it looked at."""

    model_config = ConfigDict(extra="allow")

    state: Literal["up", "degraded", "down"]
    version: str = __version__


def add_health_routes(app: FastAPI) -> None:
    down: Responses = {503: {"model": Health, "description": "No question is answered here now"}}

    @app.get("/health", response_model=Health, responses=OPEN_ERRORS | down)
    async def health(request: Request) -> JSONResponse:
        """Each part with its state; 503 if the database is down, since nothing is answered then."""
        parts = await _resources(request).health()
        return _told(parts["database"]["state"] == "up", parts)

    @app.get("/health/live", responses=OPEN_ERRORS)
    async def live() -> Health:
        """This process answers; nobody else is asked."""
        return Health(state="up")

    @app.get("/health/ready", response_model=Health, responses=OPEN_ERRORS | down)
    async def ready(request: Request) -> JSONResponse:
        """Whether turns can be answered here; 503 if not, and then no question should be sent."""
        readiness: Readiness = request.app.state.readiness
        return _told(*await readiness.look())


def _told(answers: bool, parts: dict[str, Any]) -> JSONResponse:
    state = "down" if not answers else "up" if all(part["state"] == "up" for part in parts.values()) else "degraded"
    return JSONResponse({"state": state, "version": __version__, **parts}, status_code=200 if answers else 503)


def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.agent.resources
    return resources
