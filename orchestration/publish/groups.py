"""The findings about groups of customers: the shop's segments, and Shopify's groups beside ours."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from html import escape

from orchestration.publish.cards import Row, Rows, Shop
from orchestration.publish.charts import Bar, bars
from orchestration.publish.page import Card, Table
from orchestration.publish.wording import count, number, sentence, share, short, words

# As Shopify orders them, best first; what it may add later comes before NONE.
SHOPIFY_GROUPS = (
    "CHAMPIONS",
    "LOYAL",
    "ACTIVE",
    "NEW",
    "PROMISING",
    "NEEDS_ATTENTION",
    "AT_RISK",
    "ALMOST_LOST",
    "PREVIOUSLY_LOYAL",
    "DORMANT",
    "PROSPECTS",
)


def segments_card(shop: Shop) -> Card:
    """Customers by segment, with what they have spent."""
    rows = shop.rows["segments"]
    if not rows:
        return Card(
            "Nobody is in a segment",
            "A segment is a name for all customers to whom each of its rules applies: rows of "
            "seeds/reference/segment_rules.csv.",
        )
    everybody = shop.about["customers"]
    worth = max(rows, key=lambda row: (row["revenue"], row["segment"]))
    return Card(
        title=f"{share(rows[0]['customers'], everybody)} of customers are "
        f"{words(rows[0]['segment'])}",
        note=f"Customers by segment, and their net value ({shop.currency}). One may be in several. "
        f"{sentence(words(worth['segment']))} customers have spent most.",
        picture=bars(
            [
                Bar(
                    sentence(words(row["segment"])),
                    row["customers"],
                    f"{number(row['customers'])} · {short(row['revenue'])} {shop.currency}".strip(),
                    "teal",
                )
                for row in rows
            ],
            whole=everybody,
        ),
        table=Table(
            "Customers by segment",
            ["Segment", "Customers", "Share of all", f"Net value, {shop.currency}"],
            [
                [
                    sentence(words(row["segment"])),
                    number(row["customers"]),
                    share(row["customers"], everybody),
                    number(row["revenue"]),
                ]
                for row in rows
            ],
            figures=3,
        ),
    )


def _name(group: str) -> str:
    """A group of Shopify as people say it."""
    return "None" if group == "NONE" else sentence(group.lower().replace("_", " "))


def _place(group: str) -> tuple[int, str]:
    if group == "NONE":
        return len(SHOPIFY_GROUPS) + 1, group
    known = group in SHOPIFY_GROUPS
    return SHOPIFY_GROUPS.index(group) if known else len(SHOPIFY_GROUPS), group


def agreement_card(shop: Shop) -> Card:
    """Shopify's own groups beside ours."""
    rows = shop.rows["rfm_agreement"]
    theirs = [row for row in rows if row["shopify_rfm_group"] != "NONE"]
    if not theirs:
        return Card(
            "Shopify has sent no groups of its own",
            "Where customers arrive with Shopify's RFM group, it stands here beside ours.",
        )
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for row in theirs:
        spent[row["shopify_rfm_group"]] += row["monetary"]
    richest = max(spent, key=lambda group: (spent[group], group))
    main = max(
        (row for row in theirs if row["shopify_rfm_group"] == richest),
        key=lambda row: (row["customers"], row["rfm_group"]),
    )
    usual: dict[str, int] = defaultdict(int)
    for row in theirs:
        usual[row["rfm_group"]] = max(usual[row["rfm_group"]], int(row["customers"]))
    both = sum(int(row["customers"]) for row in theirs)
    return Card(
        title=f"{share(main['share_of_shopify_group'], 1)} of Shopify's {_name(richest)} are "
        f"{main['rfm_group']} here",
        note="Our groups down, Shopify's own across, as they last landed; a cell has the customers "
        "in both, darker for a larger share of our group. "
        f"{share(sum(usual.values()), both)} of {count(both, 'customer')} are in the group of "
        "Shopify's that is the most usual for ours.",
        extra=_heatmap(rows),
        table=Table(
            "Our RFM groups beside Shopify's",
            [
                "Our group",
                "Shopify's group",
                "Customers",
                f"Net value, {shop.currency}",
                "Of ours",
                "Of Shopify's",
            ],
            [
                [
                    row["rfm_group"],
                    _name(row["shopify_rfm_group"]),
                    number(row["customers"]),
                    number(row["monetary"]),
                    share(row["share_of_group"], 1),
                    share(row["share_of_shopify_group"], 1),
                ]
                for row in rows
            ],
            figures=4,
        ),
        span="wide tall",
    )


def _shade(part: float) -> int:
    """1 to 4 for each quarter of a group, 0 for nothing."""
    return min(4, 1 + int(4 * part)) if part > 0 else 0


def _heatmap(rows: Rows) -> str:
    columns = sorted({row["shopify_rfm_group"] for row in rows}, key=_place)
    ours = list(dict.fromkeys(row["rfm_group"] for row in rows))
    cells: dict[tuple[str, str], Row] = {
        (row["rfm_group"], row["shopify_rfm_group"]): row for row in rows
    }

    def cell(group: str, column: str) -> str:
        row = cells.get((group, column))
        if row is None:
            return '<td class="figure none">0</td>'
        shade = _shade(row["share_of_group"])
        return f'<td class="figure heat{shade}">{number(row["customers"])}</td>'

    head = "".join(f'<th scope="col" class="figure">{escape(_name(c))}</th>' for c in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(group)}</th>'
        + "".join(cell(group, column) for column in columns)
        + "</tr>"
        for group in ours
    )
    caption = "Customers by our group and Shopify's"
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption)}">'
        f'<table class="heat"><caption class="hidden">{escape(caption)}</caption>'
        f'<thead><tr><th scope="col">ours ↓ Shopify →</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
