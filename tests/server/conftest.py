"""Making a database folder takes seconds of processor time, so it is done once and copied."""

import subprocess
from pathlib import Path

import pytest

from primum.server import postgres


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
