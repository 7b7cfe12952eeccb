"""People made for one signal each: on the last day of a window and beside it, ties, traps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal

from reference.maker import Maker

LAST_SECOND = time(23, 59, 59)


def signal_people(m: Maker, products: Sequence[str]) -> None:
    """All of them."""
    _event_windows(m)
    _seconds_and_products(m, products)
    _abandoned(m)
    _orders_in_time(m)
    _first_and_last_orders(m)
    _birthdays(m)
    _offers(m)
    _tickets(m)
    _loyalty_and_community(m)
    _marks(m)
    _audits(m, products)


def _person(m: Maker) -> tuple[str, str]:
    """A customer and their e-mail, as a file may write it."""
    who = m.customer()
    return who, f" C{who}@EXAMPLE.com "


def _event_windows(m: Maker) -> None:
    """Each type of event on the last day of its window and on the day before that."""
    middle = m.days[1]
    clicker = m.profile(external_id=m.customer())
    for metric in ("Compared Products", "Opened Shop App", "Added to Wishlist", "Applied Coupon"):
        for age, clock in ((29, time(0)), (30, LAST_SECOND), (3, time(12))):
            m.event(clicker, m.ago(middle, age, clock), metric)
    for metric, ages in {
        "Received Email": (1, 2, 89, 90, 91),
        "Clicked Email": (1, 90),
        "Opened Email": (1, 2),
        "Viewed Support Article": (0, 89, 90),
    }.items():
        for age in ages:
            m.event(clicker, m.ago(middle, age), metric)
    clicked_alone = m.profile(external_id=m.customer())
    m.event(clicked_alone, m.at(middle), "Clicked Email")
    window_shopper = m.customer()
    viewer = m.profile(external_id=window_shopper)
    m.event(viewer, m.at(m.days[0]), "Viewed Product")
    m.event(viewer, m.ago(m.days[0], 29), "Viewed Product")
    m.order(window_shopper, middle - timedelta(days=29), "10.00")
    cancelled = m.customer()
    m.event(m.profile(external_id=cancelled), m.at(m.days[0]), "Viewed Product")
    m.order(cancelled, m.days[0], "10.00", cancelled_at=m.at(middle))


def _seconds_and_products(m: Maker, products: Sequence[str]) -> None:
    """Four times of which the middle two differ; one product in three spellings."""
    first = m.days[0]
    slow = m.profile(external_id=m.customer())
    for seconds in (10, "20", 45.5, 90, -1, "long", None, "NaN", "", True, {"s": 1}):
        m.event(slow, m.at(first), "Viewed Product", properties={"Seconds": seconds})
    m.event(slow, m.at(first), "Added to Cart", properties={"Seconds": 1000})
    m.event(slow, m.ago(first, 30), "Viewed Product", properties={"Seconds": 1000})
    again = m.profile(external_id=m.customer())
    for product in (products[0], int(products[0]), f" {products[0]}", products[1], "", " ", None):
        m.event(again, m.at(first), "Viewed Product", properties={"ProductID": product})
    m.event(again, m.at(first), "Added to Cart", properties={"ProductID": products[2]})
    for age, metric in ((1, "Viewed Product"), (1, "Viewed Product"), (4, "Viewed Product")):
        m.event(again, m.ago(first, age), metric, properties={"Collections": "Bridal"})


def _abandoned(m: Maker) -> None:
    """Carts and checkouts that an order follows in time, too late, not for good, or never."""
    first, middle, last = m.days
    buyer, thinker, regretter = (m.customer() for _ in range(3))
    profiles = {who: m.profile(external_id=who) for who in (buyer, thinker, regretter)}
    for metric in ("Added to Cart", "Started Checkout"):
        for age in (25, 20, 15, 10):
            m.event(profiles[buyer], m.ago(first, age), metric)
        # given up on D itself and on the day before; twice in a day; on the edge of the window
        for moment in (
            m.at(first),
            m.at(middle),
            m.at(middle, LAST_SECOND),
            m.ago(middle, 29, time(0)),
            m.ago(middle, 30, LAST_SECOND),
        ):
            m.event(profiles[thinker], moment, metric)
        m.event(profiles[regretter], m.at(middle), metric)
        m.event(profiles[regretter], m.ago(first, 5), metric)
        m.event(profiles[regretter], m.ago(first, 9), metric)
    # the day before, the same day, the next one, the one after that
    for age in (26, 20, 14, 8):
        m.order(buyer, first - timedelta(days=age), "10.00")
    m.order(regretter, last, "10.00", clock=time(0))
    m.order(regretter, first - timedelta(days=4), "10.00", cancelled_at=m.at(middle))
    m.order(regretter, first - timedelta(days=9), "10.00", is_test=True)
    m.order(thinker, first, "10.00", cancelled_at=m.at(first))


def _orders_in_time(m: Maker) -> None:
    """Gaps, bands, years, seasons, anniversaries and what came back."""
    first, middle, _ = m.days
    steady = m.customer()
    for age in (100, 61, 61, 20):
        m.order(steady, first - timedelta(days=age), "10.00")
    for age, times, price in ((60, 1, "149.99"), (61, 1, "150.00"), (365, 3, "349.99")):
        who = m.customer()
        for n in range(times):
            m.order(who, middle - timedelta(days=age + n), price)
    m.order(m.customer(), first - timedelta(days=90), "350.00")
    year = first.year - 1
    inside = ((11, 15), (12, 31), (1, 25), (2, 14), (4, 25), (5, 14))
    beside = ((11, 14), (1, 1), (1, 24), (2, 15), (4, 24), (5, 15))
    both, seasonal = m.customer(), m.customer()
    for month, day in (*inside, *beside):
        m.order(both, date(year, month, day), "10.00", clock=LAST_SECOND)
    for month, day in inside:
        m.order(seasonal, date(year, month, day), "10.00", clock=time(0))
    for start in (date(2024, 2, 29), middle.replace(year=year)):
        m.order(m.customer(), start, "10.00")
    returner = m.customer()
    old = m.order(returner, first - timedelta(days=500), "40.00", "50.00")
    m.order(returner, first - timedelta(days=364), "300.00")
    m.order(returner, first, "100.00")
    m.send_back(old, m.ago(middle, 364), "STYLE")
    m.send_back(old, m.ago(first, 365), "STYLE", "STYLE")
    m.send_back(old, m.at(m.days[2]), None, "STYLE")
    free = m.order(m.customer(), first, "0.00")
    m.send_back(free, m.at(first), "STYLE")
    spender = m.customer()
    m.refund(m.order(spender, first, "1500.01"), m.at(m.days[2]), "0.01")


def _first_and_last_orders(m: Maker) -> None:
    """Who is first and last: by moment, then by id as text; a cancelled first order."""
    first, middle, _ = m.days
    tied = m.customer()
    # as text "9" is the greater id, and so the last order; "10" is the first
    for order_id, gateway, source in (("9", "sezzle", "podcast"), ("10", "manual", "fair")):
        m.order(
            tied,
            first,
            "10.00",
            order_id=order_id,
            payment_gateways=[gateway],
            acquisition_source=source,
        )
    hours = m.customer()
    # written in the other order than they happened, on one day
    for hour, gateways, source in ((15, [" PayPal Credit "], "late"), (9, None, " Early Bird ")):
        m.order(
            hours,
            first,
            "10.00",
            clock=time(hour),
            payment_gateways=gateways,
            acquisition_source=source,
        )
    fickle = m.customer()
    m.order(
        fickle,
        first - timedelta(days=9),
        "10.00",
        cancelled_at=m.at(middle),
        discount_codes=["HELLO"],
        acquisition_source="ads",
    )
    m.order(fickle, first - timedelta(days=8), "10.00", acquisition_source="mail")
    m.order(fickle, middle, "10.00", cancelled_at=m.at(m.days[2]), payment_gateways=["zip"])
    nameless = m.customer()
    m.order(nameless, first - timedelta(days=8), "10.00", discount_amount=Decimal("0.01"))
    m.order(nameless, first, "10.00", acquisition_source="second", payment_gateways=["cash"])
    m.order(m.customer(), first, "10.00", discount_codes=["", " "], payment_gateways=["", " "])
    m.order(m.customer(), first, "10.00", discount_codes=["", "X"], payment_gateways=["zip code"])


def _birthdays(m: Maker) -> None:
    """Today, born on one of the days, and on a record merged away."""
    m.customer(birth_date=m.days[1])
    # who also buys for 700 with an add-on, which is not yet high health
    who = m.customer(birth_date=m.days[1].replace(year=1990))
    m.line(m.order(who, m.days[0], "690.00")["order_id"], "10.00", offer_kind="thank_you")
    survivor = m.customer()
    m.customer(birth_date=date(1985, 6, 1), merged_into_customer_id=survivor)


def _offers(m: Maker) -> None:
    """Offers on the edge of their windows; warranties taken on a day and the day after."""
    first, middle, last = m.days
    who, email = _person(m)
    for age, clock in ((0, time(12)), (179, time(0)), (180, LAST_SECOND)):
        m.exposure(" Thank_You", m.ago(middle, age, clock), email=email)
    m.exposure("POST_PURCHASE", m.at(first), customer_id=m.customer(), email=email)
    m.exposure("pdp", m.at(first), email=email)
    for age, clock in ((1, time(12)), (364, time(0)), (365, LAST_SECOND)):
        m.exposure("Warranty ", m.ago(middle, age, clock), customer_id=who)
    for taken in (m.at(middle, LAST_SECOND), m.at(last, time(0)), m.at(first)):
        m.exposure("warranty", m.ago(first, 3), customer_id=who, accepted_at=taken)


def _tickets(m: Maker) -> None:
    """Tickets on the edge of the window and of their closing, and one that came twice."""
    first, middle, last = m.days
    _, email = _person(m)
    for age, contacts in ((89, 4), (90, 7), (0, None), (1, 0)):
        m.ticket(email, m.ago(middle, age), closed_at=m.ago(middle, 0), contacts=contacts)
    _, email = _person(m)
    for closed in (m.at(middle, LAST_SECOND), m.at(last, time(0)), None):
        m.ticket(email, m.ago(first, 100), closed_at=closed)
    m.ticket(email, m.at(last, time(0)))
    # the same tickets as a later load told them: one closed, one opened again
    was, now = m.at(last + timedelta(days=3)), m.at(last + timedelta(days=4))
    for ticket_id, before, after in (("T-a", None, m.at(first)), ("T-b", m.at(first), None)):
        versions = [(was, before), (now, after)]
        for loaded, closed in versions if ticket_id == "T-a" else reversed(versions):
            m.ticket(
                email,
                m.ago(first, 5),
                ticket_id=ticket_id,
                closed_at=closed,
                _loaded_at=loaded,
            )


def _loyalty_and_community(m: Maker) -> None:
    """Points in and out, deeds on the edge of a year, rows told twice in another spelling."""
    first, middle, last = m.days
    _, email = _person(m)
    m.loyalty(email, m.ago(first, 900), "enrol", None)
    m.loyalty(email, m.ago(first, 800), "earn", 500)
    m.loyalty(email, m.ago(first, 7), "redeem", 120)
    m.loyalty(email, m.ago(first, 6), " REDEEM", -80)
    m.loyalty(email, m.ago(first, 5), "earn", -10)
    m.loyalty(email, m.at(middle, LAST_SECOND), "redeem", 5)
    m.loyalty(email, m.at(last, time(0)), "earn", 1)
    m.loyalty(_person(m)[1], m.at(first), "enrol", None)
    # a guest of whom nothing else is known has no row; one who ordered has
    m.loyalty("only-points@example.com", m.at(first), "earn", 9)
    m.loyalty(" Only-Pending@example.com", m.at(first), "earn", 9)
    _, email = _person(m)
    for age, clock in ((0, time(12)), (364, time(0)), (365, LAST_SECOND)):
        m.community(email, m.ago(middle, age, clock), " Referral")
        m.community(email, m.ago(middle, age, time(9)), "post")
        m.review(email, m.ago(middle, age, clock))
    was, now = m.at(last + timedelta(days=3)), m.at(last + timedelta(days=4))
    who, email = _person(m)
    plain = f"c{who}@example.com"
    for spelling, loaded, kind, points in ((plain, now, "earn", 70), (email, was, "redeem", 30)):
        moment = m.ago(first, 4)
        m.add(
            "files.loyalty",
            email=spelling,
            event_at=moment,
            kind=kind,
            points=points,
            _loaded_at=loaded,
        )
        kind = "post" if kind == "earn" else "referral"
        m.add("files.community", email=spelling, event_at=moment, kind=kind, _loaded_at=loaded)
    m.review("nobody@example.com", m.ago(first, 4), review_id="R-a", _loaded_at=now)
    m.review(plain, m.ago(first, 4), review_id="R-a", _loaded_at=was)
    m.exposure("thank_you", m.ago(first, 4), exposure_id="X-a", email=plain, _loaded_at=now)
    m.exposure("warranty", m.ago(first, 4), exposure_id="X-a", email=plain, _loaded_at=was)


def _marks(m: Maker) -> None:
    """The last day of a mark, ties, numbers that are none, and marks that tickets give."""
    first, middle, last = m.days
    nps, csat = "How likely are you to recommend us to a friend?", "csat"
    who, email = _person(m)
    m.answer(m.ago(middle, 365, LAST_SECOND), nps, "9", customer_id=who)
    m.ticket(email, m.ago(middle, 400), closed_at=m.ago(middle, 365), csat=4)
    who, email = _person(m)
    # as text "99" is the greater id
    m.answer(m.at(first), nps, "3", customer_id=who, response_id="99")
    m.answer(m.at(first), nps, "4", customer_id=who, response_id="100")
    # told in the other order than they happened
    m.answer(m.at(middle, time(8)), "CES ", "5", customer_id=who)
    m.answer(m.at(middle, time(7)), "ces", "1", customer_id=who)
    for said in ("11", "-1", "ten", "", None, "NaN"):
        m.answer(m.at(last), nps, said, customer_id=who)
    # the question goes first: this is a satisfaction out of range, and no NPS
    m.answer(m.at(last), "CSAT", "7", customer_id=who, value_type="nps")
    who = m.customer()
    m.answer(m.at(first), "Anything else?", " 6.5 ", customer_id=who, value_type=" NPS")
    m.answer(m.ago(first, 1), nps, "2", customer_id=who)
    for answered, created, closed in (
        (m.at(middle), m.ago(first, 9), m.at(middle, time(15))),  # closed after the answer
        (m.at(middle), m.at(middle, time(15)), None),  # never closed
        (m.at(middle, time(16)), m.at(middle, time(15)), None),  # before the answer
        (m.at(middle), m.ago(first, 9), m.at(last)),  # closed a day later
        (m.at(middle), m.ago(first, 9), m.at(middle)),  # at once: the greater id, the ticket's
    ):
        who, email = _person(m)
        m.answer(answered, csat, "2.5", customer_id=who)
        m.ticket(email, created, closed_at=closed, csat=5)
        m.ticket(email, m.at(middle), closed_at=m.at(last), csat=6)
        m.ticket(email, m.at(middle), closed_at=m.at(last), csat=0)


def _audits(m: Maker, products: Sequence[str]) -> None:
    """Stated yellow gold, looked at something else: too rarely, often enough, in a tie."""
    first, middle, last = m.days
    yellow, white, rose, plain = products[0], products[1], products[2], products[4]
    for views in (
        {white: 4, plain: 3},  # four that have a colour
        {white: 4, yellow: 1},
        {yellow: 2, white: 2, rose: 1},  # the stated one is among the tied
        {white: 2, rose: 2, yellow: 1},  # it is not: rose before white
        {yellow: 3, white: 2},
    ):
        who = m.customer()
        m.answer(m.ago(first, 3), "Which finish do you prefer?", "Yellow gold", customer_id=who)
        viewer = m.profile(external_id=who)
        for product, times in views.items():
            for _ in range(times):
                m.event(
                    viewer, m.ago(first, 2), "Viewed Product", properties={"ProductID": product}
                )
    who = m.customer()
    m.answer(m.ago(middle, 365), "Which finish do you prefer?", "Platinum", customer_id=who)
    viewer = m.profile(external_id=who)
    for age, product in (
        (89, white),
        (90, rose),
        (5, white),
        (4, rose),
        (3, white),
        (2, white),
        (0, rose),
    ):
        m.event(viewer, m.ago(middle, age), "Viewed Product", properties={"ProductID": product})
    m.event(viewer, m.at(last), "Added to Cart", properties={"ProductID": rose})
