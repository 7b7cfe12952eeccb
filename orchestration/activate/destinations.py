"""The destinations that are pushed to, each a module with the functions of `sending.Vendor`."""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.activate import klaviyo, postscript, shopify, slack
from orchestration.activate.sending import Vendor
from orchestration.errors import HealthError

VENDORS: dict[str, Vendor] = {
    "klaviyo": klaviyo,
    "shopify": shopify,
    "postscript": postscript,
    "slack": slack,
}


def check_destinations(names: Iterable[str]) -> None:
    """Raise `HealthError` for what is no destination."""
    if unknown := sorted(set(names) - set(VENDORS)):
        raise HealthError(
            f"There is no destination {', '.join(unknown)}: there are {', '.join(VENDORS)}."
        )
