"""Value tiers: who is answered first, and who has earned what."""

from __future__ import annotations

from decimal import Decimal

from reference.config import Config


def ltv_tier(spend: Decimal) -> str:
    """Support tier by the sum of net_value."""
    if spend > 500:
        return "high"
    return "medium" if spend >= 100 else "low"


def loyalty_tier(orders: int, spend: Decimal, config: Config) -> str | None:
    """Loyalty tier by lifetime spend; null before the first counted order."""
    if orders == 0:
        return None
    return next((tier for tier, least in config.loyalty_tiers if spend >= least), "bronze")
