"""Writing by bulk mutations: a file of variables for each kind of write, run by Shopify itself.

Metafields are set, cleared and tags taken away side by side; tags are added once those that go are
gone, so that no two runs change one customer's tags at the same time. A batch of the ledger is one
round of such runs. What a result leaves open is sent again by calls: the neighbours of a customer
who was refused, and lines that a result lacks.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.activate.ledger import RUN_AGAIN, Answer
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.shopify import calls, documents, upload
from orchestration.activate.shopify.begin import wait
from orchestration.activate.shopify.calls import Call, CallRoute
from orchestration.activate.shopify.standing import Standing
from orchestration.activate.shopify.writes import (
    Part,
    Tagging,
    Write,
    clear_input,
    owner,
    set_input,
    writes,
)
from orchestration.vendors import bulk, pace, wire
from orchestration.vendors.download import download
from orchestration.vendors.shopify import AdminApi

# A run is a batch of the ledger: so many rows are held in memory, and sent again after a crash.
MOST_ROWS = 50_000

# Shopify takes 100 MB a file; a little is left for what it may count otherwise.
MOST_BYTES = 95_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: metafields of several customers, or the tags of one."""

    writes: Sequence[Write] = ()
    tagging: Tagging | None = None

    @property
    def rows(self) -> list[Row]:
        """The rows that it writes of, some of them more than once."""
        if self.tagging is not None:
            return [self.tagging.row]
        return [write.row for write in self.writes]

    def encoded(self) -> bytes:
        """The variables of its mutation as JSON."""
        variables: dict[str, Any]
        if self.tagging is not None:
            variables = {"id": owner(self.tagging.row), "tags": list(self.tagging.tags)}
        elif self.writes[0].value is None:
            variables = {"clear": [clear_input(write) for write in self.writes]}
        else:
            variables = {"set": [set_input(write) for write in self.writes]}
        return _encode(variables)


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _encode(value: Any) -> bytes:
    return _encoder.encode(value).encode()


