"""`health doctor`: each way in which a connection can fail; it neither writes nor tells."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import scripted_vendor
from conftest import run_health
from rich.console import Console
from scripted_vendor import Answer, Asked

from orchestration.extract.api.shopify import documents
from orchestration.operate.doctor import Check, State, examine, here, render, vendors
from orchestration.sandbox.server import Sandbox, running
from orchestration.settings import DESTINATIONS, Settings, variables

SECRETS = {vendor: f"hush-{vendor}-0123456789" for vendor in DESTINATIONS}
SCOPES = [*documents.SCOPES, documents.ALL_ORDERS, vendors.SHOPIFY_WRITES]
Script = Callable[[Asked], Answer]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is set up, and every path is the test's own."""
    for name in list(os.environ):
        if name.startswith(("HEALTH_", *(v for d in DESTINATIONS for v in variables(d)))):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "data" / "warehouse.duckdb"))
    monkeypatch.setenv("HEALTH_LANDING", str(tmp_path / "landing"))


def shopify(scopes: list[str]) -> Answer:
    handles = [{"handle": scope} for scope in scopes]
    data = {"shop": {"name": "x"}, "currentAppInstallation": {"accessScopes": handles}}
    return Answer({"data": data})


def well(asked: Asked) -> Answer:
    """All five vendors in good health."""
    answers = {
        "/shopify/graphql.json": shopify(SCOPES),
        "/klaviyo/api/profiles": Answer({"data": [], "links": {}}),
        "/klaviyo/api/events": Answer({"data": [], "links": {}}),
        "/zigpoll/accounts": Answer([{"_id": "account-7"}]),
        "/postscript/api/v2/me": Answer({"shop": {}}),
        "/slack/auth.test": Answer(
            {"ok": True}, headers={"x-oauth-scopes": "chat:write, channels:read"}
        ),
    }
    return answers.get(asked.path, Answer({"error": "no such path"}, status=404))


def but(path: str, answer: Callable[[Asked], Answer] | Answer) -> Script:
    """All in good health but what stands at `path`."""

    def script(asked: Asked) -> Answer:
        if not asked.path.startswith(path):
            return well(asked)
        return answer(asked) if callable(answer) else answer

    return script


@contextmanager
def set_up(
    monkeypatch: pytest.MonkeyPatch, script: Script = well
) -> Iterator[scripted_vendor.Vendor]:
    """The shop `acme` at five vendors that answer by a script."""
    with scripted_vendor.running(script) as server:
        for vendor, (secret, url, _) in DESTINATIONS.items():
            monkeypatch.setenv(f"{secret}__ACME", SECRETS[vendor])
            end = "/graphql.json" if vendor == "shopify" else ""
            monkeypatch.setenv(url, f"{server.url}/{vendor}{end}")
        yield server


def look(shops: list[str] | None = None) -> dict[str, Check]:
    return {check.what: check for check in examine(Settings(), shops)}


def shown(checks: dict[str, Check], width: int = 80) -> str:
    written = io.StringIO()
    Console(width=width, file=written).print(render(list(checks.values())))
    return written.getvalue()


def test_what_works_is_told_with_its_scopes(monkeypatch):
    with set_up(monkeypatch):
        checks = look()
    assert {checks[vendor].state for vendor in DESTINATIONS} == {State.FINE}
    assert {checks[vendor].whose for vendor in DESTINATIONS} == {"acme"}
    assert "scopes profiles:read, events:read, metrics:read" in checks["klaviyo"].found
    assert all(scope in checks["shopify"].found for scope in SCOPES)
    assert "account account-7" in checks["zigpoll"].found
    assert "channels:read, chat:write" in checks["slack"].found


