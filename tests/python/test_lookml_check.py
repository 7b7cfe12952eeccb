"""Our own check of LookML: a project with any fault is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import lkml
import pytest

from orchestration.publish.lookml.check import check

CATALOGUE = {
    "orders": {
        "order_id": "varchar",
        "order_date": "date",
        "amount": "numeric",
        "buyer": "varchar",
    },
    "people": {"person_id": "varchar", "city": "varchar"},
}
GOOD = {
    "manifest.lkml": """\
project_name: "shop"
constant: SCHEMA {
  value: "marts"
}
""",
    "shop.model.lkml": """\
connection: "shop"
include: "/views/*.view.lkml"
include: "explores.lkml"
datagroup: daily {
  sql_trigger: select max(order_date) from @{SCHEMA}.orders ;;
}
persist_with: daily
""",
    "explores.lkml": """\
explore: orders {
  always_filter: {
    filters: [orders.placed_date: "7 days"]
  }
  sql_always_where: {% if orders.placed_date._in_query %} true {% else %} ${orders.amount} > 0
    {% endif %} ;;
  join: buyers {
    from: people
    type: left_outer
    relationship: many_to_one
    sql_on: ${orders.buyer} = ${buyers.person_id} ;;
    fields: [buyers.city]
  }
}
explore: people {}
test: revenue_is_there {
  explore_source: orders {
    column: revenue { field: orders.revenue }
    filters: [orders.placed_date: "2026"]
  }
  assert: positive {
    expression: ${orders.revenue} > 0 ;;
  }
}
""",
    "views/orders.view.lkml": """\
view: orders {
  sql_table_name: @{SCHEMA}.orders ;;
  dimension: order_id {
    primary_key: yes
    hidden: yes
    type: string
    sql: ${TABLE}.order_id ;;
  }
  # A comment with sql: in it ends with nothing.
  dimension_group: placed {
    type: time
    timeframes: [raw, date, week]
    convert_tz: no
    datatype: date
    sql: ${TABLE}.order_date ;;
  }
  dimension: amount {
    type: number
    description: "Says sql: and means none."
    sql: ${TABLE}."amount" ;;
  }
  dimension: buyer {}
  dimension: is_large {
    type: yesno
    sql: ${amount} > 100 and ${placed_raw} > '2020-01-01'::date ;;
  }
  measure: revenue {
    type: sum
    sql: ${amount} ;;
    filters: [is_large: "yes"]
    drill_fields: [detail*, -buyer]
  }
  measure: count {
    type: count
  }
  measure: mean {
    type: number
    sql: 1.0 * ${revenue} / nullif(${count}, 0) ;;
  }
  set: detail {
    fields: [order_id, placed_date, amount]
  }
}
""",
    "views/people.view.lkml": """\
