"""Who a person is: every identifier under which anything of them is kept.

Read from the raw tables and from the earlier versions of their rows, not from the models: an
address that was replaced a year ago is theirs as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.errors import HealthError
from orchestration.extract import earlier
from orchestration.extract.contract import Table, tables
from orchestration.extract.forgotten import is_weak, normal, quoted
from orchestration.operate.explain import find_customer

ADDRESSES = ("email", "phone")
# Identifiers that a key may be made of.
_KEYED = {"customer": "", "profile": "profile:", "subscriber": "subscriber:"}
# What is shorter might be any number: it is looked for with its shop before it, and by column.
SHORTEST_ALONE = 6


@dataclass(frozen=True)
class Person:
    """One person in one shop: normal identifiers by kind, and every key they ever had.

    `shared` are addresses that somebody else bears too; they stay with them and say nothing of
    this person alone. `elsewhere` are addresses that another shop knows too: there they
    are another customer, of whom nothing is touched.
    """

    shop_id: str
    ids: Mapping[str, frozenset[str]]
    shared: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        """Every customer_key that these identifiers make."""
        made = {
            f"{self.shop_id}:{prefix}{value}"
            for kind, prefix in _KEYED.items()
            for value in self.ids.get(kind, ())
        }
        return frozenset(
            made
            | {f"{self.shop_id}:email:{_hash(email)[:16]}" for email in self.addresses("email")}
        )

    def addresses(self, kind: str) -> list[str]:
        """E-mails or phones, in order."""
        return sorted(self.ids.get(kind, ()))

    @property
    def traces(self) -> list[str]:
        """What says of a text that it speaks of this person, in lower case and in order."""
        alone = {
            value
            for kind in ("customer", "profile", "subscriber", "participant")
            for value in self.ids.get(kind, ())
            if len(value) >= SHORTEST_ALONE
        }
        # Keys have 16 digits of an e-mail's hash, audiences for ads whole hashes of either.
        hashed = {*self.addresses("email"), *self.addresses("phone")}
        hashed |= {phone.removeprefix("+") for phone in self.addresses("phone")}
        hashes = {_hash(text) for text in hashed} | {
            _hash(email)[:16] for email in self.addresses("email")
        }
        addresses = {*self.addresses("email"), *self.addresses("phone")}
        return sorted(text.lower() for text in {*self.keys, *addresses, *hashes, *alone})

    @property
    def names(self) -> frozenset[str]:
        """The addresses themselves, which no file may hold anywhere, freed blocks included."""
        own = {*self.addresses("email"), *self.addresses("phone")}
        return frozenset(own - self.elsewhere)

    @property
    def pattern(self) -> str:
        """A regular expression (RE2, lower case) that finds a trace, whole words only."""
        return "|".join(
            ("" if text[0] == "+" else r"\b") + re.escape(text) + r"\b" for text in self.traces
        )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def find(connection: duckdb.DuckDBPyConnection, text: str) -> Person:
    """The person somebody meant, as `health explain` takes them.

    Raises `HealthError` when nothing was built, and when nobody or more than one customer fits.
    """
    built = connection.execute(
        "select count(*) from information_schema.tables where table_schema || '.' || table_name "
        "in ('marts.customers', 'intermediate.int_profiles', 'intermediate.int_customer_ids', "
        "'intermediate.int_customer_contacts')"
    ).fetchone()
    if not built or built[0] < 4:
        raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
    return of_key(connection, find_customer(connection, text))


def of_text(shop_id: str, text: str) -> Person:
    """What an identifier alone says of a person of whom nothing else is kept."""
    said = text.strip().removeprefix(f"{shop_id}:")
    kind, _, value = said.partition(":")
    if kind in ("profile", "subscriber") and value:
        return Person(shop_id, {kind: frozenset({value})})
    if "@" in said:
        return Person(shop_id, {"email": frozenset({said.lower()})})
    return Person(shop_id, {k: frozenset({said}) for k in ("customer", "profile")})


def of_key(connection: duckdb.DuckDBPyConnection, key: str) -> Person:
    """The person behind a customer_key: all that the raw tables tie to it."""
    shop_id, _, rest = key.partition(":")
    kind, _, value = rest.partition(":")
    relations = list(raw_relations(connection))
    known: dict[str, set[str]] = {k: set() for k in (*_KEYED, *ADDRESSES)}
    if kind == "email" and value:
        known["email"] = _emails_of_hash(connection, relations, shop_id, value)
    elif kind in ("profile", "subscriber") and value:
        known[kind] = {value}
    else:
        known["customer"] = _merged(connection, shop_id, rest)
    shared: set[str] = set()
    _keep_own(connection, relations, shop_id, known, {k: set(known[k]) for k in ADDRESSES}, shared)
    if not any(known.values()):
        raise HealthError(f"{key} is an address that several customers share: name one of them.")
    while True:
        before = sum(map(len, known.values()))
        for table, relation in relations:
            found = _learned(connection, table, relation, shop_id, known)
            _keep_own(connection, relations, shop_id, known, found, shared)
        if sum(map(len, known.values())) == before:
            break
    ids = {k: frozenset(v) for k, v in known.items() if v}
    return Person(shop_id, ids, frozenset(shared), _elsewhere(connection, relations, shop_id, ids))


def _keep_own(
    connection: duckdb.DuckDBPyConnection,
    relations: Sequence[tuple[Table, str]],
    shop_id: str,
    known: dict[str, set[str]],
    found: Mapping[str, set[str]],
    shared: set[str],
) -> None:
    """Add what was found to what is known, but for what another customer bears as well."""
    new = {kind: found[kind] - known.get(kind, set()) - shared for kind in found}
    for kind in (*ADDRESSES, "participant"):
        # What the search began with is judged like the rest.
        asked = found.get(kind, set()) - shared
        if asked:
            borne = _borne_by_others(connection, relations, shop_id, kind, asked, known)
            shared |= borne
            new[kind] = asked - borne
            known[kind] = known.get(kind, set()) - borne
    for kind, values in new.items():
        known.setdefault(kind, set()).update(values)


def raw_relations(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Table, str]]:
    """Every raw table of people, and the table of earlier versions beside it, where they are."""
    there = set(
        connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = current_database()"
        ).fetchall()
    )
    for table in tables().values():
        if not table.forget.ids:
            continue
        if (table.schema, table.name) in there:
            yield table, f"{table.schema}.{quoted(table.name)}"
        if (table.schema, f"_earlier_{table.name}") in there:
            yield table, earlier.relation(table)


def _merged(connection: duckdb.DuckDBPyConnection, shop_id: str, survivor: str) -> set[str]:
    """The ids of a customer and of all who were merged into them."""
    found = connection.execute(
        "select customer_id from intermediate.int_customer_ids "
        "where shop_id = $shop and customer_key = $key",
        {"shop": shop_id, "key": f"{shop_id}:{survivor}"},
    ).fetchall()
    return {survivor, *(str(one) for (one,) in found)}


def _emails_of_hash(
    connection: duckdb.DuckDBPyConnection,
    relations: Sequence[tuple[Table, str]],
    shop_id: str,
    start: str,
) -> set[str]:
    """The addresses whose SHA-256 begins so: what a key of an e-mail stands for."""
    found: set[str] = set()
    for table, relation in relations:
        if "email" in table.forget.ids:
            email = normal("email", quoted(table.forget.ids["email"]))
            found |= {
                str(one)
                for (one,) in connection.execute(
                    f"select distinct {email} from {relation} "
                    f"where shop_id = $shop and starts_with(sha256({email}), $start)",
                    {"shop": shop_id, "start": start},
                ).fetchall()
            }
    return found


def _ours(table: Table, known: Mapping[str, set[str]]) -> tuple[str, dict[str, list[str]]]:
    """SQL: whether a row is of this person, and its parameters; false when nothing could be."""
    parts, values = [], {}
    for kind, column in table.forget.ids.items():
        if not known.get(kind):
            continue
        part = f"list_contains(${kind}, {normal(kind, quoted(column))})"
        if is_weak(table, kind):
            customer = normal("customer", quoted(table.forget.ids["customer"]))
            part = f"({part} and {customer} is null)"
        parts.append(part)
        values[kind] = sorted(known[kind])
    return " or ".join(parts) or "false", values


def _learned(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    relation: str,
    shop_id: str,
    known: Mapping[str, set[str]],
) -> dict[str, set[str]]:
    """The other identifiers of this person's rows. Customers are joined by merges alone."""
    is_ours, values = _ours(table, known)
    if not values or len(table.forget.ids) == 1:
        return {}
    found = {}
    for kind, column in table.forget.ids.items():
        if kind == "customer":
            continue
        value = normal(kind, quoted(column))
        rows = connection.execute(
            f"select distinct {value} from {relation} "
            f"where shop_id = $shop and ({is_ours}) and {value} is not null",
            {"shop": shop_id, **values},
        ).fetchall()
        found[kind] = {str(one) for (one,) in rows}
    return found


