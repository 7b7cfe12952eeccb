"""Raw tables from the vendors' own APIs: one module a vendor, one way for all to land.

Each module offers `extract` with the signature of `Extract`. Modules are named here and imported
when they are used, so that one vendor's library costs nothing while another is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

import duckdb

from orchestration.extract.files import TableResult
from orchestration.settings import Connection
from orchestration.vendors.wire import Patience

Report = Callable[[str], None]
"""Takes one line on how far an extract has come, such as `orders: 12,000 of 40,000`."""


class Extract(Protocol):
    """Brings what is new of one shop at one vendor into the raw tables."""

    def __call__(
        self,
        connection: Connection,
        shop_id: str,
        warehouse: duckdb.DuckDBPyConnection,
        moment: datetime,
        full: bool,
        report: Report,
        *,
        patience: Patience | None = None,
    ) -> list[TableResult]:
        """One result a raw table.

        `moment` (naive UTC) becomes `_loaded_at`; `full` asks for everything again instead of
        what changed since the stored cursors; `patience` None is the source's own. Raises
        `HealthError` when the vendor cannot be read; what landed before stays.
        """


EXTRACTORS = {
    "shopify": "orchestration.extract.api.shopify",
    "klaviyo": "orchestration.extract.api.klaviyo",
    "zigpoll": "orchestration.extract.api.zigpoll",
    "postscript": "orchestration.extract.api.postscript",
}


def extractor(source: str) -> Extract:
    """The `extract` of a source of EXTRACTORS."""
    return cast(Extract, import_module(EXTRACTORS[source]).extract)
