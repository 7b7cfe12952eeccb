"""What is recorded of a batch: confirmed, refused, or still in doubt; and what is cleared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from push_warehouse import confirmed, people, query, write_desired
from push_world import everybody, world

from orchestration.activate import push as pushing
from orchestration.activate.destinations import VENDORS
from orchestration.activate.ledger import Answer, Refusal
from orchestration.activate.plan import Row
from orchestration.activate.push import PushStopped
from orchestration.activate.sending import Estimate

NOTES = "select object_id from activation.in_flight order by all"


class Broken:
    """A vendor, and its sender, that takes one batch and answers it halfway."""

    calls = 1

    def estimate(self, rows: Iterable[Row], sizes: object) -> Estimate:
        return Estimate("one file", len(list(rows)), 1)

    def open_sender(self, *_: object, **__: object) -> Broken:
        return self

    def fields(self, row: Row) -> list[str]:
        return sorted(row.payload)

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        yield list(rows)

    def send(self, rows: Sequence[Row]) -> Answer:
        # Two confirmed, one refused after a part of it was written, one without a word.
        refused = [Refusal(rows[2], "Too many tags.")]
        return Answer(rows[:2], refused, "r", unanswered=rows[2:], stopped="The file ended early.")

    def close(self) -> None:
        pass


def test_a_batch_may_leave_rows_in_doubt_and_end_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, people("shopify", "aurelia", range(4))) as it:
        objects = sorted(key[2] for key in it.desired)
        with monkeypatch.context() as patch:
            patch.setitem(VENDORS, "shopify", Broken())  # type: ignore[arg-type]
            with pytest.raises(PushStopped, match=r"The file ended early\.") as stop:
                it.push()
        assert (stop.value.report.confirmed, stop.value.report.refused) == (2, 1)
        assert sorted(key[2] for key in confirmed(it.warehouse)) == objects[:2]
        assert query(it.warehouse, NOTES) == [(objects[2],), (objects[3],)]
        # The one without a word is sent again; the refused one waits, and its note stays.
        counted = {(c.action, c.reason): c.rows for c in it.push(apply=False).counts}
        assert counted == {("send", "new"): 1, ("hold", "refused, waits"): 1}
        it.push()
        assert query(it.warehouse, NOTES) == [(objects[2],)]


def test_what_is_no_longer_desired_is_cleared_once(tmp_path: Path) -> None:
    with world(tmp_path, everybody(8)) as it:
        it.push()
        gone = [key for key in it.desired if key[1] == "hoshi"]
        for key in gone:
            del it.desired[key]
        write_desired(it.warehouse, it.desired)
        report = it.push()
        assert {(c.action, c.reason, c.rows) for c in report.counts} == {
            ("clear", "no longer scored", 4)
        }
        assert report.to_send == report.confirmed == len(gone)
        assert {key[1] for key in it.sandbox.records()} == {"aurelia"}
        holds = confirmed(it.warehouse)
        assert all(holds[key] == {} for key in gone)
        seen = len(it.sandbox.requests())
        assert it.push().counts == []
        assert len(it.sandbox.requests()) == seen


def test_rows_that_need_no_call_are_recorded_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "_RECORDED_AT_ONCE", 3)
    with world(tmp_path, people("shopify", "aurelia", range(8))) as it:
        it.push()
        for fields in it.desired.values():
            fields["later"] = None
        write_desired(it.warehouse, it.desired)
        seen = len(it.sandbox.requests())
        assert it.push().confirmed == 8
        assert len(it.sandbox.requests()) == seen
        it.agree()