def test_it_asks_little_and_writes_nothing(monkeypatch, tmp_path):
    with set_up(monkeypatch) as server:
        look()
    assert {a.method for a in server.asked} == {"GET", "POST"}
    for asked in server.asked:
        if asked.method == "POST":
            assert asked.path in ("/shopify/graphql.json", "/slack/auth.test")
        if asked.path == "/shopify/graphql.json":
            assert json.loads(asked.body)["query"].startswith("query ")
        if asked.path.startswith("/klaviyo"):
            assert asked.query["page[size]"] == "1"
    assert len(server.asked) == 7
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_set_up_names_its_variable_and_is_no_failure(tmp_path):
    checks = look(["my-shop"])
    for vendor, (secret, _, _) in DESTINATIONS.items():
        assert checks[vendor].state is State.OFF
        assert f"{secret}__MY_SHOP" in checks[vendor].mend
    assert "SHOPIFY_CLIENT_SECRET__MY_SHOP" in checks["shopify"].mend
    warehouse = Path(os.environ["DUCKDB_PATH"])
    done = run_health("doctor", "--shop", "my-shop", warehouse=warehouse)
    assert "KLAVIYO_API_KEY__MY_SHOP" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_vendor_that_cannot_be_reached_is_told_as_such(monkeypatch):
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets the port, and nobody answers there.
        taken.bind(("127.0.0.1", 0))
        with set_up(monkeypatch):
            for vendor, (_, url, _) in DESTINATIONS.items():
                monkeypatch.setenv(url, f"http://127.0.0.1:{taken.getsockname()[1]}/{vendor}")
            checks = look()
    for vendor in DESTINATIONS:
        assert checks[vendor].is_wrong
        assert checks[vendor].found == "not reachable"
        assert "did not answer" in checks[vendor].mend
        assert vendors.ADVICE in checks[vendor].mend


REFUSALS = {
    "shopify": ("/shopify", Answer({"errors": "Invalid API key or access token"}, status=401)),
    "klaviyo": ("/klaviyo", Answer({"errors": [{"detail": "bad key"}]}, status=401)),
    "zigpoll": ("/zigpoll", Answer({"error": "bad key"}, status=422)),
    "postscript": ("/postscript", Answer({"error": "bad key"}, status=401)),
    "slack": ("/slack", Answer({"ok": False, "error": "invalid_auth"})),
}


@pytest.mark.parametrize("vendor", DESTINATIONS)
def test_a_refused_key_is_told_and_where_it_stands(monkeypatch, vendor):
    path, answer = REFUSALS[vendor]
    with set_up(monkeypatch, but(path, answer)):
        checks = look()
    assert checks[vendor].is_wrong
    assert checks[vendor].found == "reachable, but it refused"
    assert f"{DESTINATIONS[vendor][0]}__ACME" in checks[vendor].mend
    assert [v for v in DESTINATIONS if checks[v].is_wrong] == [vendor]


@pytest.mark.parametrize("vendor", DESTINATIONS)
def test_no_secret_is_shown_even_when_a_vendor_repeats_it(monkeypatch, vendor):
    def telling(asked: Asked) -> Answer:
        said = f"{asked.headers} {asked.body!r} \x1b[31mred [bold]loud[/bold]"
        return Answer({"ok": False, "error": said}, status=400)

    with set_up(monkeypatch, but(f"/{vendor}", telling)):
        checks = look()
        done = run_health("doctor", warehouse=Path(os.environ["DUCKDB_PATH"]), expect=1)
    assert checks[vendor].is_wrong
    for text in (shown(checks), repr(checks), done.stdout, done.stderr):
        assert not [secret for secret in SECRETS.values() if secret in text.replace("\n", "")]
        assert "hush" not in text
    assert "\x1b" not in shown(checks)


@pytest.mark.parametrize(
    ("missing", "state", "words"),
    [
        ("read_returns", State.WRONG, "without it there are no returns"),
        ("read_all_orders", State.DOUBTFUL, "orders of the last 60 days alone"),
        ("write_customers", State.DOUBTFUL, "a push cannot write"),
    ],
)
def test_a_scope_that_shopify_did_not_give(monkeypatch, missing, state, words):
    held = [scope for scope in SCOPES if scope != missing]
    with set_up(monkeypatch, but("/shopify", shopify(held))):
        check = look()["shopify"]
    assert check.state is state
    assert f"missing {missing}" in check.found
    assert words in check.mend
    assert "read_products" in check.found


def test_who_may_write_may_read(monkeypatch):
    held = [scope.replace("read_customers", "") for scope in SCOPES]
    with set_up(monkeypatch, but("/shopify", shopify(held))):
        assert look()["shopify"].state is State.FINE


