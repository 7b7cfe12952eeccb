"""A session at Postgres by ADBC: statements, rows, Arrow in by COPY, and errors as sentences.

One connection does it all, for what is to be seen at once has to be one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
from adbc_driver_postgresql import dbapi
from pydantic import SecretStr

from orchestration.errors import HealthError

VARIABLE = "HEALTH_POSTGRES_URL"
SCHEMES = ("postgresql://", "postgres://")
# Seconds until a server that does not answer is given up, unless the URL says otherwise.
CONNECT_SECONDS = 10

# What SQLSTATEs mean to whoever has to put it right; `{text}` is the server's own message.
SENTENCES = {
    "42501": "Postgres does not let the user of HEALTH_POSTGRES_URL do this: {text}. Grant it, or "
    "publish as a user who may.",
    "53100": "Postgres has no room left: {text}. Free some; readers keep what they have.",
    "53200": "Postgres has no memory left: {text}. Readers keep what they have.",
    "23505": "Two rows bear one key: {text}. Readers keep what they have.",
    "25006": "This Postgres takes no writes: {text}. Name the primary in HEALTH_POSTGRES_URL.",
    "55P03": "Somebody holds what has to be changed: {text}. Publish again later.",
}


class Session:
    """A connection inside a transaction that ends with `commit`, or is undone."""

    def __init__(self, connection: Any, secrets: tuple[str, ...]) -> None:
        self._connection = connection
        self._secrets = secrets
        # Decodes what comes back as Arrow, which would else take another package.
        self._decoder = duckdb.connect()

    def run(self, sql: str) -> int:
        """Execute one statement; how many rows it touched, -1 where that means nothing."""
        with self._told(), self._connection.cursor() as cursor:
            # Without the prepared statement's result: what deletes or inserts has none.
            cursor.adbc_statement.set_sql_query(sql)
            return int(cursor.adbc_statement.execute_update())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query. Numeric comes as text: cast it where it is to be a number."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            answer = _told_apart(cursor.fetch_arrow())  # noqa: F841 (DuckDB finds it by its name)
            return self._decoder.sql("from answer").fetchall()

    def ingest(self, table: str, stream: Any) -> int:
        """Append a stream of Arrow batches to a temporary table by binary COPY; rows written."""
        with self._told(), self._connection.cursor() as cursor:
            return int(cursor.adbc_ingest(table, stream, mode="append", temporary=True))

    def commit(self) -> None:
        """Make all that was done visible, at once."""
        with self._told():
            self._connection.commit()

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        with self._told():
            self._connection.rollback()

    def close(self) -> None:
        """End the session; what was not committed is undone."""
        self._decoder.close()
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except dbapi.Error as error:
            text = masked(_message(error), self._secrets)
            wording = SENTENCES.get(error.sqlstate or "", "Postgres could not: {text}.")
            raise PostgresError(wording.format(text=text), error.sqlstate) from None


class PostgresError(HealthError):
    """What Postgres refused, in a sentence; `sqlstate` is its code, None if it said none."""

    def __init__(self, text: str, sqlstate: str | None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@contextmanager
def opened(url: SecretStr, variable: str = VARIABLE) -> Iterator[Session]:
    """A session that is closed on leaving, and undone unless it was committed.

    Raises `HealthError` for what is no URL and for a server that cannot be reached; neither the
    URL nor its password is in any sentence.
    """
    text, secrets = checked(url, variable)
    place = _place(text) or variable
    try:
        connection = dbapi.connect(_with_timeout(text))
    except dbapi.Error as error:
        told = masked(_message(error), secrets)
        raise HealthError(
            f"Postgres at {place} cannot be reached: {told}. {variable} says where it is."
        ) from None
    session = Session(connection, secrets)
    try:
        yield session
    finally:
        session.close()


def checked(url: SecretStr, variable: str = VARIABLE) -> tuple[str, tuple[str, ...]]:
    """The URL's text, and what in it must never be shown. Raises `HealthError` for no URL."""
    text = url.get_secret_value()
    if not text.startswith(SCHEMES):
        raise HealthError(
            f"{variable} wants a URL like postgresql://user:password@host:5432/database."
        )
    head, at, _ = text.partition("://")[2].rpartition("@")
    password = head.partition(":")[2]
    # Read otherwise than meant, a part of the password would be shown as the server's name.
    if at and re.search(r"[@/:?#\s]", password):
        raise HealthError(
            f"The password in {variable} has characters that a URL escapes: write @ as %40, / as "
            "%2F, : as %3A, ? as %3F and # as %23."
        )
    in_query = re.findall(r"[?&](?:ssl)?password=([^&]*)", text)
    found = {p for raw in (password, *in_query) for p in (raw, unquote(raw)) if p}
    return text, (text, *sorted(found, key=len, reverse=True))


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """The text without the secrets."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _message(error: dbapi.Error) -> str:
    """The server's own words in one line: its message and detail, without what ADBC adds."""
    text = str(error)
    found = re.search(r"(?:ERROR|FATAL|PANIC):\s+(.*)", text, re.DOTALL)
    text = found.group(1) if found else text.partition("[libpq]")[2] or text
    lines = (line.strip(" .\t") for line in re.sub(r"[;.]? *SQLSTATE: .*", "", text).splitlines())
    noise = ("HINT:", "CONTEXT:", "Query was:", "LINE ", "^", "Is the server running", "SQLSTATE:")
    kept = [line.removeprefix("DETAIL:").strip() for line in lines if not line.startswith(noise)]
    return "; ".join(part.rstrip(" .;") for part in kept if part.rstrip(" .;"))


def _place(url: str) -> str:
    """Host and database of a URL, for people; empty when it cannot be read."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or "this machine"
        return f"{host}{parts.path}" if parts.path.strip("/") else host
    except ValueError:
        return ""


def _with_timeout(url: str) -> str:
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_SECONDS}"


def _told_apart(stream: Any) -> Any:
    """A stream of Arrow with columns of different names, where DuckDB asks for that.

    It does so where pyarrow is installed beside it, through which it then reads.
    """
    if find_spec("pyarrow") is None:
        return stream
    table = import_module("pyarrow").RecordBatchReader.from_stream(stream).read_all()
    return table.rename_columns([str(place) for place in range(table.num_columns)])
