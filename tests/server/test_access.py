"""Who comes in, as whom, and what they get: by API keys and by OpenID Connect tokens."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from typer.testing import CliRunner

from primum.graph.errors import BadInput, Unauthenticated
from primum.graph.settings import Settings
from primum.memory.audit import Audit
from primum.memory.keys import Keys
from primum.memory.limiter import SHARE
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.server.access import FAILURES
from primum.server.cli import app
from primum.server.listener import is_loopback
from primum.server.oidc import Issuer
from tests.apis import FakeAPI, Reply
from tests.fakes import FakeVLLM
from tests.served import ASKED, key, made, refused, served

AUDIENCE = "primum"
SIGNING = ec.generate_private_key(ec.SECP256R1())


def test_without_a_key_that_holds_nobody_comes_in_and_health_is_told(door: httpx.Client) -> None:
    wrong = {"authorization": "Bearer primum_000000000000_" + "x" * 43}
    for headers in ({}, wrong, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}):
        for method, path in (("GET", "/threads"), ("POST", "/generate"), ("GET", "/patients/a/facts"), ("GET", "/no")):
            response = door.request(method, path, headers=headers)
            refused(response, 401, "Unauthenticated")
            assert response.headers["www-authenticate"] == "Bearer"
    for path in ("/health", "/health/live", "/health/ready"):
        assert door.get(path).status_code == 200


def test_two_keys_in_one_request_are_none(door: httpx.Client, closed: Settings) -> None:
    good = key(closed, "clinician")["authorization"]
    response = door.get("/threads", headers=[("authorization", good), ("authorization", good)])
    refused(response, 401, "Unauthenticated")


def test_a_patient_s_key_speaks_for_that_patient_alone(door: httpx.Client, closed: Settings) -> None:
    anna, ben = key(closed, "patient", "anna"), key(closed, "patient", "ben")
    said = {"question": "I'm allergic to penicillin. What is gout?"}
    door.post("/threads/t/turns", json=said, headers=anna).raise_for_status()
    for path in ("/patients/me/facts", "/patients/anna/facts"):
        assert [fact["value"] for fact in door.get(path, headers=anna).json()["facts"]] == ["penicillin-class"]
    refused(door.get("/patients/anna/facts", headers=ben), 404, "UnknownPatient")
    refused(door.delete("/patients/anna", headers=ben), 404, "UnknownPatient")
    refused(door.get("/threads/t", headers=ben), 404, "UnknownThread")
    refused(door.post("/threads/t/turns", json=said, headers=ben), 404, "UnknownThread")
    refused(door.post("/threads/u/turns", json={**said, "patient": "anna"}, headers=ben), 404, "UnknownPatient")
    assert [row["id"] for row in door.get("/threads", headers=anna).json()] == ["t"]


def test_a_forged_audience_is_refused(door: httpx.Client, closed: Settings) -> None:
    anna, doctor = key(closed, "patient", "anna"), key(closed, "clinician")
    asked = {"question": ASKED, "audience": "clinician"}
    refused(door.post("/threads/t/turns", json=asked, headers=anna), 403, "NotAllowed")
    door.post("/threads/t/turns", json={**asked, "patient": "ben"}, headers=doctor).raise_for_status()


def test_another_tenants_rows_are_not_there(door: httpx.Client, closed: Settings) -> None:
    here, there = key(closed, "clinician"), key(closed, "clinician", tenant="other")
    body = {"set": [{"kind": "allergy", "value": "penicillin"}]}
    door.patch("/patients/anna/facts", json=body, headers=here).raise_for_status()
    door.post("/threads/t/turns", json={"question": ASKED, "patient": "anna"}, headers=here).raise_for_status()
    assert door.get("/patients/anna/facts", headers=here).json()["facts"]
    assert door.get("/patients/anna/facts", headers=there).json()["facts"] == []
    refused(door.get("/threads/t", params={"patient": "anna"}, headers=there), 404, "UnknownThread")


def test_a_key_does_what_its_scopes_say(door: httpx.Client, closed: Settings) -> None:
    asks, admin = key(closed, "clinician", scopes=["ask"]), key(closed, "admin")
    assert "scope chart" in refused(door.get("/patients/a/facts", headers=asks), 403, "NotAllowed")
    assert "scope ask" in refused(door.post("/generate", json={"question": ASKED}, headers=admin), 403, "NotAllowed")


def test_who_asks_too_often_waits_and_so_does_who_tries_keys(closed: Settings) -> None:
    with served(closed.model_copy(update={"api_rate": 3})) as api:
        anna, ben = key(closed, "patient", "anna"), key(closed, "patient", "ben")
        assert [api.get("/threads", headers=anna).status_code for _ in range(4)] == [200, 200, 200, 429]
        response = api.get("/threads", headers=anna)
        refused(response, 429, "TooManyRequests")
        assert 55 < int(response.headers["retry-after"]) <= 65
        assert api.get("/threads", headers=ben).status_code == 200
        tries = [api.get("/threads", headers={"authorization": f"Bearer primum_{n:012x}_x"}) for n in range(31)]
        assert [tries[29].status_code, tries[30].status_code] == [401, 429]
        late = key(closed, "patient", "carl")
        assert api.get("/threads", headers=late).status_code == 200


def test_a_key_and_who_tries_keys_get_no_more_of_two_processes_than_of_one_and_a_share(closed: Settings) -> None:
    settings = closed.model_copy(update={"api_rate": 20})
    anna = key(settings, "patient", "anna")
    with served(settings) as one, served(settings) as other:
        wrong = {"authorization": "Bearer primum_000000000000_x"}
        for headers, limit in ((anna, 20), (wrong, FAILURES)):
            codes = [api.get("/threads", headers=headers).status_code for _ in range(limit) for api in (one, other)]
            let_in = len(codes) - codes.count(429)
            assert limit <= let_in <= limit + limit // SHARE
            assert codes[-1] == 429
        with served(settings) as late:
            codes = [late.get("/threads", headers=anna).status_code for _ in range(20)]
            assert codes.count(200) <= 20 // SHARE and codes[-1] == 429
        assert one.get("/threads", headers=key(settings, "patient", "ben")).status_code == 200


async def test_a_key_holds_until_it_runs_out_or_is_revoked(settings: Settings) -> None:
    assert settings.database_url is not None
    url, secret = settings.database_url.get_secret_value(), find_secret((), settings.home)
    owner, reader = Database(url, pool=1, owner=True), Database(url, pool=1)
    keys = Keys(owner, secret)
    token, kept = await keys.create("main", "Ward 3", "clinician", days=1)
    assert (await Keys(reader, secret).find(token)).id == kept.id
    for wrong in (token[:-1], f"{token}x", token.upper(), "", f"primum_{kept.id}", "é" * 20):
        with pytest.raises(Unauthenticated):
            await Keys(reader, secret).find(wrong)
    await keys.revoke("main", kept.id)
    with pytest.raises(Unauthenticated):
        await Keys(reader, secret).find(token)
    assert [row.revoked_at is not None for row in await keys.listed("main")] == [True]
    with pytest.raises(BadInput, match="no such key"):
        await keys.revoke("other", kept.id)
    await owner.close()
    await reader.close()


def test_who_was_erased_comes_in_no_more_with_any_of_their_keys(closed: Settings, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    anna, other, ben = key(closed, "patient", "anna"), key(closed, "patient", "anna"), key(closed, "patient", "ben")
    with served(closed) as api:
        api.post("/threads/t/turns", json={"question": ASKED}, headers=anna).raise_for_status()
        receipt = api.delete("/patients/me", headers=anna).raise_for_status().json()
        assert receipt["counts"]["api_keys"] == 2
        for late in (anna, other):
            refused(api.get("/threads", headers=late), 401, "Unauthenticated")
            refused(api.post("/threads/t/turns", json={"question": ASKED}, headers=late), 401, "Unauthenticated")
            asked = {"model": "primum", "messages": [{"role": "user", "content": ASKED}]}
            assert api.post("/v1/chat/completions", json=asked, headers=late).status_code == 401
        assert api.get("/threads", headers=ben).status_code == 200


@pytest.mark.parametrize(
    ("role", "fields", "told"),
    [
        ("patient", {}, "names one patient"),
        ("clinician", {"patient": "anna"}, "names none"),
        ("patient", {"patient": "anna", "scopes": ["operate"]}, "can't have the scope operate"),
        ("clinician", {"scopes": []}, "one scope at least"),
    ],
)
async def test_a_key_that_could_not_be_meant_is_not_made(
    settings: Settings, role: str, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        await made(settings, "main", "x", role, **fields)


async def test_who_asked_stands_in_the_audit_by_role_and_key(closed: Settings, vllm: FakeVLLM) -> None:
    def ask() -> str:
        anna = key(closed, "patient", "anna")
        with served(closed) as api:
            api.post("/threads/t/turns", json={"question": ASKED}, headers=anna).raise_for_status()
        return anna["authorization"].split("_")[1]

    number = await asyncio.to_thread(ask)
    assert closed.database_url is not None
    database = Database(closed.database_url.get_secret_value())
    runs = Audit(database, find_secret((), closed.home))
    events = await runs._page("main", 0)
    assert {event.actor for event in events if event.action == "answer"} == {f"patient {number}"}
    await database.close()


# Tokens


def published(*names: str) -> dict[str, Any]:
    one = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(SIGNING.public_key()))
    return {"keys": [{**one, "kid": name, "use": "sig", "alg": "ES256"} for name in names]}


def token(issuer: str, kid: str = "one", signing: Any = SIGNING, algorithm: str = "ES256", **claims: Any) -> str:
    now = int(time.time())
    body = {"iss": issuer, "aud": AUDIENCE, "sub": "anna", "roles": ["patient"], "iat": now, "exp": now + 60, **claims}
    kept = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(kept, signing, algorithm, headers={"kid": kid})


def speaks(api: FakeAPI, *names: str) -> None:
    described = {"issuer": api.url, "jwks_uri": f"{api.url}/jwks"}
    api.says("/.well-known/openid-configuration", Reply(json.dumps(described).encode()))
    api.says("/jwks", Reply(json.dumps(published(*names)).encode()))


def issuer(api: FakeAPI, tenant_claim: str | None = None) -> Issuer:
    return Issuer(api.url, AUDIENCE, "roles", "sub", tenant_claim, "main")


async def test_a_token_of_the_issuer_says_who_comes_in() -> None:
    async with FakeAPI() as api:
        speaks(api, "one")
        found = issuer(api, "clinic")
        person = await found.person(token(api.url, clinic="north"))
        assert (person.tenant, person.role, person.patient) == ("north", "patient", "anna")
        doctor = await found.person(token(api.url, sub="d1", roles="clinician", clinic="north"))
        assert (doctor.role, doctor.subject, doctor.patient) == ("clinician", "d1", "")
        both = await found.person(token(api.url, roles=["admin", "patient"], clinic="north"))
        assert both.role == "patient"
        assert len(api.asked("/jwks")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another"},
        {"iss": "https://another.example"},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"sub": None},
        {"roles": ["nurse"]},
        {"roles": None},
        {"sub": "Anna with blanks"},
        {"kid": "unknown"},
        {"signing": ec.generate_private_key(ec.SECP256R1())},
        {"signing": rsa.generate_private_key(65537, 2048), "algorithm": "RS256"},
        {"signing": b"x" * 32, "algorithm": "HS256"},
        {"signing": None, "algorithm": "none"},
    ],
    ids=lambda wrong: "-".join(f"{name}" for name in wrong),
)
async def test_a_token_that_is_wrong_in_one_thing_lets_nobody_in(wrong: dict[str, Any]) -> None:
    async with FakeAPI() as api:
        speaks(api, "one")
        with pytest.raises(Unauthenticated):
            await issuer(api).person(token(**{"issuer": api.url, **wrong}))


async def test_unknown_keys_are_not_asked_for_again_and_again() -> None:
    async with FakeAPI() as api:
        speaks(api, "one")
        found = issuer(api)
        for number in range(5):
            with pytest.raises(Unauthenticated, match="does not publish"):
                await found.person(token(api.url, f"kid{number}"))
        assert len(api.asked("/jwks")) == 1


# The command line


def test_keys_are_made_listed_and_revoked_on_the_command_line(closed: Settings, vllm: FakeVLLM) -> None:
    assert closed.database_url is not None
    given = {"PRIMUM_DATABASE_URL": closed.database_url.get_secret_value(), "PRIMUM_HOME": str(closed.home)}
    shell = CliRunner(env=given)

    def primum(*arguments: str) -> str:
        result = shell.invoke(app, ["keys", *arguments])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    token = primum("create", "Anna's phone", "--role", "patient", "--patient", "anna", "--days", "3").strip()
    header = {"authorization": f"Bearer {token}"}
    (row,) = json.loads(primum("list", "--json"))
    assert (row["role"], row["patient"], row["scopes"]) == ("patient", "anna", ["ask", "chart"])
    assert datetime.fromisoformat(row["expires_at"]) > datetime.now(UTC)
    assert token.split("_")[2] not in json.dumps(row) and "hash" not in row
    with served(closed) as api:
        assert api.get("/threads", headers=header).status_code == 200
        primum("revoke", row["id"])
        refused(api.get("/threads", headers=header), 401, "Unauthenticated")
    assert "revoked" in primum("list")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "clinic.example"])
def test_beyond_this_machine_it_answers_all_only_if_that_was_said(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIMUM_AUTH", raising=False)
    result = CliRunner().invoke(app, ["serve", "api", "--host", host])
    assert isinstance(result.exception, BadInput) and "PRIMUM_AUTH=required" in str(result.exception)


def test_this_machine_is_known_by_its_names() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "::1", "[::1]", "localhost", "127.8.8.8"))
