"""The public "Online Retail" data set as a file drop: real customers that nobody invented.

    .venv/bin/python -m benchmarks.online_retail <file.parquet> <out_dir>

Source: D. Chen, "Online Retail", UCI Machine Learning Repository, CC BY 4.0: the invoice lines of a
UK gift shop, December 2010 to December 2011. `docs/real-data.md` tells how to get the file, what
each rule below decides, and what the scores look like. The file needs the columns invoice_no, sku,
qty, ts (UK wall-clock time), price (GBP a unit), customer_id (null when unknown) and country.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration.errors import HealthError

SHOP = "online-retail"
ZONE = "Europe/London"
COLUMNS = ("invoice_no", "sku", "qty", "ts", "price", "customer_id", "country")

SHIPPING = ("POST", "DOT", "C2")
# Manual entries, discounts, samples, charity, bank and marketplace fees, bad debt.
FEES = ("M", "D", "S", "CRUK", "BANK CHARGES", "AMAZONFEE", "B")

# ISO 3166; what is no single country (Channel Islands, European Community) stays unknown.
COUNTRIES = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Brazil": "BR",
    "Canada": "CA", "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE",
    "Finland": "FI", "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK",
    "Iceland": "IS", "Israel": "IL", "Italy": "IT", "Japan": "JP", "Lebanon": "LB",
    "Lithuania": "LT", "Malta": "MT", "Netherlands": "NL", "Norway": "NO", "Poland": "PL",
    "Portugal": "PT", "RSA": "ZA", "Saudi Arabia": "SA", "Singapore": "SG", "Spain": "ES",
    "Sweden": "SE", "Switzerland": "CH", "USA": "US", "United Arab Emirates": "AE",
    "United Kingdom": "GB",
}  # fmt: skip


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


READ = """
create table given as
select
    trim(invoice_no::varchar) as invoice_no,
    upper(trim(sku::varchar)) as sku,
    qty::bigint as qty,
    ts::timestamp as local_at,
    ts::timestamp at time zone $zone as sold_at,
    price::decimal(18, 4) as price,
    customer_id::bigint::varchar as customer_id,
    country_codes[trim(country)] as country_code
from read_parquet($file), (select map($countries, $codes) as country_codes)
"""

# Lines have no number of their own: identical ones may share numbers out as they like.
LINES = f"""
create table lines as
select
    *,
    invoice_no || '-' || row_number() over (
        partition by invoice_no order by sku, price, qty, local_at, customer_id, country_code
    ) as line_id,
    qty * price as amount,
    starts_with(invoice_no, 'C') as is_cancellation,
    case
        when sku in ({_texts(SHIPPING)}) then 'shipping'
        when sku in ({_texts(FEES)}) then 'fee'
        when starts_with(sku, 'GIFT_') then 'gift card'
        else 'merchandise'
    end as kind,
    regexp_full_match(invoice_no, '[0-9]+') and qty > 0 and price >= 0 as is_sale
from given;

create table orders as
select
    invoice_no as order_id,
    min(customer_id) as customer_id,
    min(sold_at) as sold_at,
    min(country_code) as country_code,
    coalesce(sum(amount) filter (kind in ('merchandise', 'gift card')), 0) as subtotal,
    coalesce(sum(amount) filter (kind = 'shipping'), 0) as shipping,
    sum(amount) as total
from lines
where is_sale
group by invoice_no
having bool_or(kind in ('merchandise', 'gift card') and price > 0);
"""

# A cancellation names no invoice. Per customer and product, sales stack units up and cancellations
# take them off the top: each unit cancelled is the one sold last that was still there. The level of
# a unit in that stack pairs the two; what is cancelled from an empty stack stays without a match.
MATCHES = """
create table matches as
with moves as (
    select
        lines.*,
        row_number() over (
            partition by lines.customer_id, lines.sku
            order by lines.local_at, lines.is_cancellation, lines.invoice_no, lines.line_id
        ) as step
    from lines
    left join orders on lines.invoice_no = orders.order_id
    where
        lines.customer_id is not null
        and lines.kind = 'merchandise'
        and lines.price > 0
        and (lines.is_sale and orders.order_id is not null or lines.is_cancellation and qty < 0)
),

balances as (
    select *, sum(qty) over (partition by customer_id, sku order by step)::bigint as balance
    from moves
    where (customer_id, sku) in (select (customer_id, sku) from moves where is_cancellation)
),