def _borne_by_others(
    connection: duckdb.DuckDBPyConnection,
    relations: Sequence[tuple[Table, str]],
    shop_id: str,
    kind: str,
    values: Collection[str],
    known: Mapping[str, set[str]],
) -> set[str]:
    """Those of some addresses or participants that a row of another customer bears."""
    found: set[str] = set()
    for table, relation in relations:
        ids = table.forget.ids
        if "customer" not in ids or kind not in ids:
            continue
        customer, value = (normal(k, quoted(ids[k])) for k in ("customer", kind))
        rows = connection.execute(
            f"select distinct {value} from {relation} where shop_id = $shop "
            f"and list_contains($values, {value}) "
            f"and {customer} is not null and not list_contains($ours, {customer})",
            {
                "shop": shop_id,
                "values": sorted(values),
                "ours": sorted(known.get("customer", ())),
            },
        ).fetchall()
        found |= {str(one) for (one,) in rows}
    return found


def _elsewhere(
    connection: duckdb.DuckDBPyConnection,
    relations: Sequence[tuple[Table, str]],
    shop_id: str,
    ids: Mapping[str, Collection[str]],
) -> frozenset[str]:
    """The addresses that another shop has too."""
    found: set[str] = set()
    for table, relation in relations:
        for kind in set(ADDRESSES) & table.forget.ids.keys() & ids.keys():
            value = normal(kind, quoted(table.forget.ids[kind]))
            rows = connection.execute(
                f"select distinct {value} from {relation} "
                f"where shop_id <> $shop and list_contains($values, {value})",
                {"shop": shop_id, "values": sorted(ids[kind])},
            ).fetchall()
            found |= {str(one) for (one,) in rows}
    return frozenset(found)
