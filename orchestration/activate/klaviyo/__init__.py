"""Klaviyo: profile properties, by bulk import job or, for a few profiles, by single calls.

Profiles are named by Klaviyo's own id and nothing else. An email or external id in the request
would be written to the profile (perhaps an outdated one), could create a profile that was deleted
on purpose, and lets one malformed address reject a whole job. List and subscription endpoints are
never called: a push changes properties, not consent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import chain, islice

from orchestration.activate.klaviyo.client import JOBS, PROFILES, REVISION, Api
from orchestration.activate.klaviyo.jobs import Klaviyo, batches, body, refusals
from orchestration.activate.klaviyo.profiles import encoded, fields, profile
from orchestration.activate.klaviyo.singles import Singles
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.sending import Estimate, Sender, Sleep
from orchestration.settings import Connection
from orchestration.vendors.wire import Patience

__all__ = [
    "BY_JOB",
    "MOST_SINGLE",
    "ONE_BY_ONE",
    "PROFILES",
    "REVISION",
    "Api",
    "Klaviyo",
    "Singles",
    "batches",
    "body",
    "encoded",
    "estimate",
    "fields",
    "open_sender",
    "profile",
    "refusals",
]

BY_JOB = "import jobs"
ONE_BY_ONE = "single calls"

# A job is one call and, as Klaviyo takes a few seconds over the smallest one, four looks at it or
# more: so many single calls are no more calls than that, and are through within a second.
MOST_SINGLE = 5


def estimate(rows: Iterable[Row], sizes: Sizes) -> Estimate:
    """What sending all of these rows of one shop takes; calls nobody."""
    left = iter(rows)
    first = list(islice(left, MOST_SINGLE + 1))
    if len(first) <= MOST_SINGLE:
        most, window = PROFILES[0]
        return Estimate(ONE_BY_ONE, len(first), len(first) * window / most)
    jobs = sum(1 for _ in batches(chain(first, left), sizes))
    most, window = JOBS[-1]
    return Estimate(BY_JOB, jobs, jobs * window / most)


def open_sender(
    connection: Connection,
    sizes: Sizes,
    patience: Patience,
    estimate: Estimate,
    *,
    sleep: Sleep = time.sleep,
) -> Sender:
    """A sender that goes the way of the estimate."""
    if estimate.route == ONE_BY_ONE:
        return Singles(connection, sizes, patience, sleep=sleep)
    return Klaviyo(connection, sizes, patience, sleep=sleep)