stacks as (
    select
        *,
        balance - least(0, min(balance) over (partition by customer_id, sku order by step))
            as height
    from balances
),

steps as (
    select *, coalesce(lag(height) over (partition by customer_id, sku order by step), 0) as before
    from stacks
),

units as (
    select *, unnest(generate_series(least(before, height) + 1, greatest(before, height))) as level
    from steps
)

select
    cancelled.line_id as cancelled_line_id,
    sold.line_id as sold_line_id,
    any_value(cancelled.invoice_no) as cancellation_no,
    any_value(sold.invoice_no) as order_id,
    count(*) as quantity,
    any_value(cancelled.price) * count(*) as amount,
    any_value(sold.price) * count(*) as sold_amount
from (from units where is_cancellation) as cancelled
asof join (from units where not is_cancellation) as sold
    on
        cancelled.customer_id = sold.customer_id
        and cancelled.sku = sold.sku
        and cancelled.level = sold.level
        and cancelled.step > sold.step
group by cancelled_line_id, sold_line_id
"""

# Every line of the file ends in exactly one fate.
FATES = """
create table fates as
select
    case
        when lines.is_cancellation and lines.qty < 0 and lines.price > 0 then case
            when lines.kind <> 'merchandise' then 'left out: credit for no merchandise'
            when lines.customer_id is null then 'left out: cancellation by nobody known'
            when coalesce(matched.quantity, 0) = 0 then 'left out: cancellation without a purchase'
            when matched.quantity < -lines.qty then 'refund, in part'
            else 'refund'
        end
        when lines.is_cancellation or lines.qty <= 0 then 'left out: stock correction'
        when not lines.is_sale then 'left out: bad debt'
        when orders.order_id is null then 'left out: invoice that sells no goods'
        when lines.kind = 'merchandise' and lines.price = 0 then 'order line given free'
        when lines.kind = 'merchandise' then 'order line'
        when lines.kind = 'gift card' then 'order line, gift card'
        else 'order, ' || lines.kind
    end as fate,
    count(*) as lines,
    sum(lines.amount) as amount
from lines
left join orders on lines.invoice_no = orders.order_id
left join (
    select cancelled_line_id, sum(quantity) as quantity from matches group by cancelled_line_id
) as matched on lines.line_id = matched.cancelled_line_id
group by fate
"""

# The file drop: one query a table, each ordered by its key.
DROP = {
    "shops": f"""
        select '{SHOP}' as shop_id, 'Online Retail' as name, '{ZONE}' as iana_timezone,
            'GBP' as currency_code
    """,
    "customers": f"""
        select '{SHOP}' as shop_id, customer_id, min(sold_at) as created_at,
            max(sold_at) as updated_at,
            arg_max(country_code, (sold_at, country_code)) as default_country_code
        from lines
        where customer_id is not null
        group by customer_id
        order by customer_id
    """,
    "orders": f"""
        select '{SHOP}' as shop_id, orders.order_id, customer_id, sold_at as created_at,
            sold_at as processed_at,
            greatest(sold_at, refunded.refunded_at) as updated_at,
            case
                when refunded.amount >= subtotal then 'refunded'
                when refunded.amount > 0 then 'partially_refunded'
                else 'paid'
            end as financial_status,
            'GBP' as currency_code, subtotal as subtotal_amount, shipping as shipping_amount,
            total as total_amount, country_code as shipping_country_code
        from orders
        left join (
            select matches.order_id, sum(matches.amount) as amount, max(sold_at) as refunded_at
            from matches
            inner join lines on matches.cancelled_line_id = lines.line_id
            group by matches.order_id
        ) as refunded on orders.order_id = refunded.order_id
        order by orders.order_id
    """,
    "order_lines": f"""
        select '{SHOP}' as shop_id, line_id as order_line_id, invoice_no as order_id,
            sku as product_id, sku, qty as quantity, price as unit_price_amount,
            kind = 'gift card' as is_gift_card
        from lines
        where
            is_sale and kind in ('merchandise', 'gift card')
            and invoice_no in (select order_id from orders)
        order by order_line_id
    """,
    "refunds": f"""
        select '{SHOP}' as shop_id, cancellation_no || '-' || order_id as refund_id, order_id,
            min(lines.sold_at) as created_at
        from matches
        inner join lines on matches.cancellation_no = lines.invoice_no
        group by cancellation_no, order_id
        order by refund_id
    """,
    "refund_lines": f"""
        select '{SHOP}' as shop_id, cancelled_line_id || '-' || sold_line_id as refund_line_id,
            cancellation_no || '-' || order_id as refund_id, sold_line_id as order_line_id,
            quantity, amount as subtotal_amount
        from matches
        order by refund_line_id
    """,
    "products": f"""
        select '{SHOP}' as shop_id, sku as product_id,
            arg_max(price, (sold_at, price)) as price_amount, max(sold_at) as updated_at
        from lines
        where is_sale and kind in ('merchandise', 'gift card') and price > 0
        group by sku
        order by product_id
    """,
}


@dataclass(frozen=True)
class Mapping:
    """What a mapping did. Amounts in GBP; the lines of `fates` add up to those of the file.

    `fates`: what became of the invoice lines, as (fate, lines, amount). `tables`: rows written, by
    table. `refunded`: the part of the cancelled amount that found its order; `sold_for`: what those
    same units had been sold for.
    """

    fates: list[tuple[str, int, Decimal]]
    tables: dict[str, int]
    refunded: Decimal
    sold_for: Decimal
    seconds: float


def read_lines(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Read the parquet file into the table `given`.

    Raises `HealthError` when there is no such file, or it is not the data set.
    """
    if not file.is_file():
        raise HealthError(f"There is no file {file}. docs/real-data.md says where to get it.")
    try:
        found = connection.execute("select * from read_parquet(?) limit 0", [str(file)])
        missing = set(COLUMNS) - {column[0] for column in found.description or ()}
        if missing:
            raise HealthError(
                f"{file} has no column {', '.join(sorted(missing))}: it needs {', '.join(COLUMNS)}."
            )
        connection.execute(
            READ,
            {
                "file": str(file),
                "zone": ZONE,
                "countries": list(COUNTRIES),
                "codes": list(COUNTRIES.values()),
            },
        )
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise HealthError(f"{file} cannot be read as Online Retail: {reason}") from error
    [(incomplete,)] = connection.execute(
        "select count(*) from given where invoice_no is null or sku is null or qty is null "
        "or local_at is null or price is null"
    ).fetchall()
    if incomplete:
        raise HealthError(
            f"{file} has {incomplete} rows without invoice_no, sku, qty, ts or price: the data set "
            "has none, so something was lost when the file was made."
        )


