"""Who asks, what they may do, and whose rows they see: by an API key or an OpenID Connect token, for all ways in."""

import math
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from primum.graph.agent import Agent
from primum.graph.context import Audience
from primum.graph.errors import NotAllowed, PrimumError, TooManyRequests, Unauthenticated, UnknownPatient
from primum.graph.request import check_name
from primum.graph.settings import Settings
from primum.memory.identity import Identity
from primum.memory.keys import Keys
from primum.memory.limiter import Limiter
from primum.memory.scopes import DEFAULT, SCOPES, Role, Scope
from primum.memory.secret import Secret
from primum.server.oidc import Issuer, Person
from primum.server.problems import problem
from primum.server.resource import MCP, WELL_KNOWN, challenge

# What tells nothing of anybody.
OPEN = (
    *("/health", "/health/live", "/health/ready", "/docs", "/redoc", "/openapi.json"),
    *(WELL_KNOWN, WELL_KNOWN + MCP),
)
METRICS = "/metrics"  # told while the database is away, too
ME = "me"  # the patient whom who asks speaks for
RATE = 120  # requests a minute of one key or token, unless set
FAILURES = 30  # keys that don't hold, a minute, from one address

_SHOW = "Show an API key or a token in the header: Authorization: Bearer …"


@dataclass(frozen=True)
class Access:
    """Who asks. `actor` names them in the audit, where no person's name may stand."""

    tenant: str
    role: Role
    scopes: frozenset[Scope]
    actor: str
    patient: str | None = None

    def need(self, *scopes: Scope) -> None:
        """Raises NotAllowed without any of them."""
        if not self.scopes.intersection(scopes):
            raise NotAllowed(f"This takes the scope {' or '.join(scopes)}, which the key or token does not have.")

    def identity(self, patient: str) -> Identity:
        """The patient whose rows are meant; `me` is one's own.

        Raises:
            BadInput: it can't be a patient's name.
            UnknownPatient: it is another's than the one whom a patient speaks for.
        """
        if self.patient is None:
            return Identity(self.tenant, check_name(patient, "patient"))
        if patient not in (ME, self.patient):
            raise UnknownPatient("Nothing of such a patient is here.")
        return Identity(self.tenant, self.patient)

    def audience(self, wanted: Audience | None) -> Audience:
        """How to speak: to a patient always as to a patient. Raises NotAllowed."""
        if self.role == "patient" and wanted == "clinician":
            raise NotAllowed("Answers for clinicians take a clinician's key or token.")
        return wanted or ("clinician" if self.role == "clinician" else "patient")


class Door:
    """Finds out who asks."""

    def __init__(self, settings: Settings, keys: Keys, secret: Secret, limiter: Limiter) -> None:
        self._keys = keys
        self._secret = secret
        self._required = settings.auth == "required"
        self._tenant = settings.tenant
        self._issuer = Issuer.of(settings) if settings.oidc_issuer else None
        self.takes_tokens = self._issuer is not None
        self._rate = settings.api_rate or (RATE if self._required else None)
        self._limiter = limiter

    async def enter(self, headers: Headers, address: str) -> Access:
        """Whose request this is, once it is known that they may make one.

        Raises:
            Unauthenticated: no key or token, or one that does not hold.
            TooManyRequests: more than the limit.
            MemoryUnavailable: the database can't be reached.
        """
        access = await self._known(headers, address) if self._required else self._anyone()
        if self._rate is not None:
            await self._count(self._rate, "You ask too often.", "requests", access.actor)
        return access

    def _anyone(self) -> Access:
        return Access(self._tenant, "admin", frozenset(SCOPES), "anyone")

    async def _known(self, headers: Headers, address: str) -> Access:
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated(_SHOW)
        try:
            if self._issuer is not None and token.count(".") == 2:
                return self._person(await self._issuer.person(token))
            key = await self._keys.find(token)
        except Unauthenticated:  # a key that holds is never kept out: others may share its address
            await self._count(FAILURES, "Too many keys that do not hold.", "failures", address)
            raise
        return Access(key.tenant, key.role, frozenset(key.scopes), f"{key.role} {key.id}", key.patient)

    def _person(self, person: Person) -> Access:
        name = self._secret.mark(f"{person.tenant} {person.subject}".encode())[:12]
        patient = person.patient if person.role == "patient" else None
        return Access(person.tenant, person.role, frozenset(DEFAULT[person.role]), f"{person.role} {name}", patient)

    async def _count(self, limit: int, told: str, *who: str) -> None:
        if wait := await self._limiter.hit(limit, *who):
            seconds = math.ceil(wait)
            raise TooManyRequests(f"{told} At most {limit} a minute; try again in {seconds} seconds.", seconds)


class Authentication:
    """Lets nobody past who is not known; what is inside finds them as `access_of(request)`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") in OPEN:
            await self.app(scope, receive, send)
            return
        state = scope["app"].state
        door: Door = state.watching_door if scope["path"] == METRICS else state.door
        client = scope.get("client")
        try:
            access = await door.enter(Headers(scope=scope), client[0] if client else "")
        except PrimumError as error:
            answer = problem(scope["path"], error)
            if isinstance(error, Unauthenticated) and door.takes_tokens:
                answer.headers["www-authenticate"] = challenge(scope)
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["access"] = access
        await self.app(scope, receive, send)


def agent_of(request: Request) -> Agent:
    """The agent that this server asks."""
    agent: Agent = request.app.state.agent
    return agent


def access_of(request: Request) -> Access:
    """Who asks."""
    access: Any = request.state.access
    assert isinstance(access, Access)
    return access
