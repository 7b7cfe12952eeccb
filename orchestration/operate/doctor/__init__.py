"""`health doctor`: what is set up, whether it works, and one sentence to mend what does not.

It reads, and writes nothing anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestration.operate.doctor.check import Check, State
from orchestration.operate.doctor.here import HERE, look_here
from orchestration.operate.doctor.vendors import look_at
from orchestration.settings import DESTINATIONS, Settings

__all__ = ["Check", "State", "examine", "render"]

COLOURS = {State.FINE: "green", State.OFF: "dim", State.DOUBTFUL: "yellow", State.WRONG: "red"}
LOOKS_AT_ONCE = 8


def examine(settings: Settings, shops: Sequence[str] | None = None) -> list[Check]:
    """All checks: each shop at each vendor, then this machine.

    `shops` are those of the settings when none are given.
    """
    named = sorted(set(shops or settings.named_shops()))
    pairs = [(shop, vendor) for shop in named for vendor in DESTINATIONS]
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        checks = list(pool.map(lambda pair: look_at(settings, *pair), pairs))
    if not named:
        checks.append(_no_shop(settings))
    return [_without_secrets(check, settings) for check in [*checks, *look_here(settings)]]


def _no_shop(settings: Settings) -> Check:
    mend = "Name the shops in HEALTH_SHOPS; docs/connections.md tells the other variables."
    if settings.connections:
        found = f"{min(settings.connections)} is set, but no shop is named"
        return Check(HERE, "shops", State.WRONG, found, mend)
    return Check(HERE, "shops", State.OFF, "no vendor is set up", mend)


def _without_secrets(check: Check, settings: Settings) -> Check:
    """The check with every secret that a vendor may have repeated blotted out."""
    found, mend = check.found, check.mend
    for secret in (value.get_secret_value() for value in settings.connections.values()):
        # Addresses are among them: they are no secrets, but they may hold one.
        found, mend = found.replace(secret, "…"), mend.replace(secret, "…")
    return replace(check, found=found, mend=mend)


def render(checks: Sequence[Check]) -> RenderableType:
    """The checks as a table, then a sentence for each that wants something."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "", "state", "found"):
        table.add_column(name, no_wrap=name == "state", overflow="fold")
    sentences: list[Text] = []
    before = None
    for check in checks:
        whose = check.whose if check.whose != before else ""
        before = check.whose
        # As Text, so that nothing a vendor said is read as markup.
        state = Text(check.state, style=COLOURS[check.state])
        table.add_row(whose, check.what, state, Text(_printable(check.found)))
        if check.mend and check.state is not State.FINE:
            front = f"{check.whose}, {check.what}: "
            style = COLOURS[check.state]
            sentences.append(Text.assemble((front, style), _printable(check.mend)))
    return Group(table, Text(), *sentences) if sentences else table


def _printable(text: str) -> str:
    """Text without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
