"""What a merchant may set, with its defaults: cards, maps, bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol, TypeVar

EPOCH = date(2000, 1, 1)


def fold(text: str | None) -> str:
    """Text as it is compared: trimmed and in lower case; null is the empty text."""
    return (text or "").strip().casefold()


@dataclass(frozen=True)
class Rule:
    """Gives `points` when `signal operator threshold` is true; a null signal never fires."""

    rule_id: str
    signal: str
    operator: str
    threshold: Decimal | str
    points: int


@dataclass(frozen=True)
class PointsCard:
    """A points scorecard; `bands` are (name, lowest score), best first."""

    rules: tuple[Rule, ...]
    bands: tuple[tuple[str, int], ...] = (("high", 20), ("medium", 10), ("low", 0))
    version: int = 1
    valid_from: date = EPOCH
    scorecard_id: str = "jewelry_points"


@dataclass(frozen=True)
class BehaviourCard:
    """Weights by event type; `bands` are (name, lowest score), best first."""

    weights: Mapping[str, float]
    half_life_days: float = 30
    cap: float = 100
    bands: tuple[tuple[str, float], ...] = (("vip", 80), ("engaged", 40), ("at_risk", 0))
    version: int = 1
    valid_from: date = EPOCH


@dataclass(frozen=True)
class TrustCard:
    """How much returns, refunds and resends take away; `ratings` are (name, lowest score)."""

    w_returns: float = 0.5
    w_refunds: float = 0.5
    w_resends: float = 0.5
    half_life_days: float = 180
    ratings: tuple[tuple[str, int], ...] = (("great", 76), ("good", 51), ("mid", 26), ("bad", 0))
    version: int = 1
    valid_from: date = EPOCH


class Versioned(Protocol):
    """Anything with a first day of validity."""

    @property
    def valid_from(self) -> date: ...


AnyCard = TypeVar("AnyCard", bound=Versioned)


def version_on(cards: Sequence[AnyCard], day: date) -> AnyCard:
    """The card in force on `day`: the latest that had become valid by then."""
    return max((c for c in cards if c.valid_from <= day), key=lambda c: c.valid_from)


def default_points_card() -> PointsCard:
    """The default card of section 2."""
    return PointsCard(
        rules=(
            Rule("bridal_views", "bridal_views_30d", ">=", Decimal(3), 10),
            Rule("high_aov", "previous_aov", ">", Decimal(700), 8),
            Rule("addon_accepted", "addon_accepted_180d", ">=", Decimal(1), 12),
            Rule("yellow_gold_stackable", "product_pref_tag", "=", "yellow_gold_stackable", 6),
            Rule("return_size_fit", "returns_size_fit_180d", ">=", Decimal(1), -2),
            Rule("return_style_mismatch", "returns_style_mismatch_180d", ">=", Decimal(1), -4),
            Rule("return_gift", "returns_gift_180d", ">=", Decimal(1), -1),
        )
    )


def default_behaviour_card() -> BehaviourCard:
    """The default weights of section 3."""
    return BehaviourCard(
        weights={
            "product_view": 1,
            "wishlist_add": 2,
            "add_to_cart": 3,
            "checkout_start": 5,
            "purchase": 10,
        }
    )


# (band, least average order value), best first.
AOV_BANDS = (
    ("700_and_more", Decimal(700)),
    ("350_to_699", Decimal(350)),
    ("150_to_349", Decimal(150)),
    ("below_150", Decimal(0)),
)
FINANCING = (
    *("affirm", "afterpay", "clearpay", "klarna", "klarna_financing", "sezzle", "zip", "bread"),
    *("splitit", "synchrony", "shop_pay_installments", "shop pay installments"),
    *("paypal_credit", "paypal credit"),
)
# (first, last) as MM-DD, both included.
SEASONS = {
    "christmas": ("11-15", "12-31"),
    "valentines": ("01-25", "02-14"),
    "mothers_day": ("04-25", "05-14"),
}
# What is asked, folded, to (measure, least, most).
MEASURES = {
    "how likely are you to recommend us to a friend?": ("nps", 0, 10),
    "nps": ("nps", 0, 10),
    "how satisfied are you with your purchase?": ("csat", 1, 5),
    "csat": ("csat", 1, 5),
    "how easy was it to find the right piece?": ("ces", 1, 5),
    "ces": ("ces", 1, 5),
}


def default_segments() -> dict[str, tuple[Rule, ...]]:
    """The default segments: a customer for whom every rule fires is in."""
    rules = {
        "high_health": (("previous_aov", ">", 700), ("addon_accepted_180d", ">=", 1)),
        "new": (("orders_lifetime", "=", 1), ("days_since_first_order", "<=", 60)),
        "loyal": (("orders_lifetime", ">=", 3), ("days_since_last_order", "<=", 365)),
        "high_value": (("net_spend", ">", 1500),),
        "seasonal": (("orders_lifetime", ">=", 2), ("seasonal_order_share", ">=", 1)),
    }
    return {
        segment: tuple(Rule(segment, name, op, Decimal(at), 0) for name, op, at in conditions)
        for segment, conditions in rules.items()
    }


def default_answers() -> dict[tuple[str, str], tuple[str, str, str]]:
    """(question, answer), folded, to (attribute, value, label)."""
    finishes = {
        "Yellow gold": "yellow_gold",
        "White gold": "white_gold",
        "Rose gold": "rose_gold",
        "Platinum": "platinum",
    }
    styles = {
        "Stackable rings": "stackable",
        "Solitaire": "solitaire",
        "Halo": "halo",
        "Minimal": "minimal",
    }
    gifts = {"For me": "self", "For someone else": "gift", "Unsure": "unsure"}
    likelihood = {str(n): str(n) for n in range(1, 6)}
    questions = {
        "Is this purchase for you or a gift?": ("gift_intent", gifts),
        "Which finish do you prefer?": ("finish", finishes),
        "Which finish does the recipient prefer?": ("finish", finishes),
        "Which style do you prefer?": ("style", styles),
        "How likely are you to add a matching piece in the next 7 days?": (
            "addon_likelihood",
            likelihood,
        ),
    }
    return {
        (fold(question), fold(answer)): (attribute, value, answer)
        for question, (attribute, answers) in questions.items()
        for answer, value in answers.items()
    }


@dataclass(frozen=True)
class Config:
    """Everything that the scores depend on besides the facts."""

    points: tuple[PointsCard, ...] = field(default_factory=lambda: (default_points_card(),))
    behaviour: tuple[BehaviourCard, ...] = field(
        default_factory=lambda: (default_behaviour_card(),)
    )
    trust: tuple[TrustCard, ...] = (TrustCard(),)
    rfm_preset: str = "omniconvert"
    rfm_scale: int = 5
    survey_answer_ttl_days: int = 365
    resend_order_tags: tuple[str, ...] = ("resend", "reship", "replacement")
    processed_statuses: frozenset[str] = frozenset(
        {"paid", "partially_paid", "partially_refunded", "refunded"}
    )
    returned_statuses: frozenset[str] = frozenset({"open", "closed"})
    return_reasons: Mapping[str, str] = field(
        default_factory=lambda: {
            "size_too_small": "size_fit",
            "size_too_large": "size_fit",
            "size/fit": "size_fit",
            "style": "style_mismatch",
            "color": "style_mismatch",
            "style mismatch": "style_mismatch",
            "gift_return": "gift_return",
            "gift return": "gift_return",
        }
    )
    addon_kinds: frozenset[str] = frozenset({"post_purchase", "thank_you"})
    metrics: Mapping[str, str] = field(
        default_factory=lambda: {
            "Viewed Product": "product_view",
            "Added to Wishlist": "wishlist_add",
            "Added to Cart": "add_to_cart",
            "Checkout Started": "checkout_start",
            "Started Checkout": "checkout_start",
            "Compared Products": "comparison_click",
            "Opened Shop App": "shop_app_tap",
            "Applied Coupon": "coupon_applied",
            "Received Email": "email_received",
            "Opened Email": "email_open",
            "Clicked Email": "email_click",
            "Viewed Support Article": "support_doc_view",
        }
    )
    collection_families: Mapping[str, str] = field(
        default_factory=lambda: {
            "bridal": "bridal",
            "engagement": "bridal",
            "engagement rings": "bridal",
            "wedding": "bridal",
            "wedding bands": "bridal",
        }
    )
    answers: Mapping[tuple[str, str], tuple[str, str, str]] = field(default_factory=default_answers)
    # (tier, least spend), best first; each also wants a first counted order.
    loyalty_tiers: tuple[tuple[str, Decimal], ...] = (
        ("platinum", Decimal(3500)),
        ("gold", Decimal(1500)),
        ("silver", Decimal(500)),
    )
    aov_bands: tuple[tuple[str, Decimal], ...] = AOV_BANDS
    financing: frozenset[str] = frozenset(FINANCING)
    seasons: Mapping[str, tuple[str, str]] = field(default_factory=lambda: dict(SEASONS))
    measures: Mapping[str, tuple[str, int, int]] = field(default_factory=lambda: dict(MEASURES))
    offer_surfaces: frozenset[str] = frozenset({"post_purchase", "thank_you"})
    segments: Mapping[str, tuple[Rule, ...]] = field(default_factory=default_segments)
