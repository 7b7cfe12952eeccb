"""What can be wrong in the seed of KPI targets, said before any model runs."""

from __future__ import annotations

from orchestration.transform.seed_files import Sheet, columns_of, or_meant, said

TARGETS = "reference/kpi_targets.csv"
COLUMNS = columns_of("shop_id* kpi* good_direction* target valid_from*")
ALL_SHOPS = "*"
DIRECTIONS = ("up", "down")
# The figures on top of the report, in its order, and the most that a target may be: shares are of
# 1, trust is of 100. Those that are metrics in models/semantic bear their names.
KPIS: dict[str, float] = {
    "customers": 1e9,
    "high_health_share": 1,
    "low_health_share": 1,
    "vip_share": 1,
    "trust_average": 100,
    "trust_known_share": 1,
    "revenue_30_days": 1e12,
    "average_order_value": 1e9,
    "repeat_purchase_rate": 1,
    "return_rate": 1,
}


def check_targets(sheet: Sheet) -> None:
    """Note what is wrong: names, directions, numbers, days, and figures without a direction."""
    for row in sheet.rows:
        kpi, direction = row["kpi"], row["good_direction"]
        if kpi and kpi not in KPIS:
            hint = or_meant(kpi, KPIS, f"name one of {', '.join(KPIS)}.")
            sheet.say(row, "kpi", f"there is no KPI {said(kpi)}{hint}")
        if direction and direction not in DIRECTIONS:
            what = f"{said(direction)} is no direction"
            sheet.say(row, "good_direction", f"{what}: write up or down.")
        sheet.number(row, "target", 0, KPIS.get(kpi, 1e12))
        sheet.day(row, "valid_from")
    sheet.once(("shop_id", "kpi", "valid_from"), "a row of the same shop and KPI from")
    named = {row["kpi"] for row in sheet.rows if row["shop_id"] == ALL_SHOPS}
    # Where a row has a slip of the pen, it may be the one that is missing.
    if sheet.complete and not sheet.problems:
        for kpi in KPIS:
            if kpi not in named:
                sheet.say(
                    None,
                    "kpi",
                    f"'{kpi}' has no row of the shop {ALL_SHOPS}: add one with its good direction; "
                    "the target may stay empty.",
                )
