"""The file drops of a random shop, drawn from small sets of awkward values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reference.maker import Maker

SURFACES: tuple[str | None, ...] = (
    "post_purchase",
    "thank_you",
    " Post_Purchase ",
    "THANK_YOU",
    "warranty",
    "warranty",
    " Warranty",
    "pdp",
    "post purchase",
    "",
    None,
)
LOYALTY_KINDS: tuple[str | None, ...] = (
    "enrol",
    "earn",
    "earn",
    " Earn",
    "redeem",
    "REDEEM ",
    None,
)
COMMUNITY_KINDS: tuple[str | None, ...] = ("referral", " Referral ", "REFERRAL", "post", "", None)


def random_files(m: Maker, email: Callable[[], str | None], ids: Sequence[str], n: int) -> None:
    """About `n` rows a table; `email` draws an e-mail that may be shared, unknown or blank."""
    for _ in range(n):
        _ticket(m, email())
        m.exposure(
            m.rng.choice(SURFACES),
            moment := None if m.chance(0.03) else m.some_moment(),
            customer_id=m.rng.choice((*ids, "900002")) if m.chance(0.6) else None,
            email=email(),
            accepted_at=m.after(moment) if moment and m.chance(0.4) else None,
        )
        m.review(email(), None if m.chance(0.03) else m.some_moment())
        # these two are keyed by their e-mail, so that a row without one is none
        if address := email():
            m.loyalty(
                address,
                m.some_moment(),
                m.rng.choice(LOYALTY_KINDS),
                m.rng.choice((None, 0, 50, 100, 120, -30)),
            )
        if address := email():
            m.community(address, m.some_moment(), m.rng.choice(COMMUNITY_KINDS))


def _ticket(m: Maker, email: str | None) -> None:
    created = None if m.chance(0.03) else m.some_moment()
    m.ticket(
        email,
        created,
        closed_at=m.after(created or m.some_moment()) if m.chance(0.6) else None,
        contacts=m.rng.choice((None, 0, 1, 1, 2, 5)),
        csat=m.rng.choice((None, None, 0, 1, 3, 5, 6)),
    )
