"""Zigpoll: answers to surveys, with the question of their slide and the participant's address.

Answers name neither: questions are titles of slides, and addresses stand in a list of their own
that people may enter long after they answered. Both lists are read whole each time, and stored
answers without an address get the one that came since.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx

from orchestration.extract import conversions
from orchestration.extract.api import Report, loads, pages
from orchestration.extract.files import TableResult
from orchestration.extract.landing import literal
from orchestration.settings import Connection
from orchestration.vendors import wire

OVERLAP = timedelta(hours=1)
OBJECTS_A_PAGE = 1000

CUSTOMER_ID = "shopify_customer_id"
ORDER_ID = "shopify_order_id"
"""What an answer's metadata calls the Shopify ids."""

_RESPONSE = """struct(
    _id varchar, createdAt varchar, pollId varchar, slideId varchar, participantId varchar,
    response varchar, valueType varchar, metadata json
)[]"""
_SLIDE = '{"_id": "varchar", "title": "varchar"}'
_EMAIL = "struct(createdAt varchar, participantId varchar, email varchar)[]"


def extract(
    connection: Connection,
    shop_id: str,
    warehouse: duckdb.DuckDBPyConnection,
    moment: datetime,
    full: bool,
    report: Report,
    *,
    patience: wire.Patience | None = None,
) -> list[TableResult]:
    """Bring answers into the raw table; see `orchestration.extract.api.Extract`."""
    conversions.create_macros(warehouse)
    stored = loads.cursor(warehouse, "zigpoll", shop_id, "responses")
    start = pages.since(stored, OVERLAP, full)
    api = Api(connection, patience or wire.Patience())
    try:
        spools = _fetch(api, shop_id, loads.warehouse_path(warehouse), start, report)
    finally:
        api.close()
    selects = _Selects(spools)
    told = [
        fact
        for stream, spool in spools.items()
        for fact in spool.told(warehouse, stream, selects.objects(stream))
    ]
    undated = f"select count(*) from ({selects.times()}) as a (t) where landed_timestamp(t) is null"
    told.append(loads.Told("answers without a time", 0, pages.found(warehouse, undated)))
    nowhere = pages.found(warehouse, selects.without_slide())
    results = loads.land(
        warehouse,
        source="zigpoll",
        shop_id=shop_id,
        stream="responses",
        selects={"responses": selects.responses(shop_id)},
        told=told,
        cursor=pages.next_cursor(warehouse, selects.times(), spools["responses"], stored),
        moment=moment,
    )
    if nowhere:
        note = f"{nowhere:,} answers are to slides that Zigpoll no longer has."
        results = [replace(result, note=note) for result in results]
    return results


class Api:
    """The lists of one key's account. Close it when done.

    `advice` ends the sentence about a Zigpoll that does not answer.
    """

    def __init__(
        self, connection: Connection, patience: wire.Patience, *, advice: str = pages.ADVICE
    ) -> None:
        self.who = f"Zigpoll (shop {connection.shop_id})"
        self.patience = patience
        self._advice = advice
        self._connection = connection
        # The bare key: Zigpoll takes no scheme before it.
        self._client = wire.client(
            connection, patience, {"Authorization": connection.secret.get_secret_value()}
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, path: str, **arguments: str | int) -> httpx.Response:
        """One answer."""
        return self._client.get(f"{self._connection.url}/{path}", params=arguments)

    def refusal(self, response: httpx.Response) -> str:
        """The sentence about an answer other than 200."""
        if response.status_code in (401, 403, 422):
            return (
                f"{self.who} refused the key ({response.status_code}). Put a private key "
                f"(Zigpoll: Integrations, Private Keys) into {self._connection.variable}."
            )
        return (
            f"{self.who} answered {response.status_code}: check the address in "
            f"HEALTH_ZIGPOLL_URL. Zigpoll said: {pages.said(response, self._connection)}"
        )

    def listed(self, path: str, **arguments: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
        """An answer that is a bare list, and what is in it. Raises `wire.Stopped`."""
        response = pages.answered(
            self.who, self.patience, lambda _: self.ask(path, **arguments), advice=self._advice
        )
        if response.status_code != 200:
            raise wire.Stopped(self.refusal(response))
        try:
            found: Any = response.json()
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(o, dict) for o in found):
            raise wire.Stopped(
                f"{self.who} did not answer with a list of {path}: check the address in "
                "HEALTH_ZIGPOLL_URL."
            )
        return response, found

    def account(self) -> str:
        """The id of the account that the key opens.

        Raises `wire.Stopped` when it opens none, or several: answers of several shops would mix.
        """
        _, accounts = self.listed("accounts")
        if len(accounts) != 1:
            raise wire.Stopped(
                f"The key in {self._connection.variable} opens {len(accounts)} Zigpoll accounts; "
                "one is wanted. Make a key of the user who has this shop's account alone."
            )
        return str(accounts[0].get("_id"))