@pytest.mark.parametrize(
    ("refuses", "missing"),
    [
        (lambda a: a.path.endswith("profiles"), "profiles:read"),
        (lambda a: a.path.endswith("events"), "events:read"),
        (lambda a: a.query.get("include") == "metric", "metrics:read"),
        (lambda a: True, "profiles:read, events:read"),
    ],
)
def test_a_scope_that_klaviyo_did_not_give(monkeypatch, refuses, missing):
    refused = Answer({"errors": [{"code": "permission_denied"}]}, status=403)
    script = but("/klaviyo", lambda asked: refused if refuses(asked) else well(asked))
    with set_up(monkeypatch, script):
        check = look()["klaviyo"]
    assert check.is_wrong
    assert check.found.endswith(f"missing {missing}")
    assert missing in check.mend
    assert "there are no " in check.mend


def test_a_scope_that_slack_did_not_give(monkeypatch):
    answer = Answer({"ok": True}, headers={"x-oauth-scopes": "channels:read"})
    with set_up(monkeypatch, but("/slack", answer)):
        check = look()["slack"]
    assert check.is_wrong
    assert check.found.endswith("scopes channels:read; missing chat:write")


def test_a_failure_that_passes_is_none(monkeypatch):
    failed: set[tuple[Any, ...]] = set()

    def once(asked: Asked) -> Answer:
        key = (asked.path, *asked.query.items())
        if key in failed:
            return well(asked)
        failed.add(key)
        return Answer({}, status=500)

    with set_up(monkeypatch, once):
        checks = look()
    assert {checks[vendor].state for vendor in DESTINATIONS} == {State.FINE}


def test_an_address_that_would_tell_the_secret_is_wrong_and_the_others_are_looked_at(monkeypatch):
    with set_up(monkeypatch):
        monkeypatch.setenv("HEALTH_ZIGPOLL_URL", "http://zigpoll.example.com")
        checks = look()
    assert checks["zigpoll"].is_wrong
    assert "HEALTH_ZIGPOLL_URL must start with https://" in checks["zigpoll"].mend
    assert checks["klaviyo"].state is State.FINE


def test_half_of_a_shopify_apps_credentials_is_wrong(monkeypatch):
    monkeypatch.setenv("SHOPIFY_CLIENT_ID__ACME", "an-id")
    check = look()["shopify"]
    assert check.is_wrong
    assert "SHOPIFY_CLIENT_SECRET__ACME is missing" in check.mend


def test_a_key_without_a_shop_is_wrong(monkeypatch):
    assert look()["shops"].state is State.OFF
    monkeypatch.setenv("KLAVIYO_API_KEY", SECRETS["klaviyo"])
    check = look()["shops"]
    assert check.is_wrong
    assert "KLAVIYO_API_KEY is set" in check.found
    assert "HEALTH_SHOPS" in check.mend


def test_something_wrong_ends_with_one_and_a_sentence(monkeypatch):
    path, answer = REFUSALS["zigpoll"]
    with set_up(monkeypatch, but(path, answer)):
        done = run_health("doctor", warehouse=Path(os.environ["DUCKDB_PATH"]), expect=1)
    flat = " ".join(done.stdout.split())
    assert "acme, zigpoll: Zigpoll (shop acme) refused the key (422)" in flat
    assert "Traceback" not in done.stdout + done.stderr
    # All is right but what is wrong: one sentence, and those of what this machine lacks.
    assert "acme, klaviyo:" not in flat


def test_the_sandbox_is_in_good_health_by_token_and_by_app(monkeypatch, drop):
    sandbox = Sandbox.from_drop(drop)
    app = ("SHOPIFY_CLIENT_ID__HOSHI", "SHOPIFY_CLIENT_SECRET__HOSHI")
    with running(sandbox) as urls:
        for name, value in urls.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SHOPIFY_ACCESS_TOKEN__HOSHI")
        for name, value in zip(app, sandbox.client("hoshi"), strict=True):
            monkeypatch.setenv(name, value)
        good = examine(Settings())
        monkeypatch.setenv(app[1], "another-secret")
        bad = examine(Settings())
    sandbox.close()
    assert not [check for check in good if check.is_wrong]
    fine = {(c.whose, c.what) for c in good if c.state is State.FINE}
    assert fine >= {(shop, vendor) for shop in ("aurelia", "hoshi") for vendor in DESTINATIONS} - {
        # The smaller shop asks nobody anything.
        ("hoshi", "zigpoll")
    }
    (wrong,) = [check for check in bad if check.is_wrong]
    assert (wrong.whose, wrong.what) == ("hoshi", "shopify")
    assert "SHOPIFY_CLIENT_SECRET__HOSHI" in wrong.mend


