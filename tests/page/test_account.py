"""Signing in with the house's login: a provider of OpenID Connect on loopback, and a real browser."""

import base64
import json
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from primum.graph.errors import BadInput
from primum.graph.settings import Settings
from primum.server.port import free_port
from primum.server.up import page_command
from tests.fakes import FakeVLLM
from tests.page.conftest import Api, _wait_for
from tests.page.test_page import DOSE, DRAFT, answer, ask
from tests.pages import cited

SIGNING = ec.generate_private_key(ec.SECP256R1())
CLIENT, SECRET = "page", "of-the-page"


class Provider:
    """Lets everybody in as a patient of the name `anna`, by a code; its access tokens last `seconds`."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port(0)}"
        self.seconds = 300
        self.asked: dict[str, str] = {}  # what came with the last request for a code
        routes = [
            Route("/.well-known/openid-configuration", self.described),
            Route("/keys", self.keys),
            Route("/authorize", self.authorize),
            Route("/token", self.token, methods=["POST"]),
        ]
        port = int(self.url.rpartition(":")[2])
        self._server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> "Provider":
        self._thread.start()
        _wait_for(f"{self.url}/keys")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def described(self, _: Request) -> Response:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        told: dict[str, Any] = {name: f"{self.url}/{path}" for name, path in ends.items()}
        told |= {"issuer": self.url, "response_types_supported": ["code"], "subject_types_supported": ["public"]}
        told["id_token_signing_alg_values_supported"] = ["ES256"]
        return JSONResponse({**told, "code_challenge_methods_supported": ["S256"]})

    async def keys(self, _: Request) -> Response:
        one = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(SIGNING.public_key()))
        return JSONResponse({"keys": [{**one, "kid": "one", "use": "sig", "alg": "ES256"}]})

    async def authorize(self, request: Request) -> Response:
        self.asked = dict(request.query_params)
        back = urlencode({"code": "the-code", "state": self.asked["state"]})
        return RedirectResponse(f"{self.asked['redirect_uri']}?{back}", 302)

    async def token(self, request: Request) -> Response:
        given = await request.form()
        who = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if given["code"] != "the-code" or request.headers["authorization"] != f"Basic {who}":
            return JSONResponse({"error": "invalid_grant"}, 400)
        ours, nonce = self._signed("primum", self.seconds), self.asked.get("nonce")
        theirs = self._signed(CLIENT, 300, **({"nonce": nonce} if nonce else {}))
        lasts = {"token_type": "Bearer", "expires_in": self.seconds}
        return JSONResponse({"access_token": ours, "id_token": theirs, **lasts})

    def _signed(self, audience: str, seconds: int, **more: str) -> str:
        now = int(time.time())
        body = {"iss": self.url, "aud": audience, "sub": "anna", "roles": ["patient"], "iat": now, "exp": now + seconds}
        return jwt.encode({**body, **more}, SIGNING, "ES256", headers={"kid": "one"})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def settings(settings: Settings, provider: Provider) -> Settings:
    return settings.model_copy(update={"auth": "required", "oidc_issuer": provider.url})


def write(folder: Path, **given: Any) -> Path:
    path = folder / "login.toml"
    path.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
    return path


@pytest.fixture
def login_url(settings: Settings, api: Api, provider: Provider, tmp_path: Path) -> Iterator[str]:
    """A page of its own, with the provider's login."""
    port = free_port(0)
    url = f"http://127.0.0.1:{port}"
    login = write(
        tmp_path,
        redirect_uri=f"{url}/oauth2callback",
        cookie_secret="c" * 32,
        client_id=CLIENT,
        client_secret=SECRET,
        server_metadata_url=f"{provider.url}/.well-known/openid-configuration",
        expose_tokens="access",
    )
    command = page_command(settings.model_copy(update={"page_login": login}), api.url, "127.0.0.1", port)
    with subprocess.Popen(command, cwd=tmp_path) as process:
        try:
            _wait_for(f"{url}/_stcore/health")
            yield url
        finally:
            process.terminate()


@pytest.fixture
async def door(login_url: str, browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, base_url=login_url)
    context.set_default_timeout(20_000)
    page = await context.new_page()
    await page.goto("/")
    yield page
    await context.close()


async def test_the_house_s_login_opens_the_page_and_signing_out_closes_it(
    door: Page, vllm: FakeVLLM, provider: Provider
) -> None:
    vllm.default = cited(DRAFT)
    await expect(door.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(door.get_by_test_id("stChatInput")).to_have_count(0)
    await door.get_by_role("button", name="Sign in with your account").click()
    await expect(door.get_by_text("Signed in as a patient")).to_be_visible()
    assert (provider.asked["response_type"], provider.asked["client_id"]) == ("code", CLIENT)
    await ask(door)
    await expect(answer(door)).to_contain_text(DOSE)
    await door.reload()
    await expect(door.get_by_text("Signed in as a patient")).to_be_visible()
    await door.get_by_role("button", name="Sign out").click()
    await expect(door.get_by_role("button", name="Sign in with your account")).to_be_visible()
    await expect(answer(door)).to_have_count(0)


async def test_a_login_that_ran_out_says_so_and_opens_again(door: Page, provider: Provider) -> None:
    provider.seconds = -60
    await door.get_by_role("button", name="Sign in with your account").click()
    await expect(door.locator(".pm-problem")).to_contain_text("The token ran out. Sign in again.")
    provider.seconds = 300
    await door.get_by_role("button", name="Sign in with your account").click()
    await expect(door.get_by_text("Signed in as a patient")).to_be_visible()


def test_a_login_that_lacks_something_is_refused_by_name(settings: Settings, tmp_path: Path) -> None:
    def command(path: Path) -> list[str]:
        return page_command(settings.model_copy(update={"page_login": path}), "http://127.0.0.1:1", "127.0.0.1", 1)

    with pytest.raises(BadInput, match=r"nowhere.toml can't be read"):
        command(tmp_path / "nowhere.toml")
    with pytest.raises(BadInput, match="lacks cookie_secret, client_id"):
        command(write(tmp_path, redirect_uri="http://127.0.0.1/oauth2callback"))
    whole = dict.fromkeys(("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"), "x")
    with pytest.raises(BadInput, match='write expose_tokens = "access"'):
        command(write(tmp_path, **whole, expose_tokens="id"))