def _fetch(
    api: Api, shop_id: str, warehouse: Path, start: datetime | None, report: Report
) -> dict[str, pages.Spool]:
    """The spools of `responses`, `emails` and `slides`, filled."""
    account = api.account()
    spools = {
        stream: pages.Spool(loads.spool_folder(warehouse, "zigpoll", shop_id, stream))
        for stream in ("responses", "emails", "slides")
    }
    newer = {} if start is None else {"createdAfter": _milliseconds(start)}
    _fetch_pages(api, "responses", spools["responses"], report, accountId=account, **newer)
    _fetch_pages(api, "emails", spools["emails"], report, accountId=account)
    for poll in api.listed("polls", accountId=account)[1]:
        response, slides = api.listed("slides", pollId=str(poll.get("_id")))
        spools["slides"].keep(response, len(slides))
        report(f"slides: {spools['slides'].objects:,}")
    return spools


def _fetch_pages(
    api: Api, stream: str, spool: pages.Spool, report: Report, **arguments: str | int
) -> None:
    def ask(cursor: str | None) -> httpx.Response:
        at = {} if cursor is None else {"startCursor": cursor}
        return api.ask(stream, limit=OBJECTS_A_PAGE, **arguments, **at)

    pages.fetch(
        api.who,
        spool,
        ask,
        lambda answer: _page(answer, api.who),
        api.refusal,
        patience=api.patience,
        report=report,
        what=stream,
    )


def _page(answer: dict[str, Any], who: str) -> pages.Page:
    following = str(answer.get("endCursor") or "") if answer.get("hasNextPage") else None
    if following == "":
        raise wire.Stopped(f"{who} says that there is a next page and not where. {pages.ADVICE}")
    return pages.Page(len(pages.objects_of(answer, "data", who)), following)


def _milliseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


class _Selects:
    """What the answers mean, as SQL."""

    def __init__(self, spools: dict[str, pages.Spool]) -> None:
        self._spools = spools

    def objects(self, stream: str) -> str:
        """The objects of a stream, one a row, in the column `o`."""
        spool = self._spools[stream]
        if stream == "slides":
            return spool.listed(_SLIDE)
        kind = {"responses": _RESPONSE, "emails": _EMAIL}[stream]
        return f"select unnest(data) as o from {spool.relation({'data': kind})}"

    def times(self) -> str:
        """When each answer was given, as text."""
        return f"select o.createdAt from ({self.objects('responses')})"

    def without_slide(self) -> str:
        """How many answers name a slide that is not listed."""
        return f"""
            select count(*) from ({self.objects("responses")}) as r
            anti join ({self.objects("slides")}) as s on r.o.slideId = s.o._id
        """

    def _addresses(self) -> str:
        """The address that each participant gave last."""
        return f"""
            select o.participantId as participant_id, arg_max(o.email, o.createdAt) as email
            from ({self.objects("emails")})
            where o.email <> ''
            group by o.participantId
        """

    def responses(self, shop_id: str) -> str:
        """The rows of raw_zigpoll.responses: what came, and what got an address since."""
        return f"""
            with stored as (
                select * exclude (shop_id, _loaded_at)
                from raw_zigpoll.responses
                where shop_id = {literal(shop_id)}
            ),

            addresses as ({self._addresses()}),

            slides as (
                select o._id as slide_id, max(o.title) as question
                from ({self.objects("slides")})
                group by o._id
            ),

            came as (
                select
                    o._id as response_id,
                    o.pollId as poll_id,
                    o.slideId as slide_id,
                    -- A slide that is deleted takes its title along; it was landed before.
                    coalesce(slides.question, known.question) as question,
                    o.response as answer,
                    o.valueType as value_type,
                    o.participantId as participant_id,
                    landed_id(o.metadata ->> {literal(CUSTOMER_ID)}) as customer_id,
                    addresses.email,
                    landed_id(o.metadata ->> {literal(ORDER_ID)}) as order_id,
                    landed_timestamp(o.createdAt) as created_at
                from ({self.objects("responses")})
                left join slides on o.slideId = slides.slide_id
                left join addresses on o.participantId = addresses.participant_id
                left join stored as known on o._id = known.response_id
            ),

            addressed_since as (
                select stored.* replace (addresses.email as email)
                from stored
                inner join addresses on stored.participant_id = addresses.participant_id
                anti join came on stored.response_id = came.response_id
                where stored.email is null
            )

            from came union all by name from addressed_since
        """
