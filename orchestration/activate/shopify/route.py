"""Which way is quicker, by calls or by bulk mutations: an estimate, made without asking anybody.

Calls are held up by points (a mutation costs 10) and by Shopify's time for each; a bulk mutation
costs one call however long its file is, and waits in a queue first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestration.activate.plan import Row, Sizes
from orchestration.activate.sending import Estimate
from orchestration.activate.shopify import bulk, calls
from orchestration.activate.shopify.writes import Part
from orchestration.vendors.pace import Bucket

CALLS = "calls"
BULK = "bulk mutations"

POINTS_A_MUTATION = 10

# The plan that most shops have: a bucket of 2,000 points, 100 of them back each second.
STANDARD = Bucket(2000.0, 2000.0, 100.0)

# A request there and back; what Shopify takes for each mutation in it, one after the other.
SECONDS_A_CALL = 0.3
SECONDS_A_MUTATION = 0.1

# Two minutes for staging, upload, Shopify's queue, looks and the result: for less work than that,
# calls are done before. Shopify publishes no speed; lines are taken to run no faster than the
# mutations of a call do, as they are the same mutations, so what a bulk run saves is the points.
SECONDS_A_BULK_RUN = 120.0
SECONDS_A_LINE = SECONDS_A_MUTATION


@dataclass
class Work:
    """What rows come to: requests and mutations by calls, lines of each file by bulk mutations."""

    rows: int = 0
    calls: int = 0
    mutations: int = 0
    lines: Counter[Part] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        """How many batches of bulk mutations."""
        return math.ceil(self.rows / bulk.MOST_ROWS)


@dataclass(frozen=True)
class Choice(Estimate):
    """An estimate that knows what it was made from."""

    work: Work


def measured(rows: Iterable[Row], sizes: Sizes) -> Work:
    """What rows come to. A file of metafields is taken to be cut as calls are."""
    work = Work()
    for batch in calls.batches(rows, sizes):
        found = calls.calls(batch, sizes)
        work.rows += len(batch)
        work.calls += len(found)
        for call in found:
            work.mutations += call.mutations
            work.lines[Part.SET] += bool(call.sets)
            work.lines[Part.CLEAR] += bool(call.clears)
            work.lines.update(tagging.part for tagging in call.taggings)
    return work


def choose(work: Work, bucket: Bucket = STANDARD) -> Choice:
    """The quicker way for so much work, by the state of Shopify's bucket.

    `calls` of the bulk way are those that write: files staged, uploaded and run.
    """
    points = work.mutations * POINTS_A_MUTATION - bucket.available
    by_calls = max(
        points / max(bucket.restore_rate, 1.0),
        work.calls * SECONDS_A_CALL + work.mutations * SECONDS_A_MUTATION,
    )
    tags = work.lines[Part.UNTAG] + work.lines[Part.TAG]
    longest = max(work.lines[Part.SET], work.lines[Part.CLEAR], tags)
    by_bulk = work.runs * SECONDS_A_BULK_RUN + longest * SECONDS_A_LINE
    if by_calls <= by_bulk:
        return Choice(CALLS, work.calls, by_calls, work)
    return Choice(BULK, work.runs * bulk.writes_of(set(+work.lines)), by_bulk, work)