# --- this machine --------------------------------------------------------------------------------


def warehouse_with(path: Path, day: str | None, raw: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema raw_shopify; create schema marts")
        for number in range(raw):
            connection.execute(f"create table raw_shopify.t{number} (x integer)")
        connection.execute("create table raw_shopify._cursors (x integer)")
        if day:
            connection.execute(
                f"create table marts.scored_days as select date '{day}' as as_of_date"
            )


def test_a_machine_with_nothing_on_it(tmp_path):
    checks = look()
    assert {checks[w].state for w in ("dbt", "DuckDB")} == {State.FINE}
    assert checks["DuckDB"].found == duckdb.__version__
    for what, command in (("warehouse", "health load"), ("copy for readers", "health publish")):
        assert checks[what].state is State.OFF
        assert command in checks[what].mend
    assert checks["landing folder"].state is State.OFF
    assert list(tmp_path.iterdir()) == []


def test_a_machine_with_all_on_it(tmp_path, monkeypatch):
    settings = Settings()
    warehouse_with(settings.warehouse_path, "2026-10-31", raw=3)
    warehouse_with(settings.serving_path, "2026-10-31")
    (settings.landing_path / "shopify").mkdir(parents=True)
    (settings.landing_path / "shopify" / "x.csv").write_text("a\n")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    checks = look()
    assert checks["warehouse"].found == "readable, 3 raw tables, last scored day 2026-10-31"
    assert checks["copy for readers"].state is State.FINE
    assert checks["landing folder"].found == "1 files"
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_an_old_copy_is_doubtful():
    warehouse_with(Settings().warehouse_path, "2026-10-31")
    warehouse_with(Settings().serving_path, "2026-10-30")
    check = look()["copy for readers"]
    assert check.state is State.DOUBTFUL
    assert "2026-10-31" in check.mend
    assert "health publish" in check.mend


def test_files_that_are_no_databases_are_wrong():
    for path in (Settings().warehouse_path, Settings().serving_path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not a database at all, but long enough to be looked at" * 100)
    checks = look()
    assert checks["warehouse"].is_wrong
    assert "DUCKDB_PATH" in checks["warehouse"].mend
    assert checks["copy for readers"].is_wrong


def test_a_warehouse_that_is_held_is_told_with_its_holder():
    path = Settings().warehouse_path
    warehouse_with(path, None)
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        check = look()["warehouse"]
    finally:
        holder.communicate("\n", timeout=20)
    assert check.is_wrong
    assert f"held by process {holder.pid}" in check.mend


def test_a_landing_folder_that_is_a_file_is_wrong():
    Settings().landing_path.write_text("")
    assert look()["landing folder"].is_wrong


@pytest.mark.parametrize("package", here.PROGRAMS)
def test_another_version_than_the_wanted_is_wrong(monkeypatch, package):
    real = here.metadata.version
    monkeypatch.setattr(
        here.metadata, "version", lambda name: "0.1" if name == package else real(name)
    )
    checks = look()
    wrong = [name for name in here.PROGRAMS if checks[here.PROGRAMS[name]].is_wrong]
    assert wrong == [package]
    assert "make setup" in checks[here.PROGRAMS[package]].mend


def test_the_table_fits_eighty_columns_and_says_everything(monkeypatch):
    with set_up(monkeypatch):
        text = shown(look())
    assert max(len(line) for line in text.splitlines()) <= 80
    flat = "".join(text.split())
    for word in (*DESTINATIONS, "acme", "here", "warehouse", *SCOPES):
        assert word.replace(" ", "") in flat