def writes_of(files: Collection[Part]) -> int:
    """The calls of a round with these files: staged, uploaded and run."""
    rounds = 1 + ({Part.UNTAG, Part.TAG} <= set(files))
    return rounds + 2 * len(files)


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in order, as many as one round takes: none of its files is larger than Shopify takes."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        # Each is at most what it takes in a line of its own.
        its = sum(len(_encode(set_input(write))) + 12 for write in writes(row).sets)
        if batch and (len(batch) >= MOST_ROWS or size + its > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += its
    if batch:
        yield batch


def lines(rows: Iterable[Row], sizes: Sizes) -> dict[Part, list[Line]]:
    """The files of a round, those that have no line left out."""
    found: dict[Part, list[Line]] = {part: [] for part in Part}
    open_lines: dict[Part, list[Write]] = {Part.SET: [], Part.CLEAR: []}
    most = sizes.metafields_per_call

    def close(part: Part) -> None:
        for start in range(0, len(open_lines[part]), most):
            found[part].append(Line(writes=open_lines[part][start : start + most]))
        open_lines[part] = []

    for row in rows:
        own = writes(row)
        for part, its in ((Part.SET, own.sets), (Part.CLEAR, own.clears)):
            if len(open_lines[part]) + len(its) > most:
                close(part)
            open_lines[part] += its
        for tagging in own.taggings:
            found[tagging.part].append(Line(tagging=tagging))
    close(Part.SET)
    close(Part.CLEAR)
    return {part: its for part, its in found.items() if its}


class BulkRoute:
    """Sends rounds of bulk mutations."""

    def __init__(
        self,
        api: AdminApi,
        sizes: Sizes,
        patience: wire.Patience,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._sizes = sizes
        self._patience = patience
        self._sleep = sleep
        self.uploads = 0

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write one batch.

        When an operation did not complete, what it answered for is confirmed, the rest is
        unanswered and the sender stops. Raises `wire.Stopped` when nothing of the batch is known.
        """
        found = _Round(lines(rows, self._sizes), Standing(rows))
        running = self._start(found, [p for p in Part if p is not Part.TAG])
        if Part.UNTAG in running:
            self._finish(found, Part.UNTAG, running.pop(Part.UNTAG))
        if found.stopped is None:
            running |= self._start(found, [Part.TAG])
        for part, operation in running.items():
            self._finish(found, part, operation)
        if found.stopped is None:
            by_calls = CallRoute(self._api, self._sizes)
            for call in found.again(by_calls.most_taggings):
                by_calls.send_call(call, found.standing)
        else:
            found.give_up()
        return found.standing.answer(" ".join(found.operations), found.stopped)

    def _start(self, found: _Round, parts: Iterable[Part]) -> dict[Part, bulk.Operation]:
        """Upload the files of these parts, as far as there are any, and run them."""
        wanted = [part for part in parts if part in found.files]
        if not wanted:
            return {}
        begun = {}
        # Without a name in the file system: it is gone when this process is.
        targets = upload.stage(self._api, [f"{part}.jsonl" for part in wanted])
        for part, target in zip(wanted, targets, strict=True):
            with tempfile.TemporaryFile() as file:
                for line in found.files[part]:
                    file.write(line.encoded() + b"\n")
                self.uploads += upload.send(target, file, self._api.who, self._patience)
            begun[part] = self._run(part, target.path)
            found.operations.append(begun[part].id.rpartition("/")[2])
        return begun

    def _run(self, part: Part, path: str) -> bulk.Operation:
        patience = self._patience
        variables = {"mutation": documents.BULK[part], "path": path}
        node, errors = bulk.begin(
            self._api,
            {"query": documents.RUN, "variables": variables},
            "bulkOperationRunMutation",
            pace.polls(patience.first_poll, patience.longest_poll, patience.bulk),
            self._sleep,
        )
        if errors:
            said = "; ".join(str(error.get("message")) for error in errors)
            raise wire.Stopped(
                f"{self._api.who} would not run the bulk mutation {part}: {said} {RUN_AGAIN}"
            )
        return bulk.operation_of(node)

    def _finish(self, found: _Round, part: Part, operation: bulk.Operation) -> None:
        """Wait for an operation and take down what its result says of each line."""
        operation = wait(self._api, operation, self._patience, self._sleep)
        url = operation.url or operation.partial_url
        if url:
            with tempfile.TemporaryDirectory(prefix="health-push-") as folder:
                target = Path(folder) / "result.jsonl"
                download(
                    url,
                    target,
                    operation.size if operation.url else None,
                    who=self._api.who,
                    patience=self._patience,
                    sleep=self._sleep,
                    advice=RUN_AGAIN,
                )
                found.read(part, target, self._api.who)
        if operation.status != "COMPLETED" and found.stopped is None:
            reason = f" ({operation.error})" if operation.error else ""
            found.stopped = (
                f"{self._api.who} ended the bulk mutation {part} as {operation.status}{reason}. "
                f"{RUN_AGAIN}"
            )


class _Round:
    """The files of one batch and what has become of their lines."""

    def __init__(self, files: Mapping[Part, Sequence[Line]], standing: Standing) -> None:
        self.files = files
        self.standing = standing
        self.operations: list[str] = []
        self.stopped: str | None = None
        self._open = {part: dict(enumerate(its)) for part, its in files.items()}

    def read(self, part: Part, result: Path, who: str) -> None:
        """Take down a result: JSON lines in any order, numbered from 0 by the line they answer."""
        with result.open("rb") as file:
            for text in file:
                if text.strip():
                    said = json.loads(text)
                    self._line(part, int(said["__lineNumber"]), said, who)

    def _line(self, part: Part, number: int, said: Mapping[str, Any], who: str) -> None:
        if not 0 <= number < len(self.files[part]):
            raise wire.Stopped(
                f"{who} answered for line {number} of a bulk mutation {part} of "
                f"{len(self.files[part])} lines, so no line of it can be told. {RUN_AGAIN}"
            )
        line = self.files[part][number]
        payload = (said.get("data") or {}).get(part)
        if payload is None:
            # The mutation itself broke: by calls it is done, or says why not.
            return
        left = self._judged(line, payload)
        if left is None:
            self._open[part].pop(number, None)
        else:
            self._open[part][number] = left

    def _judged(self, line: Line, payload: Mapping[str, Any]) -> Line | None:
        """What of a line has to be sent again."""
        if line.tagging is not None:
            calls.judge_tags(line.tagging, payload, self.standing)
            return None
        errors = payload.get("userErrors") or []
        if not errors:
            for row in calls.changed_rows(line.writes, payload):
                self.standing.take(row)
            return None
        refused = calls.refusals(errors, line.writes)
        for refusal in refused.values():
            self.standing.refuse(refusal)
        left = [write for write in line.writes if write.row.object_id not in refused]
        return Line(writes=left) if left else None

    def again(self, most_taggings: int) -> Iterator[Call]:
        """The calls for what is open."""
        for line in self._open.get(Part.SET, {}).values():
            yield Call(sets=line.writes)
        for line in self._open.get(Part.CLEAR, {}).values():
            yield Call(clears=line.writes)
        for part in (Part.UNTAG, Part.TAG):
            found = [line.tagging for line in self._open.get(part, {}).values() if line.tagging]
            for start in range(0, len(found), most_taggings):
                yield Call(taggings=found[start : start + most_taggings])

    def give_up(self) -> None:
        """Say of all that is open that nobody knows."""
        for lines_left in self._open.values():
            for line in lines_left.values():
                for row in line.rows:
                    self.standing.lose(row)