def map_file(file: Path, directory: Path) -> Mapping:
    """Write the file drop of `file` under `directory`, in place of an earlier one.

    Raises `HealthError` as `read_lines` does.
    """
    started = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        read_lines(connection, file)
        for statement in (LINES, MATCHES, FATES):
            connection.execute(statement)
        written = {
            name: _write(connection, query, directory / "shopify" / name)
            for name, query in DROP.items()
        }
        fates = connection.execute("from fates order by fate").fetchall()
        [(refunded, sold_for)] = connection.execute(
            "select coalesce(sum(amount), 0), coalesce(sum(sold_amount), 0) from matches"
        ).fetchall()
    seconds = time.perf_counter() - started
    return Mapping(fates, written, refunded, sold_for, seconds)


def _write(connection: duckdb.DuckDBPyConnection, query: str, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / "online-retail.parquet").replace("'", "''")
    copied = connection.execute(f"copy ({query}) to '{path}' (format parquet)").fetchall()
    return int(copied[0][0])


def main() -> None:
    """Map one file and say what became of its lines."""
    console = Console()
    if len(sys.argv) != 3:
        sys.exit("usage: .venv/bin/python -m benchmarks.online_retail <file.parquet> <out_dir>")
    try:
        mapping = map_file(Path(sys.argv[1]), Path(sys.argv[2]))
    except HealthError as error:
        sys.exit(f"error: {error}")
    fates = Table("what became of the lines", title="Online Retail", title_justify="left")
    for name in ("lines", "GBP"):
        fates.add_column(name, justify="right")
    for fate, lines, amount in mapping.fates:
        fates.add_row(fate, f"{lines:,}", f"{amount:,.2f}")
    total = sum((amount for _, _, amount in mapping.fates), Decimal(0))
    fates.add_section()
    fates.add_row("all", f"{sum(n for _, n, _ in mapping.fates):,}", f"{total:,.2f}")
    console.print(fates)
    console.print(
        f"GBP {mapping.refunded:,.2f} refunded (sold for {mapping.sold_for:,.2f}). Written "
        f"in {mapping.seconds:.1f} s: "
        + ", ".join(f"{rows:,} {name}" for name, rows in mapping.tables.items())
        + "."
    )


if __name__ == "__main__":
    main()
