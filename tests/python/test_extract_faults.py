"""Extracts under faults: whatever goes wrong, the next run ends complete, every row once.

The table in `docs/reliability.md` has one row a case of this file, with the outcome that is tested
here. `HEALTH_WRITE_DOCS=1` writes it anew.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from vendors import digest, drop_of, extract

from orchestration.extract.contract import tables
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, Urls, running
from orchestration.settings import PROJECT_DIR
from orchestration.warehouse import connect

DOCUMENT = PROJECT_DIR / "docs" / "reliability.md"
SOURCES = ("shopify", "klaviyo", "zigpoll", "postscript")
RAW = [key for key in tables() if key[0] in SOURCES]

SAME_RUN = "complete in the same run"
NEXT_RUN = "stops with a sentence, that stream lands nothing; complete after the next run"
KILLED = "complete after the next run"

Content = Mapping[tuple[str, str], tuple[int, str]]


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drop_of(tmp_path_factory.mktemp("drop"), 50, days=200)


@pytest.fixture
def sandbox(drop: Path) -> Iterator[Sandbox]:
    made = Sandbox.from_drop(drop)
    made.bucket = (20_000.0, 1_000.0)
    made.looks = 1
    yield made
    made.close()


@pytest.fixture(scope="module")
def expected(drop: Path, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What an extract brings when nothing goes wrong."""
    calm = Sandbox.from_drop(drop)
    calm.bucket = (20_000.0, 1_000.0)
    path = tmp_path_factory.mktemp("calm") / "warehouse.duckdb"
    with running(calm) as urls:
        assert not [r.error for r in extract(urls, path) if r.error]
    calm.close()
    found = content(path)
    assert all(count for count, _ in found.values())
    return found


def content(warehouse: Path) -> Content:
    with connect(warehouse) as connection:
        return {key: digest(connection, tables()[key]) for key in RAW if there(connection, key)}


def there(connection: object, key: tuple[str, str]) -> bool:
    found = connection.execute(  # type: ignore[attr-defined]
        "select count(*) from information_schema.tables where table_schema = $schema "
        "and table_name = $name",
        {"schema": f"raw_{key[0]}", "name": key[1]},
    ).fetchone()
    return bool(found[0])


def finishes(
    urls: Urls, warehouse: Path, expected: Content, sources: Collection[str] = SOURCES
) -> None:
    """A run without faults ends complete, one more brings nothing, and nothing is left behind."""
    wanted = {key: found for key, found in expected.items() if key[0] in sources}
    assert not [r.error for r in extract(urls, warehouse, sources) if r.error]
    assert content(warehouse) == wanted
    again = extract(urls, warehouse, sources)
    assert not [r.error for r in again if r.error]
    assert sum(r.rows_new + r.rows_changed for r in again) == 0
    assert content(warehouse) == wanted
    assert not [path for path in (warehouse.parent / "spool").rglob("*") if path.is_file()]


# --- faults that pass ---------------------------------------------------------------------------

# The first requests of a run are: 1 the shop, 2 to 4 the queries of customers, products, orders.
ORDERS_BEGIN = 4

