"""Audiences as files that ad platforms take: hashed addresses of those who agreed, and a manifest.

Nothing leaves the machine: a person uploads the files. Who is in an audience, and whose consent it
takes, is decided by `activation.audiences`; here it is only laid out.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration.errors import HealthError
from orchestration.warehouse import connect

MANIFEST = "manifest.json"

# What makes a seed of people to find others like: Meta weighs them by what they are worth.
WEIGHED = "lookalike"

_ZIP = "lower(regexp_replace(postal_code, '[^0-9A-Za-z]', '', 'g'))"

# Column -> SQL. Google wants telephone numbers with their plus before the hash, Meta without it.
# Google takes country and postal code only together with both names, which no mart holds: they
# would make its upload fail. Meta wants them hashed too, a postal code of the US by five digits.
LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "google": {"Email": "email_sha256", "Phone": "phone_sha256"},
    "meta": {
        "email": "email_sha256",
        "phone": "phone_digits_sha256",
        "zip": f"sha256(case when country_code = 'US' then {_ZIP}[:5] else {_ZIP} end)",
        "country": "sha256(lower(country_code))",
    },
    "plain": {
        "email_sha256": "email_sha256",
        "phone_sha256": "phone_sha256",
        "rfm_group": "rfm_group",
    },
}

# So many empty audiences are named under the table, which has them all.
_NAMED = 5

_CONSENT = {
    "email": "agreed to marketing by e-mail, and refused it nowhere",
    "sms": "agreed to text messages, and refused them nowhere",
}
_NOBODY = "Left out: whoever was erased, objects to profiling, or is held out."


@dataclass(frozen=True)
class Audience:
    """A line of the seed `audiences`: whose `field` is one of the allowed values."""

    name: str
    field: str
    allowed: str
    needs: str

    @property
    def rule(self) -> str:
        """Who is in it, in words."""
        return f"{self.field} in {', '.join(self.allowed.split('|'))}"

    @property
    def consent(self) -> str:
        """What they agreed to, in words."""
        return f"Everybody in it {_CONSENT.get(self.needs, self.needs)}. {_NOBODY}"


@dataclass(frozen=True)
class Exported:
    """One file, as the manifest has it; `file` is its path below the folder."""

    file: str
    shop_id: str
    audience: str
    layout: str
    columns: list[str]
    rows: int
    sha256: str
    as_of_date: str
    rule: str
    consent: str


def export(
    warehouse: Path, out: Path, audiences: Sequence[str] = (), *, console: Console | None = None
) -> list[Exported]:
    """Write the files of these audiences (all when none is named) and the manifest into `out`.

    Files are made beside and moved, the manifest last: what it names is whole. The same warehouse
    gives the same bytes. Files that an earlier export made of audiences that are no more are
    removed. Raises `HealthError` for an unknown audience, and when nothing was built.
    """
    console = console or Console(quiet=True)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix=".export-", dir=out))
    try:
        with connect(warehouse, read_only=True) as connection:
            chosen = _chosen(connection, audiences)
            # The view is asked once, not once a file.
            connection.execute(
                "create temp table export_members as select * from activation.audiences "
                "where list_contains($chosen, audience)",
                {"chosen": [audience.name for audience in chosen]},
            )
            made = [
                exported for audience in chosen for exported in _write(connection, folder, audience)
            ]
        _publish(folder, out, made, keep=bool(audiences))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _show(console, made, out)
    return made


def _chosen(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> list[Audience]:
    """The audiences of these names, all when none is given, in order of name."""
    relations = {
        f"{schema}.{name}"
        for schema, name in connection.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
    }
    missing = {"activation.audiences", "seeds.audiences", "marts.customer_scores"} - relations
    if missing:
        raise HealthError(f"The warehouse has no {min(missing)}. Run `health build` first.")
    found = connection.execute(
        "select audience, field, allowed, needs from seeds.audiences order by audience"
    ).fetchall()
    known = {line[0]: Audience(*line) for line in found}
    for name in known:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise HealthError(
                f"The audience '{name}' cannot name a file: use letters, digits, _ and - in "
                "seeds/activation/audiences.csv."
            )
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise HealthError(
            f"There is no audience '{unknown[0]}'. seeds/activation/audiences.csv has "
            f"{', '.join(known)}."
        )
    return [audience for name, audience in known.items() if not names or name in names]


def _write(
    connection: duckdb.DuckDBPyConnection, folder: Path, audience: Audience
) -> Iterator[Exported]:
    """The files of an audience, below `folder`: one for each shop and layout."""
    shops = connection.execute(
        "select shop_id, max(as_of_date)::varchar from marts.customer_scores group by 1 order by 1"
    ).fetchall()
    for shop, as_of_date in shops:
        (folder / shop).mkdir(exist_ok=True, mode=0o700)
        for layout in LAYOUTS:
            columns = columns_of(layout, audience.name)
            name = f"{shop}/{audience.name}.{layout}.csv"
            rows = _copy(connection, folder / name, shop, audience.name, columns)
            yield Exported(
                file=name,
                shop_id=shop,
                audience=audience.name,
                layout=layout,
                columns=list(columns),
                rows=rows,
                sha256=_digest(folder / name),
                as_of_date=as_of_date,
                rule=audience.rule,
                consent=audience.consent,
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def columns_of(layout: str, audience: str) -> dict[str, str]:
    """The columns of a file, header -> SQL. A seed for lookalikes tells Meta what each is worth."""
    worth = {"value": "monetary"} if layout == "meta" and audience.startswith(WEIGHED) else {}
    return {**LAYOUTS[layout], **worth}


def _copy(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    shop: str,
    audience: str,
    columns: Mapping[str, str],
) -> int:
    """Write one file and give how many rows it has, without its header.

    In the order of the hashes, which says nothing of anybody; whoever has no address is left out,
    and whoever has the same ones as another is there once.
    """
    listed = ", ".join(f'{sql} as "{name}"' for name, sql in columns.items())
    connection.execute(
        f"create or replace temp table export_rows as select distinct {listed} "
        "from export_members where shop_id = ? and audience = ? "
        "and (email_sha256 is not null or phone_sha256 is not null)",
        [shop, audience],
    )
    quoted = str(path).replace("'", "''")
    connection.execute(
        f"copy (select * from export_rows order by all nulls last) to '{quoted}' "
        "(header true, delimiter ',', nullstr '')"
    )
    path.chmod(0o600)
    found = connection.execute("select count(*) from export_rows").fetchone()
    return int(found[0]) if found else 0


def _publish(folder: Path, out: Path, made: Sequence[Exported], *, keep: bool) -> None:
    """Move the files into place and the manifest after them; remove what it no longer names.

    With `keep`, files of audiences that were not made now stay as the manifest has them.
    """
    before = _named(out / MANIFEST)
    entries = {entry.file: asdict(entry) for entry in made}
    if keep:
        entries = {
            name: entry for name, entry in before.items() if (out / name).is_file()
        } | entries
    text = json.dumps({"files": [entries[name] for name in sorted(entries)]}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text)
    for entry in made:
        (out / entry.file).parent.mkdir(exist_ok=True, mode=0o700)
        (folder / entry.file).replace(out / entry.file)
    (folder / MANIFEST).replace(out / MANIFEST)
    for name in before.keys() - entries.keys():
        (out / name).unlink(missing_ok=True)


def _named(manifest: Path) -> dict[str, dict[str, Any]]:
    """What an earlier manifest names, by file: only paths below its folder."""
    try:
        files = json.loads(manifest.read_text())["files"]
        found = {str(entry["file"]): dict(entry) for entry in files}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: entry for name, entry in found.items() if _is_below(name)}


def _is_below(name: str) -> bool:
    parts = Path(name).parts
    return len(parts) == 2 and ".." not in parts and name.endswith(".csv")


def _show(console: Console, made: Sequence[Exported], out: Path) -> None:
    table = Table(title="Audiences", title_justify="left")
    for name in ("shop", "audience", "who"):
        table.add_column(name)
    table.add_column("rows", justify="right")
    one = [entry for entry in made if entry.layout == next(iter(LAYOUTS))]
    for entry in one:
        table.add_row(entry.shop_id, entry.audience, entry.rule, f"{entry.rows:,}")
    console.print(table)
    empty = [f"{entry.audience} ({entry.shop_id})" for entry in one if not entry.rows]
    if empty:
        more = f" and {len(empty) - _NAMED} more" if len(empty) > _NAMED else ""
        named = ", ".join(empty[:_NAMED])
        console.print(f"Nobody is in {named}{more}: those files have a header alone.")
    console.print(f"{len(made)} files and their manifest: {out / MANIFEST}", soft_wrap=True)
