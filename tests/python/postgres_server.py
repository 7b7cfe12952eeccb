"""A Postgres of the tests' own: its data in a temporary folder, on a Unix socket and no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from orchestration.errors import HealthError
from orchestration.publish.postgres_session import opened

OWNER = "publisher"
NEEDS = "Postgres (Debian: apt-get install postgresql)"
PASSWORD = "never%20to%20be%20shown"


@dataclass(frozen=True)
class Server:
    """A running server, by the folder of its socket and that of its data."""

    socket: Path
    data: Path

    def url(self, database: str = "postgres", user: str = OWNER) -> SecretStr:
        return SecretStr(
            f"postgresql://{user}:{PASSWORD}@/{database}?host={quote(str(self.socket))}"
        )

    def create(self, database: str) -> SecretStr:
        self.execute(f"create database {database}")
        return self.url(database)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Each statement by itself, as an administrator: `create database` takes no transaction."""
        subprocess.run(
            [
                str(binary("psql")), "-qXv", "ON_ERROR_STOP=1",
                "-h", str(self.socket), "-U", OWNER, "-d", database,
                *(part for statement in statements for part in ("-c", statement)),
            ],
            check=True, capture_output=True, text=True,
        )  # fmt: skip


def binary(name: str) -> Path | None:
    """A program of Postgres: the newest of Debian's, or the one on PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3])
    )
    there = shutil.which(name)
    return found[-1] if found else Path(there) if there else None


def is_there() -> bool:
    return all(binary(name) for name in ("initdb", "postgres", "psql"))


def _as_somebody() -> tuple[list[str], int | None]:
    """What starts a program as somebody who is not root, and their id: Postgres refuses root."""
    if os.geteuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        try:
            who = pwd.getpwnam(name)
        except KeyError:
            continue
        ids = [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, "--"], who.pw_uid
    raise RuntimeError("neither postgres nor nobody is a user here")


@contextmanager
def running() -> Iterator[Server]:
    """A server that is empty, and gone with its data at the end."""
    as_somebody, user = _as_somebody()
    # A socket's path may have 107 characters, which pytest's folders come close to.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user is not None:
            os.chown(home, user, -1)
        data = home / "data"
        subprocess.run(
            [
                *as_somebody, str(binary("initdb")), "-D", str(data), "-U", OWNER, "-A", "trust",
                "--no-sync", "--no-instructions", "--encoding", "UTF8", "--locale", "C",
            ],
            check=True, capture_output=True, cwd=home,
        )  # fmt: skip
        with (home / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    *as_somebody, str(binary("postgres")), "-D", str(data), "-k", str(home),
                    "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=150",
                    "-c", "shared_buffers=64MB", "-c", "autovacuum_naptime=5s",
                ],
                stdout=log, stderr=log, cwd=home, start_new_session=True,
            )  # fmt: skip
        try:
            yield _awaited(Server(home, data), server)
        finally:
            # Fast shutdown: it ends its sessions and its processes, and then itself.
            server.send_signal(2)
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.send_signal(3)
                server.wait(timeout=30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _awaited(server: Server, process: subprocess.Popen[bytes]) -> Server:
    """The server once it answers, and only if it is the one that was started."""
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"Postgres ended: {(server.socket / 'log').read_text()[-2000:]}")
        if (server.socket / ".s.PGSQL.5432").exists():
            try:
                with opened(server.url()) as session:
                    found = session.rows("select current_setting('data_directory')")
            except HealthError:
                # It listens, and is starting up.
                time.sleep(0.05)
                continue
            assert found == [(str(server.data),)], found
            return server
        time.sleep(0.05)
    raise RuntimeError("Postgres did not answer within half a minute")
