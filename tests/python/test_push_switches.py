"""The kill switch stops a push within a batch, and the plan shows it."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import duckdb
import pytest
from push_warehouse import confirmed, held, people, query, write_desired
from push_world import everybody, world
from rich.console import Console
from typer.testing import CliRunner

from orchestration.activate import switches
from orchestration.activate.plan import Sizes
from orchestration.activate.push import PushStopped
from orchestration.activate.switching import switch
from orchestration.cli import app
from orchestration.errors import HealthError
from orchestration.settings import settings

SMALL = Sizes(profiles_per_job=7, metafields_per_call=10)


def test_a_push_that_runs_stops_before_its_next_batch(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(12))) as it:

        def turn(moment: object, seen: object) -> None:
            if len(it.sandbox.requests()) == 3 and not switches.read(it.warehouse):
                switches.turn(it.warehouse, "all", None, is_on=False, why="wrong scores")

        it.sandbox.watch = turn
        with pytest.raises(PushStopped, match=r"stopped: everything was switched off .*wrong sco"):
            it.push(sizes=SMALL)
        sent = len(it.sandbox.requests())
        assert sent <= 4
        assert 0 < len(confirmed(it.warehouse)) < 12
        assert it.sandbox.records() == held(confirmed(it.warehouse))
        assert query(it.warehouse, "select * from activation.in_flight") == []

        it.sandbox.watch = None
        text = StringIO()
        report = it.push(console=Console(file=text, width=300))
        assert (report.to_send, report.outcomes) == (0, [])
        assert {c.reason for c in report.counts} == {"switched off"}
        assert "Switched off: everything was switched off" in text.getvalue()
        assert len(it.sandbox.requests()) == sent
        # The push has told the warehouse.
        assert query(it.warehouse, "select destination, is_on, why from activation.switches") == [
            ("all", False, "wrong scores")
        ]
        switch(it.warehouse, "on", "all", None, "mended")
        it.push(sizes=SMALL)
        it.agree()


def test_a_switch_covers_its_destination_and_shop_alone(tmp_path: Path) -> None:
    with world(tmp_path, everybody(6)) as it:
        switch(it.warehouse, "off", "klaviyo", "hoshi", "their wish")
        report = it.push()
        off = {(c.destination, c.shop_id) for c in report.counts if c.action == "hold"}
        assert off == {("klaviyo", "hoshi")}
        assert not any(r.destination == "klaviyo" and r.shop_id == "hoshi"
                       for r in it.sandbox.requests())  # fmt: skip


def test_each_destination_and_shop_has_its_own_latest_turn(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    for destination, shop, is_on in [
        ("klaviyo", None, False), ("all", None, False), ("all", None, True),
        ("shopify", "hoshi", False), ("shopify", "hoshi", True), ("slack", "hoshi", False),
    ]:  # fmt: skip
        switches.turn(warehouse, destination, shop, is_on=is_on, why="x")
    turns = switches.read(warehouse)
    assert len({t.switch_id for t in turns}) == len(turns) == 6
    off = {(d, s) for d in ("klaviyo", "shopify", "slack") for s in ("aurelia", "hoshi")
           if switches.off(turns, d, s)}  # fmt: skip
    assert off == {("klaviyo", "aurelia"), ("klaviyo", "hoshi"), ("slack", "hoshi")}


def test_a_line_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(2))) as it:
        switches.file_of(it.warehouse).write_text('{"switch_id": 1, "dest')
        with pytest.raises(HealthError, match=r"Line 1 of .*switches\.jsonl is no switch"):
            it.push()
        assert it.sandbox.requests() == []


HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"


def test_the_switch_is_turned_while_another_process_holds_the_warehouse(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, people("shopify", "aurelia", range(2)))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        said = switch(warehouse, "off", "all", None, "wrong scores")
        assert "wrong scores" in said[0]
        assert f"held by process {holder.pid}" in said[-1]
        assert switches.off(switches.read(warehouse), "klaviyo", "aurelia")
    finally:
        holder.communicate(b"\n", timeout=30)
    assert query(warehouse, "select * from activation.switches") == []
    assert switch(warehouse, None, "all", None, None)[0].startswith("Off: everything")
    assert query(warehouse, "select is_on, why from activation.switches") == [
        (False, "wrong scores")
    ]


@pytest.mark.parametrize(
    ("turn", "destination", "shop", "why", "sentence"),
    [
        ("of", "all", None, "x", "on or off, not 'of'"),
        ("off", "all", None, " ", "Say why"),
        ("off", "klavio", None, "x", "no destination klavio"),
        ("off", "all", "hosh", "x", "no shop hosh: there are aurelia"),
    ],
)
def test_what_cannot_be_turned_is_a_sentence(
    tmp_path: Path, turn: str, destination: str, shop: str | None, why: str, sentence: str
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, people("shopify", "aurelia", range(2)))
    with pytest.raises(HealthError, match=sentence):
        switch(warehouse, turn, destination, shop, why)
    assert switches.read(warehouse) == []


def test_the_command_turns_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    duckdb.connect(str(warehouse)).close()
    monkeypatch.setenv("DUCKDB_PATH", str(warehouse))
    settings.cache_clear()
    try:
        run = CliRunner().invoke
        assert run(app, ["switch"]).exit_code == 0
        assert run(app, ["switch", "off", "shopify", "--why", "a wrong theme"]).exit_code == 0
        (turn,) = switches.read(warehouse)
        assert (turn.destination, turn.shop_id, turn.is_on) == ("shopify", None, False)
        assert run(app, ["switch", "off", "shopify"]).exit_code == 1
    finally:
        settings.cache_clear()
