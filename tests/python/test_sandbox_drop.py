"""Reading a file drop for the sandbox: every format, the latest row of a key, and in no time."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import HealthError
from orchestration.sandbox.server import Sandbox
from orchestration.sandbox.server.drop import Drop


def write(folder: Path, name: str, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def test_every_format_gives_the_same_row(tmp_path: Path) -> None:
    folder = tmp_path / "shopify" / "customers"
    row = {
        "shop_id": "aurelia",
        "customer_id": "1",
        "created_at": "2026-03-01T10:00:00+09:00",
        "tags": ["a", "b"],
        "birth_date": "1990-02-03",
        "stray": 5,
    }
    write(folder, "a.jsonl", json.dumps(row))
    csv = 'shop_id,customer_id,created_at,tags,birth_date\naurelia,2,2026-03-01 01:00:00Z,"[a, b]",'
    write(folder, "b.csv", csv + "1990-02-03\n")
    duckdb.sql(
        "select 'aurelia' as shop_id, 3 as customer_id, ['a', 'b'] as tags, "
        "timestamptz '2026-03-01 01:00:00+00' as created_at, date '1990-02-03' as birth_date"
    ).write_parquet(str(folder / "c.parquet"))
    write(folder, "README.txt", "no table")
    drop = Drop(tmp_path)
    table = drop.table("shopify", "customers")
    columns = "created_at::varchar, tags, birth_date::varchar, email"
    found = drop.query(f"select customer_id, {columns} from {table} order by 1")
    assert [row[0] for row in found] == ["1", "2", "3"]
    assert {str(row[1:]) for row in found} == {
        str(("2026-03-01 01:00:00", ["a", "b"], "1990-02-03", None))
    }
    drop.close()


def test_of_one_key_the_latest_row_stands_and_rows_without_a_key_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "shopify" / "orders"
    lines = [
        {"shop_id": "a", "order_id": "1", "updated_at": "2026-01-02T00:00:00Z", "email": "new"},
        {"shop_id": "a", "order_id": "1", "updated_at": "2026-01-01T00:00:00Z", "email": "old"},
        {"shop_id": "a", "order_id": "2", "email": "first"},
        {"shop_id": "a", "order_id": "2", "email": "last"},
        {"shop_id": "b", "order_id": "1", "email": "another shop's"},
        {"shop_id": "a", "order_id": None, "email": "nobody's"},
    ]
    write(folder, "1.jsonl", "\n".join(json.dumps(line) for line in lines))
    drop = Drop(tmp_path)
    table = drop.table("shopify", "orders")
    found = drop.query(f"select shop_id, order_id, email from {table} order by all")
    assert found == [("a", "1", "new"), ("a", "2", "last"), ("b", "1", "another shop's")]
    drop.close()


def test_a_table_that_is_not_there_is_empty(tmp_path: Path) -> None:
    for directory in (tmp_path, None):
        drop = Drop(directory)
        assert drop.query(f"select count(*) from {drop.table('klaviyo', 'events')}") == [(0,)]
        drop.close()


@pytest.mark.parametrize("name", ["broken.parquet", "broken.jsonl"])
def test_a_file_that_is_no_table_is_a_sentence(tmp_path: Path, name: str) -> None:
    write(tmp_path / "shopify" / "customers", name, '{"shop_id": [')
    with pytest.raises(HealthError, match=f"{name} cannot be read as a table of rows"):
        Sandbox.from_drop(tmp_path)


def test_a_sandbox_reads_no_more_than_it_is_asked_for(drop: Path) -> None:
    sandbox = Sandbox.from_drop(drop)
    read = {name for (name,) in sandbox.drop.query("select table_name from duckdb_tables()")}
    assert "klaviyo_events" not in read
    sandbox.close()
