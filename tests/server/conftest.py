"""Making a database folder takes seconds of processor time, so it is done once and copied."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from primum.graph.settings import Settings
from primum.server import postgres
from tests.fakes import FakeVLLM
from tests.pages import cited
from tests.served import served

DOSE = "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours"
GOOD = cited(f"{DOSE} [every 4 to 6 hours].")


@pytest.fixture(scope="session")
def made_postgres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh data folder that no server uses."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    with (folder.parent / "log").open("ab") as log:
        postgres.start(folder, log)
    postgres.stop(folder)
    return folder


def copy(made: Path, to: Path) -> Path:
    """With owners and modes: Postgres insists on them."""
    subprocess.run(["cp", "-a", made, to], check=True)
    return to


@pytest.fixture
def data(made_postgres: Path, tmp_path: Path) -> Path:
    return copy(made_postgres, tmp_path / "postgres")


@pytest.fixture
def home(made_postgres: Path, tmp_path: Path) -> Path:
    """A PRIMUM_HOME that was used before."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    copy(made_postgres, folder / "postgres")
    return folder


@pytest.fixture
def api(settings: Settings, vllm: FakeVLLM) -> Iterator[httpx.Client]:
    vllm.default = GOOD
    with served(settings) as client:
        yield client


@pytest.fixture
def closed(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "required"})


@pytest.fixture
def door(closed: Settings, vllm: FakeVLLM) -> Iterator[httpx.Client]:
    vllm.default = "No."
    with served(closed) as api:
        yield api
