"""OpenID Connect tokens: signed by the issuer that the settings name, for us, in time; and who they speak of."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

import httpx
import jwt

from primum.graph.errors import BadInput, LookUpFailed, Unauthenticated
from primum.graph.request import check_name
from primum.graph.settings import Settings
from primum.memory.scopes import Role

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")  # never a shared secret
_LEEWAY = 30  # seconds that clocks may differ
_AGAIN = 10.0  # seconds in which keys are not asked for twice, however many tokens name one that we don't know
_LASTS = 3600.0  # seconds after which they are asked for anew, since one may have been withdrawn
_TIMEOUT = 5.0


@dataclass(frozen=True)
class Person:
    """Whom a token speaks of."""

    tenant: str
    subject: str
    role: Role
    patient: str


class Issuer:
    """Checks tokens of one issuer, with the public keys that it publishes."""

    def __init__(
        self,
        address: str,
        audience: str,
        role_claim: str,
        patient_claim: str,
        tenant_claim: str | None,
        tenant: str,
    ) -> None:
        self._address = address
        self._audience = audience
        self._role_claim = role_claim
        self._patient_claim = patient_claim
        self._tenant_claim = tenant_claim
        self._tenant = tenant
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        assert settings.oidc_issuer is not None
        return cls(
            settings.oidc_issuer,
            settings.oidc_audience,
            settings.oidc_role_claim,
            settings.oidc_patient_claim,
            settings.oidc_tenant_claim,
            settings.tenant,
        )

    async def person(self, token: str) -> Person:
        """Whom a token speaks of.

        Raises:
            Unauthenticated: it does not hold, or names no role or patient.
            LookUpFailed: the issuer's keys can't be read.
        """
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._address,
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token ran out. Sign in again.") from None
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"The token does not hold: {type(error).__name__}.") from None
        return self._speaks_of(claims)

    def _speaks_of(self, claims: Mapping[str, Any]) -> Person:
        named = _claim(claims, self._role_claim)
        roles = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        # Of several the one that sees least: who has two asks for a token with one.
        role: Role | None = next((one for one in get_args(Role) if one in roles), None)
        if role is None:
            raise Unauthenticated(f"The token names no role: {self._role_claim} must be patient, clinician or admin.")
        tenant = self._tenant if self._tenant_claim is None else _claim(claims, self._tenant_claim)
        try:
            patient = check_name(str(_claim(claims, self._patient_claim) or ""), "patient") if role == "patient" else ""
            return Person(check_name(str(tenant or ""), "tenant"), str(claims["sub"]), role, patient)
        except BadInput as error:
            raise Unauthenticated(f"The token can't be used: {error}") from None

    async def keys(self) -> int:
        """How many keys the issuer publishes now. Raises LookUpFailed."""
        return len(await self._published())

    async def _key(self, number: str) -> jwt.PyJWK:
        async with self._reading:
            age = time.monotonic() - self._read_at
            if age > _LASTS or (number not in self._keys and age > _AGAIN):
                self._read_at = time.monotonic()
                self._keys = await self._published()
        if number not in self._keys:
            raise Unauthenticated("The token is signed with a key that its issuer does not publish.")
        return self._keys[number]

    async def _published(self) -> dict[str, jwt.PyJWK]:
        # No guard: the issuer is the operator's own setting, often in the house. No redirect is followed.
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            try:
                found = await client.get(f"{self._address.rstrip('/')}/.well-known/openid-configuration")
                described = found.raise_for_status().json()
                if described["issuer"] != self._address:
                    raise ValueError("another issuer")
                published = (await client.get(described["jwks_uri"])).raise_for_status().json()
                return {key.key_id: key for key in jwt.PyJWKSet.from_dict(published).keys if key.key_id}
            except (httpx.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
                raise LookUpFailed(f"The issuer's keys can't be read ({type(error).__name__}).") from None


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; `realm_access.roles` leads into what is nested."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found
