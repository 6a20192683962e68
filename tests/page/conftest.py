"""A browser, the page and the API: all real but the model, which is scripted, and the embedder."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect

from primum.graph.settings import Settings
from primum.server.api import create_app
from primum.server.port import free_port
from tests.fakes import FakeEmbedder

APP = Path(__file__).resolve().parents[2] / "app.py"
CHROMIUM = shutil.which("chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync".split()


class Api:
    """The HTTP API in a thread, at an address that it keeps when it is started again."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.settings = settings
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def start(self) -> None:
        app = create_app(self.settings, FakeEmbedder())
        config = uvicorn.Config(app, port=self.port, log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        _wait_for(f"{self.url}/health")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()  # ended already: nothing happens


@pytest.fixture(scope="session")
def api_port() -> int:
    return free_port(0)


@pytest.fixture(scope="session")
def page_url(api_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as a process of its own, started in a folder where nothing of Primum is."""
    port = free_port(0)
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(APP), "--server.port", str(port)]
    command += ["--", "--api", f"http://127.0.0.1:{api_port}"]
    with subprocess.Popen(command, cwd=tmp_path_factory.mktemp("elsewhere")) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        expect.set_options(timeout=20_000)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def api(settings: Settings, api_port: int) -> Iterator[Api]:
    api = Api(settings, api_port)
    api.start()
    yield api
    api.stop()


@pytest.fixture
async def page(browser: Browser, api: Api, page_url: str) -> AsyncIterator[Page]:
    """The empty page at 1280 × 900. A script error fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, base_url=page_url)
    context.set_default_timeout(20_000)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    await page.goto("/")
    yield page
    await context.close()
    assert errors == []


def _wait_for(url: str, patience: float = 60) -> None:
    limit = time.monotonic() + patience
    while time.monotonic() < limit:
        try:
            httpx.get(url, timeout=5, trust_env=False)
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")
