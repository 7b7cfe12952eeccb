"""What Shopify asks for under privacy law: written down for a person, with the day it is due."""

from __future__ import annotations

from datetime import datetime

import duckdb

from orchestration.extract import forgotten, landing
from orchestration.extract.files import TableResult
from orchestration.extract.landing import literal
from orchestration.receive.topics import PRIVACY

DAYS_TO_ANSWER = 30

_COLUMNS = """
    shop_id varchar not null,
    request_id varchar not null,
    kind varchar not null,
    customer_id varchar,
    email varchar,
    order_ids varchar[],
    requested_at timestamp not null,
    due_date date not null,
    handled_at timestamp,
    _loaded_at timestamp not null
"""


def record(connection: duckdb.DuckDBPyConnection, moment: datetime) -> list[TableResult]:
    """Add the privacy requests of `all_deliveries` to `raw_shopify._privacy_requests`, each once.

    The address is kept only where no customer id says who it is. `handled_at` is for the person who
    answers the request; `health forget` fills it. Call it inside the transaction.
    """
    kinds = ", ".join(literal(kind) for kind in PRIVACY)
    sent = landing.scalar(
        connection, f"select count(*) from all_deliveries where topic in ({kinds})"
    )
    if not sent:
        return []
    connection.execute("create schema if not exists raw_shopify")
    connection.execute(f"create table if not exists raw_shopify._privacy_requests ({_COLUMNS})")
    new = landing.scalar(
        connection,
        f"""
        insert into raw_shopify._privacy_requests
        select
            d.shop_id,
            split_part(d.file, '.', 1),
            d.topic,
            landed_id(d.body ->> '$.customer.id'),
            case when (d.body ->> '$.customer.id') is null then d.body ->> '$.customer.email' end,
            coalesce(
                from_json(d.body -> '$.orders_requested', '["VARCHAR"]'),
                from_json(d.body -> '$.orders_to_redact', '["VARCHAR"]'),
                []
            ),
            d.happened_at,
            cast(d.happened_at as date) + {DAYS_TO_ANSWER},
            null,
            {literal(moment.isoformat(sep=" "))}::timestamp
        from all_deliveries as d
        where d.topic in ({kinds})
            and not exists (
                select 1 from raw_shopify._privacy_requests as known
                where known.request_id = split_part(d.file, '.', 1)
            )
        """,
    )
    # Who was forgotten before stays unnamed: Shopify's own request may come after the shop's.
    answer_requests(connection, moment)
    open_ones = landing.scalar(
        connection, "select count(*) from raw_shopify._privacy_requests where handled_at is null"
    )
    note = (
        f"{open_ones:,} privacy requests wait for a person: select * from "
        "raw_shopify._privacy_requests where handled_at is null order by due_date"
    )
    return [
        TableResult(
            source="shopify",
            table="_privacy_requests",
            files=sent,
            rows_read=sent,
            rows_new=new,
            rows_unchanged=sent - new,
            note=note if open_ones else None,
        )
    ]


def answer_requests(connection: duckdb.DuckDBPyConnection, moment: datetime) -> int:
    """Mark the privacy requests of people who were forgotten as handled, and blank whom they name.

    Returns how many there were. `moment` is naive UTC.
    """
    there = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'raw_shopify' and table_name = '_privacy_requests'"
    ).fetchone()
    if there is None or not forgotten.is_kept(connection):
        return 0
    changed = connection.execute(
        f"""
        update raw_shopify._privacy_requests
        set handled_at = coalesce(handled_at, $moment::timestamp),
            customer_id = null, email = null, order_ids = []
        where {forgotten.digest("customer", forgotten.normal("customer", "customer_id"))}
            in (select digest from privacy.forgotten)
            or {forgotten.digest("email", forgotten.normal("email", "email"))}
            in (select digest from privacy.forgotten)
        """,
        {"moment": moment},
    ).fetchone()
    return int(changed[0]) if changed else 0
