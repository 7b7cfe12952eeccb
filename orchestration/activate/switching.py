"""`health switch`: how the kill switch stands, and turning it."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.activate import switches
from orchestration.activate.destinations import check_destinations
from orchestration.errors import HealthError
from orchestration.warehouse import connect


def switch(
    warehouse: Path, turn: str | None, destination: str, shop: str | None, why: str | None
) -> list[str]:
    """Turn a switch `off` or `on`, or with None only look; what to tell, a line each.

    A turn counts from the moment it is written, whether or not the warehouse is held by a push.
    Raises `HealthError` for what cannot be turned, and for a turn without a reason.
    """
    said = []
    if turn is not None:
        _check(warehouse, turn, destination, shop, why)
        turned = switches.turn(
            warehouse, destination, shop, is_on=turn == "on", why=str(why).strip()
        )
        said.append(f"{turned}.")
    turns = switches.read(warehouse)
    off = [each for each in switches.standing(turns) if not each.is_on]
    said += [f"Off: {each}" for each in off] or ["Nothing is switched off."]
    return said + _tell(warehouse, turns)


def _check(warehouse: Path, turn: str, destination: str, shop: str | None, why: str | None) -> None:
    if turn not in ("on", "off"):
        raise HealthError(f"A switch is turned on or off, not '{turn}'.")
    if not (why or "").strip():
        raise HealthError('Say why, for whoever comes next: --why "...".')
    if destination != switches.ALL:
        check_destinations([destination])
    shops = _shops(warehouse)
    if shop is not None and shops and shop not in shops:
        raise HealthError(f"There is no shop {shop}: there are {', '.join(sorted(shops))}.")


def _shops(warehouse: Path) -> set[str]:
    """The shops that something is desired for; none when the warehouse cannot be asked."""
    try:
        with connect(warehouse, read_only=True) as connection:
            return {
                shop
                for (shop,) in connection.execute(
                    "select distinct shop_id from activation.desired_state"
                ).fetchall()
            }
    except (HealthError, duckdb.Error):
        return set()


def _tell(warehouse: Path, turns: list[switches.Switch]) -> list[str]:
    """Let the warehouse know, if it is there and lacks something."""
    if not warehouse.exists():
        return []
    try:
        with connect(warehouse, read_only=True) as connection:
            if not switches.missing(connection, turns):
                return []
        with connect(warehouse) as connection:
            switches.tell(connection, turns)
    except HealthError as error:
        return [
            f"{error} A push that runs there stops before its next batch all the same; the plan "
            "shows the switch from the next push on, or from `health switch`."
        ]
    return []