PASSING = {
    "10% answered 429, 5% answered 500, 2% of connections dropped": FaultPlan.parse(
        "429:0.1,500:0.05,drop:0.02", seed=1
    ),
    "the same with another seed": FaultPlan.parse("429:0.1,500:0.05,drop:0.02", seed=2),
    "20% of connections dropped, before or after the work": FaultPlan.parse("drop:0.2", seed=3),
    "30% answered 503": FaultPlan.parse("503:0.3", seed=4),
    "10% of answers late": FaultPlan(shares=[(0.1, (Fault.SLOW,))], slowness=0.05),
    "Shopify ends a bulk operation as FAILED": FaultPlan(at={ORDERS_BEGIN: Fault.FAILED_BULK}),
    "Shopify ends a bulk operation as EXPIRED": FaultPlan(at={ORDERS_BEGIN: Fault.EXPIRED_BULK}),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass_are_not_seen_in_what_lands(
    sandbox: Sandbox, expected: Content, tmp_path: Path, name: str
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    sandbox.faults = PASSING[name]
    with running(sandbox) as urls:
        assert not [r.error for r in extract(urls, warehouse) if r.error]
        assert content(warehouse) == expected
        assert [r for r in sandbox.requests() if r.fault] or "bulk operation" in name
        sandbox.faults = FaultPlan()
        finishes(urls, warehouse, expected)


def test_a_token_that_ends_during_a_run_is_replaced(
    sandbox: Sandbox, expected: Content, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    # Shorter than the time before its end at which a token is replaced: each call asks anew.
    sandbox.token_life = 60.0
    with running(sandbox) as urls:
        variables = {k: v for k, v in urls.environment.items() if "SHOPIFY_ACCESS_TOKEN" not in k}
        for shop in sandbox.shops("shopify"):
            client_id, secret = sandbox.client(shop)
            variables[f"SHOPIFY_CLIENT_ID__{shop.upper()}"] = client_id
            variables[f"SHOPIFY_CLIENT_SECRET__{shop.upper()}"] = secret
        asked = Urls(urls.base, variables)
        assert not [r.error for r in extract(asked, warehouse) if r.error]
        assert content(warehouse) == expected
        tokens = [r for r in sandbox.requests() if "token" in r.operation]
        assert len(tokens) > len(sandbox.shops("shopify"))


TOKEN = "an access token ends during the run"


# --- faults that stop a run ---------------------------------------------------------------------


@dataclass(frozen=True)
class Stop:
    """A fault that one run cannot get over: the plan, and what is said of it."""

    faults: FaultPlan
    sentence: str


STOPPING = {
    "a line is missing from a bulk result though Shopify counts it": Stop(
        FaultPlan(at={ORDERS_BEGIN: Fault.LOST_LINES}),
        r"Shopify \(shop aurelia\) counts [\d,]+ objects in the bulk result, [\d,]+ arrived",
    ),
    "Shopify ends one bulk operation after the other as FAILED": Stop(
        FaultPlan(at=dict.fromkeys(range(1, 200), Fault.FAILED_BULK)),
        r"Shopify \(shop aurelia\) ended the query of customers as FAILED",
    ),
    "every call is answered 503": Stop(
        FaultPlan(rate=1.0, kinds=(Fault.DOWN,)), r"Shopify \(shop aurelia\) answered 503"
    ),
}


@pytest.mark.parametrize("name", STOPPING)
def test_a_fault_that_stays_is_said_and_lands_nothing_of_its_stream(
    sandbox: Sandbox, expected: Content, tmp_path: Path, name: str
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    sandbox.faults = STOPPING[name].faults
    with running(sandbox) as urls:
        errors = [r.error for r in extract(urls, warehouse, ["shopify"], ["aurelia"]) if r.error]
        assert len(errors) == 1
        assert re.match(STOPPING[name].sentence, errors[0])
        assert content(warehouse).get(("shopify", "orders"), (0,))[0] == 0
        sandbox.faults = FaultPlan()
        finishes(urls, warehouse, expected, ["shopify"])


# --- kills --------------------------------------------------------------------------------------

CHILD = """
    import os, signal, sys
    from pathlib import Path
    from orchestration.extract.api import loads, run
    from orchestration.settings import Settings
    from vendors import MOMENT, QUICK

    where, times, path, source = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    left = [times]

    def here(name):
        if where in name:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(owner, name, before, after):
        inner = getattr(owner, name)
        def outer(*given, **named):
            here(before)
            found = inner(*given, **named)
            here(after)
            return found
        setattr(owner, name, outer)

    from orchestration.extract.api.shopify import bulk
    from orchestration.vendors import wire
    around(wire, "call", "before a call", "after a call")
    around(bulk, "_operation", "an operation has begun", "-")
    around(loads, "land", "before landing", "after landing")
    around(loads.landing, "merge", "before a merge", "after a merge")
    run.extract_all(
        run.connections(Settings(), [source]), path, here, loaded_at=MOMENT, patience=QUICK
    )
"""

# What is done when the process is killed: words of the progress or a place of CHILD, how often
# they come by, and how the table tells it.
KILLS = {
    "killed before its first request": ("before a call", 1),
    "killed with an answer in hand": ("after a call", 3),
    "killed when Shopify has begun a bulk operation and its id is not noted": (
        "an operation has begun", 2
    ),
    "killed while it waits for a bulk operation": ("orders: Shopify has gathered", 1),
    "killed in the middle of a download": ("fetched", 1),
    "killed with the bulk result on the disk": ("orders: landing", 1),
    "killed among the lines of refunds": ("refunds", 1),
    "killed among the lines of returns": ("returns", 1),
    "killed before it lands orders": ("before landing", 4),
    "killed between two tables of one transaction": ("after a merge", 6),
    "killed after landing, with the spool still there": ("after landing", 4),
    "killed among Klaviyo's profiles": ("klaviyo aurelia: profiles", 1),
    "killed among Klaviyo's events": ("klaviyo aurelia: events", 1),
    "killed among Zigpoll's answers": ("zigpoll aurelia: responses", 1),
    "killed among Postscript's subscribers": ("postscript aurelia: subscribers", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", KILLS)
def test_a_killed_run_is_made_good_by_the_next(
    sandbox: Sandbox, expected: Content, tmp_path: Path, name: str
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    where, times = KILLS[name]
    source = next((s for s in SOURCES if s.capitalize() in name), "shopify")
    with running(sandbox) as urls:
        killed(urls, warehouse, where, times, source)
        finishes(urls, warehouse, expected, [source])


def killed(urls: Urls, warehouse: Path, where: str, times: int, source: str = "shopify") -> None:
    """Run an extract in a process of its own that kills itself at a place."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), where, str(times), str(warehouse), source],
        env={**os.environ, **urls.environment, "PYTHONPATH": str(Path(__file__).parent)},
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_run_goes_on_with_the_bulk_operation_of_a_killed_one(
    sandbox: Sandbox, expected: Content, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    with running(sandbox) as urls:
        killed(urls, warehouse, "orders: Shopify has gathered", 1)
        before = sandbox.counts()["shopify bulkOperationRunQuery"]
        assert before == 3
        extract(urls, warehouse, ["shopify"], ["aurelia"])
        # Customers and products had landed: they are asked anew, for what changed. Orders are not
        # asked again at first, but once more afterwards, for what changed since.
        assert sandbox.counts()["shopify bulkOperationRunQuery"] == before + 3
        full = [r for r in sandbox.requests() if r.operation == "bulkOperationRunQuery"]
        assert len({r.body_hash for r in full}) == 6
        finishes(urls, warehouse, expected, ["shopify"])


# --- the table ----------------------------------------------------------------------------------

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def table() -> str:
    outcomes = {
        **dict.fromkeys(PASSING, SAME_RUN),
        TOKEN: SAME_RUN,
        **dict.fromkeys(STOPPING, NEXT_RUN),
        **dict.fromkeys(KILLS, KILLED),
    }
    lines = ["| what goes wrong | how it ends |", "|---|---|"]
    lines += [f"| {what[0].upper()}{what[1:]} | {how} |" for what, how in outcomes.items()]
    return "\n".join(lines)


def test_the_document_tells_of_these_faults_and_no_others() -> None:
    text = DOCUMENT.read_text()
    front, _, rest = text.partition(BEGIN)
    told, _, back = rest.partition(END)
    if os.environ.get("HEALTH_WRITE_DOCS"):
        DOCUMENT.write_text(f"{front}{BEGIN}\n{table()}\n{END}{back}")
        return
    assert told.strip() == table(), "HEALTH_WRITE_DOCS=1 writes the table anew"
