"""Single calls: one profile each, answered at once. For a few profiles, as Klaviyo asks for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from orchestration.activate.klaviyo import client
from orchestration.activate.klaviyo.profiles import encoded, fields, too_large
from orchestration.activate.ledger import Answer, Refusal
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.sending import Sleep
from orchestration.settings import Connection
from orchestration.vendors import wire

PATH = "/api/profile-import"


def body(profile: bytes) -> bytes:
    """The request that writes one encoded profile."""
    return b'{"data":' + profile + b"}"


class Singles:
    """Writes single profiles of one shop's account. Close it when done."""

    def __init__(
        self,
        connection: Connection,
        sizes: Sizes,
        patience: wire.Patience,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._sizes = sizes
        self._api = client.Api(connection, patience, scopes="profiles:write", sleep=sleep)

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones counted each time."""
        return self._api.calls

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def fields(self, row: Row) -> list[str]:
        """The names of the properties that sending `row` writes."""
        return sorted(fields(row))

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """One row each."""
        return ([row] for row in rows)

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write each row; raises `wire.Stopped` when Klaviyo cannot be reached or refuses the key.

        There is a row to a batch, so nothing that was confirmed is lost by that.
        """
        answers = [(row, self._write(row)) for row in rows]
        return Answer(
            [row for row, refusal in answers if refusal is None],
            [refusal for _, refusal in answers if refusal is not None],
            None,
        )

    def _write(self, row: Row) -> Refusal | None:
        data = encoded(row)
        refusal = too_large(row, data, self._sizes)
        if refusal is not None:
            return refusal
        response = self._api.ask("import", "POST", PATH, limits=client.PROFILES, content=body(data))
        if response.status_code in (200, 201):
            return None
        if response.status_code not in (400, 404, 409, 413, 422):
            raise wire.Stopped(
                f"{self._api.who} answered {response.status_code} to a profile: "
                f"{wire.words(response)}"
            )
        errors = wire.as_object(response, self._api.who).get("errors") or [{}]
        first = errors[0]
        code = first.get("code")
        pointer = str((first.get("source") or {}).get("pointer") or "")
        return Refusal(
            row=row,
            message=str(first.get("detail") or first.get("title") or code or "no reason"),
            code=None if code is None else str(code),
            field=pointer.partition("/attributes/properties/")[2] or None,
        )
