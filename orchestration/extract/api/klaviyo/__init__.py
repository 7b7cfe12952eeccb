"""Klaviyo: profiles with their consent, and events with the name of their metric."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb

from orchestration.extract import conversions
from orchestration.extract.api import Report, loads, pages
from orchestration.extract.api.klaviyo.client import Api
from orchestration.extract.files import TableResult
from orchestration.settings import Connection
from orchestration.vendors import wire

OVERLAP = timedelta(hours=1)
PROFILES_A_PAGE = 100
EVENTS_A_PAGE = 1000

_PROFILE = """struct(
    id varchar,
    attributes struct(
        external_id varchar, email varchar, phone_number varchar, created varchar,
        updated varchar, location struct(timezone varchar), properties json,
        subscriptions struct(
            email struct(marketing struct(
                can_receive_email_marketing boolean,
                suppression struct(reason varchar, timestamp varchar)[]
            )),
            sms struct(marketing struct(can_receive_sms_marketing boolean))
        )
    )
)[]"""
_EVENT = """struct(
    id varchar,
    attributes struct(datetime varchar, event_properties json),
    relationships struct(
        profile struct(data struct(id varchar)), metric struct(data struct(id varchar))
    )
)[]"""
_METRIC = "struct(id varchar, attributes struct(name varchar))[]"


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
    """Bring profiles and events into the raw tables; see `orchestration.extract.api.Extract`."""
    conversions.create_macros(warehouse)
    api = Api(connection, patience or wire.Patience())
    try:
        run = _Run(api, shop_id, warehouse, moment, full, report)
        return [*run.profiles(), *run.events()]
    finally:
        api.close()


def cursor_in(link: str | None) -> str | None:
    """The cursor in the link to a following page."""
    if not link:
        return None
    return parse_qs(urlsplit(link).query).get("page[cursor]", [None])[0]


class _Run:
    """One extract of one shop."""

    def __init__(
        self,
        api: Api,
        shop_id: str,
        warehouse: duckdb.DuckDBPyConnection,
        moment: datetime,
        full: bool,
        report: Report,
    ) -> None:
        self._api = api
        self._shop = shop_id
        self._warehouse = warehouse
        self._moment = moment
        self._full = full
        self._report = report

    def profiles(self) -> list[TableResult]:
        stored = loads.cursor(self._warehouse, "klaviyo", self._shop, "profiles")
        start = pages.since(stored, OVERLAP, self._full)
        # In the order of change: what changes meanwhile comes again at the end.
        spool = self._fetch(
            "profiles",
            additional_fields_profile=["subscriptions"],
            page_size=PROFILES_A_PAGE,
            sort="updated",
            filter=None if start is None else f"greater-than(updated,{start.isoformat()}Z)",
        )
        source = f"select unnest(data) as p from {spool.relation({'data': _PROFILE})}"
        return self._land(
            "profiles",
            spool,
            f"""
                select
                    p.id as profile_id,
                    p.attributes.external_id as external_id,
                    p.attributes.email as email,
                    p.attributes.phone_number as phone,
                    p.attributes.created as created_at,
                    p.attributes.updated as updated_at,
                    p.attributes.subscriptions.email.marketing.can_receive_email_marketing
                        as can_receive_email_marketing,
                    p.attributes.subscriptions.sms.marketing.can_receive_sms_marketing
                        as can_receive_sms_marketing,
                    -- Since when: of several reasons the first.
                    list_min(list_transform(
                        p.attributes.subscriptions.email.marketing.suppression,
                        lambda s : s.timestamp
                    )) as email_suppressed_at,
                    p.attributes.location.timezone as timezone,
                    p.attributes.properties as properties
                from ({source})
            """,
            pages.next_cursor(
                self._warehouse, f"select p.attributes.updated from ({source})", spool, stored
            ),
            spool.told(self._warehouse, "profiles", source),
        )

    def events(self) -> list[TableResult]:
        stored = loads.cursor(self._warehouse, "klaviyo", self._shop, "events")
        start = pages.since(stored, OVERLAP, self._full)
        spool = self._fetch(
            "events",
            include=["metric"],
            fields_metric=["name"],
            page_size=EVENTS_A_PAGE,
            sort="datetime",
            filter=None if start is None else f"greater-or-equal(datetime,{start.isoformat()}Z)",
        )
        answers = spool.relation({"data": _EVENT, "included": _METRIC})
        source = f"select unnest(data) as e from {answers}"
        named = f"""
            with metrics as (
                select i.id, max(i.attributes.name) as name
                from (select unnest(included) as i from {answers})
                group by i.id
            )

            select
                e.id as event_id,
                e.relationships.profile.data.id as profile_id,
                metrics.name as metric_name,
                json_extract_string(e.attributes.event_properties, '$."$event_id"') as unique_id,
                e.attributes.datetime as occurred_at,
                json_extract_string(e.attributes.event_properties, '$."$value"') as value,
                -- The two are columns of their own.
                case when e.attributes.event_properties is not null then json_merge_patch(
                    e.attributes.event_properties, '{{"$event_id": null, "$value": null}}'
                ) end as properties
            from ({source})
            left join metrics on e.relationships.metric.data.id = metrics.id
        """
        told = spool.told(self._warehouse, "events", source)
        unnamed = f"""
            select count(*) from ({source})
            where e.relationships.metric.data.id not in (
                select i.id from (select unnest(included) as i from {answers})
                where i.attributes.name is not null
            )
        """
        told.append(
            loads.Told("events of an unnamed metric", 0, pages.found(self._warehouse, unnamed))
        )
        times = f"select e.attributes.datetime from ({source})"
        return self._land(
            "events", spool, named, pages.next_cursor(self._warehouse, times, spool, stored), told
        )

    def _fetch(self, stream: str, **arguments: Any) -> pages.Spool:
        api = self._api
        folder = loads.spool_folder(
            loads.warehouse_path(self._warehouse), "klaviyo", self._shop, stream
        )
        spool = pages.Spool(folder)
        pages.fetch(
            api.who,
            spool,
            lambda cursor: api.ask(stream, page_cursor=cursor, **arguments),
            lambda answer: pages.Page(
                len(pages.objects_of(answer, "data", api.who)),
                cursor_in((answer.get("links") or {}).get("next")),
            ),
            lambda response: api.refusal(stream, response),
            patience=api.patience,
            report=self._report,
            what=stream,
        )
        return spool

    def _land(
        self,
        stream: str,
        spool: pages.Spool,
        select: str,
        cursor: str | None,
        told: list[loads.Told],
    ) -> list[TableResult]:
        return loads.land(
            self._warehouse,
            source="klaviyo",
            shop_id=self._shop,
            stream=stream,
            selects={stream: select},
            told=told,
            cursor=cursor,
            moment=self._moment,
        )
