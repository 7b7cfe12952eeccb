"""What can be said of a statement in BigQuery's dialect without asking BigQuery.

sqlglot's parser is permissive: it takes the functions, types and clauses of every engine, and names
that are reserved. So these are looked up besides in what BigQuery has. Nothing here knows what
columns there are, of which type an expression is, or what a function takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

# BigQuery's reference, "Function list", without those of AI, geography, sketches, networks,
# encryption and privacy. A name that is missing here fails a test, one too many hides a mistake.
FUNCTIONS = frozenset(
    """
    abs acos acosh any_value approx_count_distinct approx_quantiles approx_top_count approx_top_sum
    array array_agg array_concat array_concat_agg array_first array_last array_length array_reverse
    array_slice array_to_string ascii asin asinh atan atan2 atanh avg
    bit_and bit_count bit_or bit_xor bool bool_array byte_length
    cast cbrt ceil ceiling char_length character_length chr coalesce code_points_to_bytes
    code_points_to_string collate concat contains_substr corr cos cosh cot coth count countif
    covar_pop covar_samp csc csch cume_dist current_date current_datetime current_time
    current_timestamp
    date date_add date_bucket date_diff date_from_unix_date date_sub date_trunc datetime
    datetime_add datetime_bucket datetime_diff datetime_sub datetime_trunc dense_rank div
    ends_with error exp extract
    farm_fingerprint first_value float64 float64_array floor format format_date format_datetime
    format_time format_timestamp from_base32 from_base64 from_hex
    generate_array generate_date_array generate_range_array generate_timestamp_array generate_uuid
    greatest grouping
    if ifnull ieee_divide initcap instr int64 int64_array is_inf is_nan
    json_array json_array_append json_array_insert json_extract json_extract_array
    json_extract_scalar json_extract_string_array json_flatten json_keys json_object json_query
    json_query_array json_remove json_set json_strip_nulls json_type json_value json_value_array
    justify_days justify_hours justify_interval
    lag last_day last_value lax_bool lax_float64 lax_int64 lax_string lead least left length ln log
    log10 logical_and logical_or lower lpad ltrim
    make_interval max max_by md5 min min_by mod
    normalize normalize_and_casefold nth_value ntile nullif nullifzero
    octet_length
    parse_bignumeric parse_date parse_datetime parse_json parse_numeric parse_time parse_timestamp
    percent_rank percentile_cont percentile_disc pow power
    rand range range_bucket range_contains range_end range_overlaps range_sessionize range_start
    rank regexp_contains regexp_extract regexp_extract_all regexp_instr regexp_replace
    regexp_substr repeat replace reverse right round row_number rpad rtrim
    safe_add safe_cast safe_convert_bytes_to_string safe_divide safe_multiply safe_negate
    safe_subtract sec sech session_user sha1 sha256 sha512 sign sin sinh soundex split sqrt
    starts_with stddev stddev_pop stddev_samp string string_agg string_array strpos struct substr
    substring sum
    tan tanh time time_add time_diff time_sub time_trunc timestamp timestamp_add timestamp_bucket
    timestamp_diff timestamp_micros timestamp_millis timestamp_seconds timestamp_sub
    timestamp_trunc to_base32 to_base64 to_code_points to_hex to_json to_json_string translate trim
    trunc typeof
    unicode unix_date unix_micros unix_millis unix_seconds unnest upper
    var_pop var_samp variance
    zeroifnull
    """.split()  # noqa: SIM905
)

# What stands before a bracket without being a function.
SYNTAX = frozenset(
    """
    all and any as between by case distinct else end except exists filter from having in intersect
    interval join like limit not offset on or order over partition qualify select some then union
    using values when where window with
    """.split()  # noqa: SIM905
)

TYPES = frozenset(
    """
    array bigdecimal bigint bignumeric bool boolean byteint bytes date datetime decimal float64
    geography int int64 integer interval json numeric range smallint string struct time timestamp
    tinyint
    """.split()  # noqa: SIM905
)

# BigQuery's reference, "Reserved keywords".
RESERVED = frozenset(
    """
    all and any array as asc assert_rows_modified at between by case cast collate contains create
    cross cube current default define desc distinct else end enum escape except exclude exists
    extract false fetch following for from full group grouping groups hash having if ignore in inner
    intersect interval into is join lateral left like limit lookup merge natural new no not null
    nulls of on or order outer over partition preceding proto qualify range recursive respect right
    rollup rows select set some struct tablesample then to treat true unbounded union unnest using
    when where window with within
    """.split()  # noqa: SIM905
)

CLAUSES = {
    exp.Filter: "filter (where ...)",
    exp.Lateral: "lateral",
    exp.WithinGroup: "within group",
    exp.AtTimeZone: "at time zone",
}
OPERATORS = {
    TokenType.ARROW: "->",
    TokenType.DARROW: "->>",
    TokenType.DCOLON: "::",
}
NO_ESCAPE = re.compile(r"""\\[^abfnrtvxuU0-7\\?"'`\n]""")

