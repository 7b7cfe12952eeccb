"""What holds for every vendor that answers in pages: complete, exactly once, or a sentence."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import scripted_vendor
from conftest import HEALTH, ROOT
from scripted_vendor import HASTY, SECRET, Answer, Asked, in_order

from orchestration.errors import HealthError
from orchestration.extract.api import extractor
from orchestration.extract.api.loads import cursor, spool_path
from orchestration.extract.contract import tables
from orchestration.extract.files import TableResult, load_directory
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, running
from orchestration.settings import Settings
from orchestration.vendors.wire import Patience

MOMENT = datetime(2026, 11, 1, 12)
COUNT = 5
VENDORS = {
    # The table whose rows are counted, how its stream is called on the wire, who is asked for it.
    "klaviyo": ("profiles", "data", "/api/profiles"),
    "zigpoll": ("responses", "data", "/responses"),
    "postscript": ("subscribers", "subscribers", "/api/v2/subscribers"),
}


def script_of(vendor: str, count: int = COUNT) -> Callable[[Asked], Answer]:
    """`count` objects in the vendor's main list, two a page."""
    at = [f"2026-10-{day:02d}T10:00:00+00:00" for day in range(1, count + 1)]
    if vendor == "klaviyo":
        return scripted_vendor.klaviyo(
            [{"id": f"P{i}", "attributes": {"updated": t}} for i, t in enumerate(at)], []
        )
    if vendor == "zigpoll":
        return scripted_vendor.zigpoll(
            [{"_id": f"R{i}", "createdAt": t, "slideId": "S"} for i, t in enumerate(at)],
            [{"_id": "S", "title": "Why?"}],
            [],
        )
    return scripted_vendor.postscript([{"id": f"s{i}", "updated_at": t} for i, t in enumerate(at)])


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def extract(
    vendor: str,
    script: Callable[[Asked], Answer],
    warehouse: duckdb.DuckDBPyConnection,
    *,
    moment: datetime = MOMENT,
    full: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[list[TableResult], list[Asked]]:
    run: Any = extractor(vendor)
    with scripted_vendor.running(script) as server:
        results = run(
            server.connection(vendor), "acme", warehouse, moment, full, report, patience=HASTY
        )
    return results, server.asked


def rows(vendor: str, warehouse: duckdb.DuckDBPyConnection) -> int:
    table = VENDORS[vendor][0]
    there = warehouse.execute(
        "select count(*) from duckdb_tables() where schema_name = ? and table_name = ?",
        [f"raw_{vendor}", table],
    ).fetchall()
    if there == [(0,)]:
        return 0
    return warehouse.execute(f"select count(*) from raw_{vendor}.{table}").fetchall()[0][0]


def state(vendor: str, warehouse: duckdb.DuckDBPyConnection) -> list[Any]:
    return warehouse.execute(f"from raw_{vendor}.{VENDORS[vendor][0]} order by all").fetchall()


@pytest.mark.parametrize("vendor", VENDORS)
def test_all_pages_land_and_a_second_run_asks_from_the_cursor_and_changes_nothing(
    vendor, warehouse
):
    table, _, path = VENDORS[vendor]
    results, asked = extract(vendor, script_of(vendor), warehouse)
    assert {r.table: r.rows_new for r in results}[table] == COUNT
    assert len([a for a in asked if a.path == path]) == 3
    assert cursor(warehouse, vendor, "acme", table) == "2026-10-05T10:00:00"
    before = state(vendor, warehouse)

    later = datetime(2026, 11, 2)
    results, asked = extract(vendor, script_of(vendor), warehouse, moment=later)
    assert [(r.rows_new, r.rows_changed) for r in results] == [(0, 0)] * len(results)
    assert state(vendor, warehouse) == before
    first = next(a for a in asked if a.path == path).query
    assert {
        "klaviyo": first.get("filter") == "greater-than(updated,2026-10-05T09:00:00Z)",
        "zigpoll": first.get("createdAfter") == "1791190800000",
        "postscript": first.get("updated_at__gte") == "2026-10-05T09:00:00Z",
    }[vendor], first


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_full_run_asks_for_everything(vendor, warehouse):
    extract(vendor, script_of(vendor), warehouse)
    _, asked = extract(vendor, script_of(vendor), warehouse, full=True)
    for query in (a.query for a in asked):
        assert not {"filter", "createdAfter", "updated_at__gte"} & set(query)


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_may_pass_is_asked_again(vendor, warehouse):
    faults = (
        Answer({}, status=429, headers={"Retry-After": "0.02"}),
        Answer({"error": "x"}, status=500),
        Answer({"data": ["x" * 1000]}, cut=True),
    )
    _, asked = extract(vendor, in_order(*faults, then=script_of(vendor)), warehouse)
    assert rows(vendor, warehouse) == COUNT
    assert len({(a.path, *a.query.items()) for a in asked[:4]}) == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_patience_ends_with_a_sentence_and_nothing_lands(vendor, warehouse):
    calls = 0

    def failing(asked: Asked) -> Answer:
        nonlocal calls
        if asked.path != VENDORS[vendor][2] or calls == 0:
            calls += asked.path == VENDORS[vendor][2]
            return script_of(vendor)(asked)
        return Answer({}, status=503)

    with pytest.raises(HealthError, match=r"shop acme\) answered 503\. Nothing of this stream"):
        extract(vendor, failing, warehouse)
    assert rows(vendor, warehouse) == 0
    assert cursor(warehouse, vendor, "acme", VENDORS[vendor][0]) is None


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_wait_that_is_too_long_is_not_waited_for(vendor, warehouse):
    busy = Answer({}, status=429, headers={"Retry-After": "3600"})
    with pytest.raises(HealthError, match="answered 429 and asks to wait 3600 s"):
        extract(vendor, lambda _: busy, warehouse)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_refused_key_is_said_once_and_without_the_key(vendor, warehouse):
    asked: list[Asked] = []

    def refusing(request: Asked) -> Answer:
        asked.append(request)
        return Answer({"detail": "no"}, status=422 if vendor == "zigpoll" else 401)

    with pytest.raises(HealthError, match=f"KEY_OF_{vendor.upper()}__ACME") as stopped:
        extract(vendor, refusing, warehouse)
    assert len(asked) == 1
    assert SECRET not in str(stopped.value)
    assert SECRET in asked[0].headers["authorization"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_key_that_the_vendor_repeats_is_not_repeated(vendor, warehouse):
    # So placed that a cut after 300 characters would leave half of the key.
    body = {"error": "x" * 278 + SECRET + " is what you sent"}
    with pytest.raises(HealthError, match="answered 400") as stopped:
        extract(vendor, lambda _: Answer(body, status=400), warehouse)
    assert SECRET[:6] not in str(stopped.value)
    assert "xxx…" in str(stopped.value)


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_address_that_is_not_the_vendors_is_named(vendor, warehouse):
    with pytest.raises(HealthError, match=f"HEALTH_{vendor.upper()}_URL"):
        extract(vendor, lambda _: Answer({"said": "nothing here"}, status=404), warehouse)
    with pytest.raises(HealthError, match="check the address"):
        extract(vendor, lambda _: Answer(b"<html>welcome</html>"), warehouse)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_list_without_end_stops(vendor, warehouse):
    whole = script_of(vendor)
    limit = 40

    def looping(asked: Asked) -> Answer:
        nonlocal limit
        limit -= 1
        assert limit > 0, "the list was followed for ever"
        if asked.path != VENDORS[vendor][2]:
            return whole(asked)
        if vendor == "postscript":
            # Asked for the second page, it gives the first one again.
            return whole(Asked("GET", asked.path, {"page": "1"}, {}, b""))
        cursors = ("page[cursor]", "startCursor")
        at = next((asked.query[name] for name in cursors if name in asked.query), None)
        # The second page leads on to itself.
        return whole(asked if at is None else Asked("GET", asked.path, {}, {}, b""))

    with pytest.raises(HealthError, match=r"same cursor twice|asked for page 2 and gave page 1"):
        extract(vendor, looping, warehouse)
    assert rows(vendor, warehouse) == 0


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_page_that_is_lost_on_the_way_lands_nothing(vendor, warehouse, tmp_path):
    table = VENDORS[vendor][0]
    file = spool_path(tmp_path / "warehouse.duckdb", vendor, "acme", table) / "pages.jsonl"
    lost = False

    def lose(_: str) -> None:
        nonlocal lost
        if not lost and file.exists():
            file.write_bytes(b"")
            lost = True

    with pytest.raises(HealthError, match=r"3 pages, 2 arrived; 5 \w+, 3 arrived"):
        extract(vendor, script_of(vendor), warehouse, report=lose)
    assert rows(vendor, warehouse) == 0
    assert cursor(warehouse, vendor, "acme", table) is None


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_spool_holds_what_was_sent_byte_for_byte(vendor, warehouse, tmp_path):
    sent: list[bytes] = []
    whole = script_of(vendor)
    table, _, path = VENDORS[vendor]

    def spaced(asked: Asked) -> Answer:
        body = json.dumps(whole(asked).body, indent=2).encode() + b" \n"
        if asked.path == path:
            sent.append(body)
        return Answer(body)

    extract(vendor, spaced, warehouse)
    spool = spool_path(tmp_path / "warehouse.duckdb", vendor, "acme", table)
    assert b"".join(b + b"\n" for b in sent) == (spool / "pages.jsonl").read_bytes()
    assert rows(vendor, warehouse) == COUNT


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_time_of_tomorrow_does_not_move_the_cursor_there(vendor, warehouse):
    """The scripted vendor's clock stands at noon on the first of November 2026."""
    table, member, path = VENDORS[vendor]
    whole = script_of(vendor, 2)

    def ahead(asked: Asked) -> Answer:
        body = whole(asked).body
        if asked.path == path:
            newest = body[member][-1]
            fields = newest.get("attributes", newest)
            name = next(n for n in ("updated", "createdAt", "updated_at") if n in fields)
            fields[name] = "2031-01-01T00:00:00+00:00"
        return Answer(body)

    extract(vendor, ahead, warehouse)
    assert cursor(warehouse, vendor, "acme", table) == "2026-11-01T12:00:00"


@pytest.mark.parametrize("vendor", VENDORS)
def test_compressed_answers_are_read(vendor, warehouse):
    whole = script_of(vendor)

    def compressed(asked: Asked) -> Answer:
        assert "gzip" in asked.headers["accept-encoding"]
        body = gzip.compress(json.dumps(whole(asked).body).encode())
        return Answer(body, headers={"Content-Encoding": "gzip"})

    extract(vendor, compressed, warehouse)
    assert rows(vendor, warehouse) == COUNT


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_cursor_never_goes_back(vendor, warehouse):
    """What was newest is gone at the vendor, and what is left is older."""
    extract(vendor, script_of(vendor, 5), warehouse)
    extract(vendor, script_of(vendor, 2), warehouse, full=True)
    assert cursor(warehouse, vendor, "acme", VENDORS[vendor][0]) == "2026-10-05T10:00:00"


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_empty_account_lands_nothing_and_is_no_error(vendor, warehouse):
    results, _ = extract(vendor, script_of(vendor, 0), warehouse)
    assert [r.rows_new for r in results] == [0] * len(results)
    assert cursor(warehouse, vendor, "acme", VENDORS[vendor][0]) is None


def test_a_zigpoll_without_polls_is_no_error(warehouse):
    whole = script_of("zigpoll", 0)
    results, _ = extract(
        "zigpoll", lambda a: Answer([]) if a.path == "/polls" else whole(a), warehouse
    )
    assert [(r.table, r.rows_read) for r in results] == [("responses", 0)]


@pytest.mark.parametrize("vendor", VENDORS)
def test_answers_of_another_shape_are_told_in_a_sentence(vendor, warehouse):
    whole = script_of(vendor)
    _, member, path = VENDORS[vendor]

    def changed(asked: Asked) -> Answer:
        answer = whole(asked)
        if asked.path == path:
            answer.body[member] = ["P1" for _ in answer.body[member]]
        return answer

    with pytest.raises(HealthError, match="not of the shape that was documented"):
        extract(vendor, changed, warehouse)
    assert rows(vendor, warehouse) == 0


FAULTS = (Fault.BUSY, Fault.DOWN, Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.FAILED_ANSWER)


@pytest.mark.parametrize("rate", [0.0, 0.25])
@pytest.mark.parametrize("vendor", VENDORS)
def test_the_pretend_shops_are_the_same_by_wire_and_by_file(
    vendor, tmp_path, drop, monkeypatch, rate
):
    """Every row and every byte of its JSON, also when a quarter of all calls fail."""
    sandbox = Sandbox.from_drop(drop)
    sandbox.faults = FaultPlan(rate=rate, seed=5, kinds=FAULTS)
    wire, file = tmp_path / "wire.duckdb", tmp_path / "file.duckdb"
    patience = Patience(attempts=15, first_wait=0.01, longest_wait=1.0)
    with running(sandbox) as urls, duckdb.connect(str(wire)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, value in urls.environment.items():
            monkeypatch.setenv(name, value)
        run: Any = extractor(vendor)
        for moment in (MOMENT, datetime(2026, 11, 3)):
            found: list[TableResult] = []
            for shop in Settings().shops(vendor):
                target = Settings().connection(shop, vendor)
                found += run(
                    target, shop, connection, moment, False, lambda _: None, patience=patience
                )
            if moment != MOMENT:
                assert {(r.rows_new, r.rows_changed) for r in found} == {(0, 0)}
    assert (rate > 0) == any(request.fault for request in sandbox.requests())
    sandbox.close()
    shutil.copytree(drop / vendor, tmp_path / "part" / vendor)
    load_directory(tmp_path / "part", file, loaded_at=MOMENT)
    with duckdb.connect() as both:
        both.execute(f"attach '{wire}' as wire (read_only)")
        both.execute(f"attach '{file}' as file (read_only)")
        for name in (name for source, name in tables() if source == vendor):
            table = f"raw_{vendor}.{name}"
            for one, other in (("wire", "file"), ("file", "wire")):
                query = f"from {one}.{table} except all from {other}.{table}"
                assert both.execute(query).fetchall() == [], (table, one)
            (count,) = both.execute(f"select count(*) from wire.{table}").fetchone() or (0,)
            assert count > 50, table


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_kill_between_two_pages_repeats_and_skips_nothing(vendor, tmp_path):
    whole = script_of(vendor)
    path = VENDORS[vendor][2]
    killed: list[subprocess.Popen[bytes]] = []
    seen = 0

    def killing(asked: Asked) -> Answer:
        nonlocal seen
        seen += asked.path == path
        if seen == 2 and len(killed) == 1:
            os.kill(killed.pop().pid, signal.SIGKILL)
        return whole(asked)

    file = tmp_path / "warehouse.duckdb"
    with scripted_vendor.running(killing) as server:
        names = {"klaviyo": "KLAVIYO", "zigpoll": "ZIGPOLL", "postscript": "POSTSCRIPT"}
        environment = {
            **os.environ,
            "DUCKDB_PATH": str(file),
            f"{names[vendor]}_API_KEY__ACME": SECRET,
            f"HEALTH_{names[vendor]}_URL": server.url,
        }
        command = [str(HEALTH), "extract", "--source", vendor]
        first = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        killed.append(first)
        first.communicate(timeout=60)
        assert first.returncode == -signal.SIGKILL
        assert seen == 2
        second = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert second.returncode == 0, second.stdout + second.stderr
    assert SECRET not in second.stdout + second.stderr
    with duckdb.connect(str(file), read_only=True) as connection:
        assert rows(vendor, connection) == COUNT