view: people {
  sql_table_name: @{SCHEMA}.people ;;
  dimension: person_id {
    primary_key: yes
    sql: ${TABLE}.person_id ;;
  }
  dimension: city {
    sql: ${TABLE}.city ;;
  }
}
""",
}
ORDERS, EXPLORES = "views/orders.view.lkml", "explores.lkml"
MODEL, PEOPLE = "shop.model.lkml", "views/people.view.lkml"


def faults(folder: Path, texts: dict[str, str]) -> list[str]:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return check(folder, CATALOGUE)


def test_a_project_without_faults_is_taken(tmp_path: Path) -> None:
    assert faults(tmp_path, GOOD) == []


# What is replaced in which file, by what, and the sentence about it.
FAULTS = {
    "an expression without its end": (
        ORDERS, "sql: ${TABLE}.order_id ;;", "sql: ${TABLE}.order_id",
        f"{ORDERS}:7: sql does not end with ;; (two semicolons).",
    ),
    "one that swallows the parameter after it": (
        ORDERS, "    sql: ${amount} ;;\n    fil", "    sql: ${amount}\n    html: <b> ;;\n    fil",
        f"{ORDERS}:29: sql does not end with ;; (two semicolons).",
    ),
    "one on the line of its block": (
        PEOPLE, "    sql: ${TABLE}.city ;;\n  }", "    sql: ${TABLE}.city }",
        f"{PEOPLE}:8: sql does not end with ;; (two semicolons).",
    ),
    "the last expression of a file": (
        EXPLORES, "> 0 ;;\n  }\n}\n", "> 0\n  }\n}\n",
        f"{EXPLORES}:22: expression does not end with ;; (two semicolons).",
    ),
    "a brace too few": (
        PEOPLE, "city ;;\n  }\n}", "city ;;\n  }", f"{PEOPLE}:10: this cannot be read as LookML",
    ),
    "an unknown column": (
        ORDERS, "${TABLE}.order_date", "${TABLE}.order_day",
        f"{ORDERS}:15: marts.orders has no column order_day.",
    ),
    "an unknown column in quotes": (
        ORDERS, '${TABLE}."amount"', '${TABLE}."amuont"',
        f"{ORDERS}:20: marts.orders has no column amuont.",
    ),
    "a dimension named like no column": (
        ORDERS, "dimension: buyer {}", "dimension: byuer {}",
        f"{ORDERS}:22: marts.orders has no column byuer, and the dimension no sql.",
    ),
    "an unknown table": (
        ORDERS, "@{SCHEMA}.orders", "@{SCHEMA}.order",
        f"{ORDERS}:2: There is no table marts.order for the view orders.",
    ),
    "a table of another schema": (
        ORDERS, "@{SCHEMA}.orders", "staging.orders",
        f"{ORDERS}:2: There is no table staging.orders for the view orders.",
    ),
    "an unknown table in a query": (
        MODEL, "from @{SCHEMA}.orders", "from @{SCHEMA}.ordres",
        f"{MODEL}:5: There is no table marts.ordres.",
    ),
    "an unknown field": (
        ORDERS, "${amount} > 100", "${value} > 100",
        f"{ORDERS}:25: The view orders has no field value.",
    ),
    "a timeframe that the group has not": (
        ORDERS, "${placed_raw}", "${placed_month}",
        f"{ORDERS}:25: The view orders has no field placed_month.",
    ),
    "a field of an unknown view": (
        ORDERS, "${amount} > 100", "${line.amount} > 100",
        f"{ORDERS}:25: There is no view line here for ${{line.amount}}.",
    ),
    "an unknown field in Liquid": (
        EXPLORES, "placed_date._in_query", "placed_day._in_query",
        f"{EXPLORES}:5: The view orders has no field placed_day.",
    ),
    "an unknown field in a templated filter": (
        EXPLORES, "true {% else", "{% condition orders.place %} x {% endcondition %} {% else",
        f"{EXPLORES}:5: The view orders has no field place.",
    ),
    "an unknown field in a set": (
        ORDERS, "placed_date, amount]", "placed_date, amuont]",
        f"{ORDERS}:41: The view orders has no field amuont.",
    ),
    "an unknown set": (
        ORDERS, "[detail*, -buyer]", "[details*, -buyer]",
        f"{ORDERS}:31: The view orders has no set details.",
    ),
    "an unknown field in a filtered measure": (
        ORDERS, "[is_large:", "[is_big:", f"{ORDERS}:30: The view orders has no field is_big.",
    ),
    "an unknown field in a condition of a join": (
        EXPLORES, "${buyers.person_id}", "${buyers.id}",
        f"{EXPLORES}:11: The view buyers has no field id.",
    ),
    "a view that the explore does not join": (
        EXPLORES, "${buyers.person_id}", "${people.person_id}",
        f"{EXPLORES}:11: There is no view people here for ${{people.person_id}}.",
    ),
    "an unknown field of a join": (
        EXPLORES, "[buyers.city]", "[buyers.town]",
        f"{EXPLORES}:12: The view buyers has no field town.",
    ),
    "an unknown field in a filter of an explore": (
        EXPLORES, '[orders.placed_date: "7', '[orders.order_date: "7',
        f"{EXPLORES}:3: The view orders has no field order_date.",
    ),
    "a join of an unknown view": (
        EXPLORES, "from: people", "from: persons",
        f"{EXPLORES}:7: There is no view persons to join.",
    ),
    "a join without relationship": (
        EXPLORES, "    relationship: many_to_one\n", "",
        f"{EXPLORES}:7: The join buyers has no relationship.",
    ),
    "an unknown relationship": (
        EXPLORES, "many_to_one", "many_to_1",
        f"{EXPLORES}:10: 'many_to_1' is no relationship (buyers).",
    ),
    "an unknown type of a join": (
        EXPLORES, "left_outer", "left", f"{EXPLORES}:9: 'left' is no type of a join (buyers).",
    ),
    "a join on nothing": (
        EXPLORES, "    sql_on: ${orders.buyer} = ${buyers.person_id} ;;\n", "",
        f"{EXPLORES}:7: The join buyers does not say on what.",
    ),
    "a join that is there twice": (
        EXPLORES, "  join: buyers {",
        "  join: buyers { from: people type: cross relationship: one_to_one }\n  join: buyers {",
        f"{EXPLORES}:8: The explore orders joins buyers twice.",
    ),
    "an explore of an unknown view": (
        EXPLORES, "explore: people {}", "explore: persons {}",
        f"{EXPLORES}:15: There is no view persons for the explore persons.",
    ),
    "an unknown type of a measure": (
        ORDERS, "type: sum", "type: total",
        f"{ORDERS}:28: 'total' is no type of a measure (revenue).",
    ),
    "a measure without type": (
        ORDERS, "    type: count\n", "", f"{ORDERS}:33: '' is no type of a measure (count).",
    ),
    "a measure of nothing": (
        ORDERS, "    type: count\n", "    type: average\n",
        f"{ORDERS}:33: The measure count of type average has no sql.",
    ),
    "an unknown type of a dimension": (
        ORDERS, "type: yesno", "type: boolean",
        f"{ORDERS}:24: 'boolean' is no type of a dimension (is_large).",
    ),
    "an unknown timeframe": (
        ORDERS, "date, week]", "date, week, weeks]",
        f"{ORDERS}:12: 'weeks' is no timeframe (placed).",
    ),
    "something that is neither yes nor no": (
        ORDERS, "hidden: yes", "hidden: true", f"{ORDERS}:5: hidden is yes or no, not 'true'.",
    ),
    "two primary keys": (
        PEOPLE, "dimension: city {", "dimension: city {\n    primary_key: yes",
        f"{PEOPLE}:7: The view people has more than one primary key.",
    ),
    "a view that is there twice": (
        PEOPLE, "view: people {", "view: orders {}\nview: people {",
        f"{PEOPLE}:1: The view orders is there twice.",
    ),
    "a field that is there twice": (
        ORDERS, "measure: mean", "measure: count",
        f"{ORDERS}:36: The field count of the view orders is there twice.",
    ),
    "a dimension that a group makes as well": (
        ORDERS, "dimension: buyer {}", "dimension: placed_week { sql: ${TABLE}.buyer ;; }",
        f"{ORDERS}:22: The field placed_week of the view orders is there twice.",
    ),
    "an explore that is there twice": (
        EXPLORES, "explore: people {}", "explore: orders {}",
        f"{EXPLORES}:15: The explore orders is there twice.",
    ),
    "a test of an unknown explore": (
        EXPLORES, "explore_source: orders {", "explore_source: order {",
        f"{EXPLORES}:17: The test revenue_is_there lacks the explore order.",
    ),
    "a test of an unknown field": (
        EXPLORES, "field: orders.revenue", "field: orders.turnover",
        f"{EXPLORES}:18: The view orders has no field turnover.",
    ),
    "an unknown constant": (
        MODEL, "@{SCHEMA}", "@{SCHEME}",
        f"{MODEL}:5: There is no constant SCHEME in the project's manifest.",
    ),
    "an unknown datagroup": (
        MODEL, "persist_with: daily", "persist_with: weekly",
        f"{MODEL}:7: There is no datagroup weekly.",
    ),
    "an include of nothing": (
        MODEL, '"explores.lkml"', '"explorers.lkml"',
        f"{MODEL}:3: No file is called explorers.lkml.",
    ),
    "a model without connection": (
        MODEL, 'connection: "shop"\n', "", f"{MODEL}:1: The model has no connection.",
    ),
    "a view that extends nothing": (
        PEOPLE, "view: people {", "view: people {\n  extends: [humans]",
        f"{PEOPLE}:2: There is no view humans to extend.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_refused_by_file_and_line(tmp_path: Path, fault: str) -> None:
    file, good, bad, said = FAULTS[fault]
    assert GOOD[file].count(good) >= 1, "the test replaces nothing"
    found = faults(tmp_path, GOOD | {file: GOOD[file].replace(good, bad, 1)})
    assert any(sentence.startswith(said) for sentence in found), found


def test_one_fault_is_not_said_of_what_is_right(tmp_path: Path) -> None:
    file, good, bad, said = FAULTS["an unknown column"]
    assert faults(tmp_path, GOOD | {file: GOOD[file].replace(good, bad, 1)}) == [said]


def test_the_usual_parser_takes_an_expression_without_its_end() -> None:
    """Why this check exists; when lkml refuses it as well, ours may go."""
    file, good, bad, _ = FAULTS["an expression without its end"]
    assert lkml.load(GOOD[file].replace(good, bad, 1))


def test_what_a_view_inherits_is_there(tmp_path: Path) -> None:
    vip = (
        "view: vip {\n  extends: [people]\n  sql_table_name: marts.people ;;\n"
        "  dimension: where { sql: upper(${city}) ;; }\n}\n"
        "view: +people {\n  measure: cities { type: count_distinct sql: ${city} ;; }\n}\n"
        "explore: vip { sql_always_where: ${vip.city} is not null ;; }\n"
        'explore: more { from: people always_filter: { filters: [more.cities: ">1"] } }\n'
    )
    assert faults(tmp_path, GOOD | {"more.lkml": vip}) == []


def test_a_folder_without_lookml_is_refused(tmp_path: Path) -> None:
    [said] = check(tmp_path, CATALOGUE)
    assert said.endswith("There is no file *.lkml here.")
