"""The embedded Postgres, for real: started, killed, started again."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import psycopg
import pytest

from primum.graph.errors import LocalServerFailed
from primum.server import postgres, process


@pytest.fixture
def log(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / "postgres.log").open("ab") as file:
        yield file


@pytest.fixture
def data(data: Path, log: BinaryIO) -> Iterator[Path]:
    postgres.start(data, log)
    yield data
    postgres.stop(data)


def run(data: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres.url(data)) as connection:
        result = connection.execute(statement.encode())
        return result.fetchall() if result.description else []


def kill(pid: int) -> None:
    born = process.birth(pid)
    os.kill(pid, signal.SIGKILL)
    process.end(pid, born)


def test_the_folder_is_private_and_the_server_has_no_port_and_no_superuser(data: Path) -> None:
    assert data.stat().st_mode & 0o777 == 0o700
    assert run(data, "show listen_addresses") == [("",)]
    assert run(data, "select current_user::text, rolsuper from pg_roles where rolname = current_user") == [
        ("primum", False)
    ]


def test_it_never_runs_as_root(data: Path) -> None:
    pid = postgres.running(data)
    assert pid is not None
    assert Path(f"/proc/{pid}").stat().st_uid == data.stat().st_uid != 0


def test_only_the_owner_may_connect(data: Path) -> None:
    assert (data / "pg_hba.conf").read_text() == "local all all peer map=primum\n"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.url(data, role="someone"))


def test_the_extensions_that_primum_needs_are_there(data: Path) -> None:
    versions = {
        str(row[0]): str(row[1]) for row in run(data, "select name, default_version from pg_available_extensions")
    }
    assert tuple(map(int, versions["vector"].split("."))) >= (0, 8, 5)
    assert {"pg_trgm", "unaccent"} <= versions.keys()
    assert run(data, "select '[1,2]'::halfvec(2) <=> '[1,2]'::halfvec(2)") == [(0.0,)]


def test_what_was_committed_survives_kill_9(data: Path, log: BinaryIO) -> None:
    run(data, "create table kept (n int)")
    run(data, "insert into kept values (7)")
    killed = postgres.running(data)
    assert killed is not None
    kill(killed)
    assert postgres.running(data) is None
    assert postgres.start(data, log) != killed
    assert run(data, "select n from kept") == [(7,)]


def test_starting_it_twice_finds_it_running(data: Path, log: BinaryIO) -> None:
    assert postgres.start(data, log) == postgres.running(data)


def test_a_pid_file_whose_number_now_belongs_to_another_program_is_no_obstacle(data: Path, log: BinaryIO) -> None:
    left = [data / "postmaster.pid", data / f"{postgres.SOCKET}.lock"]
    texts = [file.read_text() for file in left]
    postgres.stop(data)
    # A process of the very user that Postgres runs as: it would take that one for another server.
    owner = data.stat()
    other = subprocess.Popen(["sleep", "60"], user=owner.st_uid, group=owner.st_gid)
    try:
        for file, text in zip(left, texts, strict=True):
            file.write_text("\n".join([str(other.pid), *text.splitlines()[1:]]) + "\n")
        assert postgres.running(data) is None
        assert postgres.start(data, log) != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_workers_that_outlive_their_server_are_ended(data: Path, log: BinaryIO) -> None:
    with psycopg.connect(postgres.url(data)) as connection:
        worker = connection.info.backend_pid
        os.kill(worker, signal.SIGSTOP)  # it can't see that its server ends
        server = postgres.running(data)
        assert server is not None
        kill(server)
        assert process.birth(worker) is not None
        postgres.start(data, log)
        assert process.birth(worker) is None
        assert postgres.answers(data)


def test_a_path_too_long_for_a_socket_gets_a_private_one_elsewhere(tmp_path: Path, log: BinaryIO) -> None:
    data = tmp_path.joinpath("long" * 20, "postgres")
    data.parent.mkdir()
    postgres.start(data, log)
    try:
        socket = Path(str(psycopg.conninfo.conninfo_to_dict(postgres.url(data))["host"]))
        assert socket != data
        assert socket.stat().st_mode & 0o777 == 0o700
        assert run(data, "select 1") == [(1,)]
    finally:
        postgres.stop(data)
    assert not socket.exists()


def test_half_of_a_folder_is_thrown_away_and_made_again(tmp_path: Path, log: BinaryIO) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18")
    try:
        postgres.start(tmp_path / "postgres", log)
        assert postgres.answers(tmp_path / "postgres")
        assert not (tmp_path / "postgres.new").exists()
    finally:
        postgres.stop(tmp_path / "postgres")


def test_a_server_that_cannot_start_says_why(data: Path, log: BinaryIO) -> None:
    postgres.stop(data)
    (data / "postgresql.auto.conf").write_text("nonsense = 1\n")
    with pytest.raises(LocalServerFailed, match='unrecognized configuration parameter "nonsense"'):
        postgres.start(data, log)


def test_no_words_of_a_failed_statement_reach_the_log(data: Path, log: BinaryIO) -> None:
    run(data, "create table secrets (word text primary key)")
    for _ in range(2):
        try:
            run(data, "insert into secrets values ('gonorrhoea')")
        except psycopg.errors.UniqueViolation:
            break
    assert "duplicate key" in Path(log.name).read_text()
    assert "gonorrhoea" not in Path(log.name).read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_an_ordinary_user_needs_no_help_of_root(tmp_path: Path) -> None:
    someone = pwd.getpwnam("nobody")
    python = "/usr/bin/python3"
    become = ["setpriv", f"--reuid={someone.pw_uid}", f"--regid={someone.pw_gid}", "--clear-groups"]
    folders = os.pathsep.join(path for path in sys.path if path)
    environment = {"PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import primum.server.postgres, psycopg; assert __import__('sys').version_info[:2] == %r"
    if subprocess.run([*become, python, "-c", code % (sys.version_info[:2],)], env=environment, check=False).returncode:
        pytest.skip("no Python here that an ordinary user may run")
    home = Path("/tmp") / f"primum-test-{os.getpid()}"
    home.mkdir(mode=0o700)
    shutil.chown(home, someone.pw_uid, someone.pw_gid)
    code = """
import sys; from pathlib import Path; import psycopg; from primum.server import postgres
data = Path(sys.argv[1]) / "postgres"
with open(data.parent / "log", "ab") as log: postgres.start(data, log)
with psycopg.connect(postgres.url(data)) as connection: print(connection.execute("select 1").fetchone())
postgres.stop(data); assert postgres.running(data) is None
"""
    try:
        done = subprocess.run(
            [*become, python, "-c", code, str(home)], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.returncode) == ("(1,)\n", 0), done.stderr
    finally:
        shutil.rmtree(home)
