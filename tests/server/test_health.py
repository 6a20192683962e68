"""What an orchestrator is told: whether the process lives, and whether it can answer."""

from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from primum.graph.settings import Settings
from primum.memory.schema import upgrade
from primum.server import health, local, postgres
from tests.fakes import FakeVLLM
from tests.served import served
from tests.server.conftest import copy


def test_a_process_with_all_its_parts_lives_and_is_ready(api: httpx.Client) -> None:
    live, ready = api.get("/health/live"), api.get("/health/ready")
    assert live.status_code == ready.status_code == 200
    assert live.json()["state"] == ready.json()["state"] == "up"
    assert {"database", "tables", "model", "embedder", "corpus"} <= ready.json().keys()


@pytest.mark.parametrize(("without", "code", "state"), [(True, 200, "degraded"), (False, 503, "down")])
def test_without_its_model_it_is_ready_or_not_as_the_setting_says(
    settings: Settings, vllm: FakeVLLM, without: bool, code: int, state: str
) -> None:
    with served(settings.model_copy(update={"ready_without_model": without})) as api:
        vllm.stop()
        response = api.get("/health/ready")
        assert (response.status_code, response.json()["state"]) == (code, state)
        assert response.json()["model"]["state"] == "down"
        assert api.get("/health/live").status_code == 200
        vllm.start()
        assert api.get("/health/ready").json()["state"] == "up"


def test_with_tables_of_another_version_it_lives_and_is_not_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LOOK", -1.0)
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    with served(settings) as api:
        assert api.get("/health/ready").status_code == 200
        with psycopg.connect(url) as connection:
            connection.execute("comment on schema checkpoints is 'of another LangGraph'")
        response = api.get("/health/ready")
        assert response.status_code == 503 and response.json()["tables"]["state"] == "outdated"
        assert "primum db upgrade" in response.json()["tables"]["reason"]
        assert api.get("/health/live").status_code == 200
        upgrade(url)
        assert api.get("/health/ready").status_code == 200


def test_without_its_database_it_lives_and_is_not_ready(
    settings: Settings, made_postgres: Path, tmp_path: Path
) -> None:
    data = copy(made_postgres, tmp_path / "own")
    with (tmp_path / "log").open("ab") as log:
        try:
            postgres.start(data, log)
            upgrade(postgres.url(data))
            with served(settings.model_copy(update={"database_url": SecretStr(postgres.url(data))})) as api:
                postgres.stop(data)
                response = api.get("/health/ready")
                assert response.status_code == 503 and response.json()["state"] == "down"
                assert response.json()["tables"]["state"] == "unknown"
                assert api.get("/health/live").json()["state"] == "up"
        finally:
            postgres.stop(data)


def test_on_tables_of_a_newer_version_it_goes_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a new version's upgrade takes no process of the old one away."""
    monkeypatch.setattr(health, "LOOK", -1.0)
    assert settings.database_url is not None
    with served(settings) as api:
        with psycopg.connect(settings.database_url.get_secret_value()) as connection:
            connection.execute("update alembic_version set version_num = '9999'")
            connection.execute("comment on schema checkpoints is '999.0.0'")
        assert api.get("/health/ready").status_code == 200
        with psycopg.connect(settings.database_url.get_secret_value()) as connection:
            connection.execute("update alembic_version set version_num = '0003'")
        assert api.get("/health/ready").status_code == 503


def test_an_old_process_starts_on_the_tables_of_a_newer_version(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    said: list[str] = []
    local._migrate(database_url, said.append)
    assert said == []
