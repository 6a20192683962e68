"""deploy/postgres/primum.sql on a real Postgres: what it makes is enough for Primum, and no more."""

import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from primum.memory import schema
from primum.server import postgres
from tests.conftest import Cluster

SQL = Path(__file__).resolve().parents[2] / "deploy/postgres/primum.sql"


def run(cluster: Cluster, database: str) -> None:
    folder = parse_qs(urlsplit(postgres.url(cluster.data)).query)["host"][0]
    argv = [str(postgres.binaries() / "psql"), "--no-psqlrc", "--host", folder, "--username", "postgres", "postgres"]
    given = ["--set", f"database={database}", "--set", "password=a'b", "--file", str(SQL)]
    done = subprocess.run([*argv, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_a_superuser_does_once_lets_primum_make_its_tables_and_may_be_done_again(cluster: Cluster) -> None:
    cluster.create("of_compose", "template0")  # the other template has the extension
    try:
        run(cluster, "of_compose")
        run(cluster, "of_compose")
        url = cluster.url("of_compose")
        schema.upgrade(url)
        assert schema.is_current(url)
        with psycopg.connect(url) as connection:
            mine = "select rolsuper, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user"
            assert connection.execute(mine).fetchone() == (False, False, False)
    finally:
        cluster.drop("of_compose")
