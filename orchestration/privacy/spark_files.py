"""Taking one person out of what Spark keeps beside the warehouse."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from orchestration.extract.forgotten import quoted
from orchestration.privacy.erase import BLANKED, DELETED, KEPT, Removed
from orchestration.privacy.person import Person
from orchestration.privacy.places import Place
from orchestration.transform.spark import folder_of
from orchestration.transform.spark_tables import MARKS, WHOLE, tidy


def erase_from_spark(warehouse: Path, person: Person, *, apply: bool) -> list[Removed]:
    """Write every table that speaks of the person anew without them; what was or would be touched.

    What landed goes whole: the next build hands it over again. A table takes the place of the one
    before once it is whole, so a kill leaves one or the other.
    """
    folder = folder_of(warehouse)
    removed = []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for mark in sorted((folder / "tables").glob("*/*/_SUCCESS")):
            removed.append(_from_table(connection, mark.parent, person, apply=apply))
    if apply and folder.exists():
        tidy(folder / "tables")
        (folder / "landing" / MARKS).unlink(missing_ok=True)
        for landed in (folder / "landing").glob("*/"):
            shutil.rmtree(landed)
    return [one for one in removed if one.rows]


def _from_table(
    connection: duckdb.DuckDBPyConnection, place: Path, person: Person, *, apply: bool
) -> Removed:
    schema, name = place.parts[-2:]
    rows = f"read_parquet('{place}/*.parquet')"
    columns = dict(row[:2] for row in connection.execute(f"describe from {rows}").fetchall())
    texts = tuple(column for column, type_ in columns.items() if "VARCHAR" in type_)
    is_theirs, values = Place(schema, name, texts, "shop_id" in columns).speaks_of(person)
    blank = BLANKED.get((schema, name))
    [(touched,)] = connection.execute(
        f"select count(*) from {rows} where {is_theirs}", values
    ).fetchall()
    if touched and apply:
        kept = f"select * from {rows} where ({is_theirs}) is not true"
        if blank:
            nulls = (f"if({is_theirs}, null, {quoted(c)}) as {quoted(c)}" for c in blank)
            kept = f"select * replace ({', '.join(nulls)}) from {rows}"
        whole = place.with_name(name + WHOLE)
        whole.mkdir()
        connection.execute(f"copy ({kept}) to '{whole}/part.parquet' (format parquet)", values)
        (whole / "_SUCCESS").touch()
        # Without its mark a table is one that a run died over, whose place `tidy` gives away.
        (place / "_SUCCESS").unlink()
    return Removed(f"Spark's {schema}.{name}", touched, KEPT if blank else DELETED)