_DIALECT = Dialect.get_or_raise("bigquery")


def findings(statement: str) -> list[str]:
    """What BigQuery would not understand in a statement, sorted; nothing where all is well."""
    try:
        tokens = _DIALECT.tokenize(statement)
        trees = [tree for tree in _DIALECT.parser().parse(tokens, statement) if tree]
    except SqlglotError as error:
        return [f"does not parse: {str(error).splitlines()[0]}"]
    found = {f"no function {name}()" for name in _functions(tokens)}
    found |= {f"no type {name}" for name in _types(tokens)}
    found |= {f"no {OPERATORS[t.token_type]}" for t in tokens if t.token_type in OPERATORS}
    found |= {f"no escape {name}" for name in _escapes(tokens, statement)}
    for tree in trees:
        found.update(_of_tree(tree))
    return sorted(found)


def _functions(tokens: list[Token]) -> Iterator[str]:
    """Names before a bracket that BigQuery has no function for."""
    for before, token, following in zip([None, *tokens], tokens, tokens[1:], strict=False):
        name = token.text.lower()
        is_table = before is not None and before.text.lower() in ("table", "exists", ".")
        if (
            following.token_type == TokenType.L_PAREN
            and name.isidentifier()
            and name not in FUNCTIONS | SYNTAX | TYPES
            and not (is_table and tokens[0].text.lower() == "create")
        ):
            yield name


def _types(tokens: list[Token]) -> Iterator[str]:
    """The types of casts, and of a new table's columns, that BigQuery does not call so."""
    creates = tokens[:1] != [] and tokens[0].text.lower() == "create"
    inside: list[str] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1].text.lower() if place else ""
        name = None
        if token.token_type == TokenType.L_PAREN:
            inside.append(before)
        elif token.token_type == TokenType.R_PAREN and inside:
            inside.pop()
        elif token.token_type == TokenType.ALIAS and inside and inside[-1] in ("cast", "safe_cast"):
            name = tokens[place + 1].text.lower()
        if creates and len(inside) == 1 and token.text in ("(", ","):
            name = tokens[place + 2].text.lower()
        if name is not None and name not in TYPES:
            yield name


def _escapes(tokens: list[Token], statement: str) -> Iterator[str]:
    """Backslashes in texts before what needs none."""
    for token in tokens:
        if token.token_type == TokenType.STRING:
            yield from NO_ESCAPE.findall(statement[token.start : token.end + 1])


def _of_tree(tree: exp.Expression) -> Iterator[str]:
    """Clauses, reserved names and decimals that BigQuery does not take."""
    for node in tree.walk():
        if type(node) in CLAUSES:
            yield f"no {CLAUSES[type(node)]}"
        elif isinstance(node, exp.Identifier) and not node.quoted and node.name.lower() in RESERVED:
            yield f"reserved name {node.name.lower()}"
        elif isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL:
            precision, scale = ([int(part.name) for part in node.expressions] + [0, 0])[:2]
            if scale > 9 or precision - scale > 29:
                yield f"no decimal({precision}, {scale})"
        elif isinstance(node, exp.TableAlias) and node.columns and node.this:
            yield f"no names of columns behind {node.name}"
