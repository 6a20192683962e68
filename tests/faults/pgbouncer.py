"""PgBouncer in transaction mode, before the Postgres of a test or of the benchmark."""

import os
import shutil
from pathlib import Path

from primum.server.postgres import OWNER

PROGRAM = shutil.which("pgbouncer")


def configured(folder: Path, port: int, upstream: int, database: str, sessions: int, more: str = "") -> list[str]:
    """The command that serves a database on a port of loopback, with so many sessions of the server on its own port.

    `more`: lines of its configuration.
    """
    assert PROGRAM is not None
    file = folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n{database} = host=127.0.0.1 port={upstream} user=primum\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {sessions}\nmax_client_conn = 500\nserver_login_retry = 1\n"
        f"{more}\n"
    )
    root = os.geteuid() == 0
    if root:  # it refuses to run as root, and reads its file as whom it becomes
        for place in (folder, *folder.parents[:-2]):
            place.chmod(place.stat().st_mode | 0o011)
        file.chmod(0o644)
    return [PROGRAM, *(("-u", OWNER) if root else ()), str(file)]
