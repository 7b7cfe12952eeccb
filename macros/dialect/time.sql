{#- Dialect: what each engine says in its own words. Nothing here knows about customers. -#}

{#- The calendar date of a UTC timestamp in an IANA zone. DuckDB casts to a zoned type first. -#}
{% macro local_date(utc_timestamp, zone) -%}
    {{ return(adapter.dispatch('local_date', 'customer_health')(utc_timestamp, zone)) }}
{%- endmacro %}
{% macro default__local_date(utc_timestamp, zone) -%}
    cast(({{ utc_timestamp }} at time zone 'UTC') at time zone {{ zone }} as date)
{%- endmacro %}
{% macro spark__local_date(utc_timestamp, zone) -%}
    cast(from_utc_timestamp({{ utc_timestamp }}, {{ zone }}) as date)
{%- endmacro %}
{% macro bigquery__local_date(utc_timestamp, zone) -%}
    date({{ utc_timestamp }}, {{ zone }})
{%- endmacro %}

{#- A relation with one column, `series_date`: every date from first to last, both included. -#}
{% macro date_series(first, last) -%}
    {{ return(adapter.dispatch('date_series', 'customer_health')(first, last)) }}
{%- endmacro %}
{% macro default__date_series(first, last) -%}
    (
        select cast(unnest(generate_series({{ first }}, {{ last }}, interval '1 day')) as date)
            as series_date
    )
{%- endmacro %}
{% macro spark__date_series(first, last) -%}
    (select explode(sequence({{ first }}, {{ last }}, interval 1 day)) as series_date)
{%- endmacro %}
{% macro bigquery__date_series(first, last) -%}
    (select series_date from unnest(generate_date_array({{ first }}, {{ last }})) as series_date)
{%- endmacro %}

{#- A date moved by whole days; the number may be a column. -#}
{% macro days_after(date_expression, days) -%}
    {{ return(adapter.dispatch('days_after', 'customer_health')(date_expression, days)) }}
{%- endmacro %}
{% macro default__days_after(date_expression, days) -%}
    ({{ date_expression }} + cast({{ days }} as integer))
{%- endmacro %}
{% macro spark__days_after(date_expression, days) -%}
    date_add({{ date_expression }}, cast({{ days }} as int))
{%- endmacro %}
{% macro bigquery__days_after(date_expression, days) -%}
    date_add({{ date_expression }}, interval cast({{ days }} as int64) day)
{%- endmacro %}

{#- Whole days from the earlier date to the later one. -#}
{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between', 'customer_health')(earlier, later)) }}
{%- endmacro %}
{% macro default__days_between(earlier, later) -%}
    ({{ later }} - {{ earlier }})
{%- endmacro %}
{% macro spark__days_between(earlier, later) -%}
    datediff({{ later }}, {{ earlier }})
{%- endmacro %}
{% macro bigquery__days_between(earlier, later) -%}
    date_diff({{ later }}, {{ earlier }}, day)
{%- endmacro %}

{#- A timestamp moved by whole minutes. -#}
{% macro minutes_after(timestamp_expression, minutes) -%}
    {{ return(adapter.dispatch('minutes_after', 'customer_health')(timestamp_expression, minutes)) }}
{%- endmacro %}
{% macro default__minutes_after(timestamp_expression, minutes) -%}
    ({{ timestamp_expression }} + {{ minutes }} * interval '1 minute')
{%- endmacro %}
{% macro spark__minutes_after(timestamp_expression, minutes) -%}
    timestampadd(minute, {{ minutes }}, {{ timestamp_expression }})
{%- endmacro %}
{% macro bigquery__minutes_after(timestamp_expression, minutes) -%}
    timestamp_add({{ timestamp_expression }}, interval {{ minutes }} minute)
{%- endmacro %}

{#- The UTC timestamp of local midnight; near enough where midnight is skipped or repeated. -#}
{% macro local_midnight(date_expression, zone) -%}
    {{ return(adapter.dispatch('local_midnight', 'customer_health')(date_expression, zone)) }}
{%- endmacro %}
{% macro default__local_midnight(date_expression, zone) -%}
    ((cast({{ date_expression }} as timestamp) at time zone {{ zone }}) at time zone 'UTC')
{%- endmacro %}
{% macro spark__local_midnight(date_expression, zone) -%}
    to_utc_timestamp(cast({{ date_expression }} as timestamp), {{ zone }})
{%- endmacro %}
{% macro bigquery__local_midnight(date_expression, zone) -%}
    timestamp({{ date_expression }}, {{ zone }})
{%- endmacro %}

{#- Microseconds since 1970 of a UTC timestamp, a whole number. -#}
{% macro epoch_microseconds(utc_timestamp) -%}
    {{ return(adapter.dispatch('epoch_microseconds', 'customer_health')(utc_timestamp)) }}
{%- endmacro %}
{% macro default__epoch_microseconds(utc_timestamp) -%}epoch_us({{ utc_timestamp }}){%- endmacro %}
{% macro spark__epoch_microseconds(utc_timestamp) -%}
    unix_micros(cast({{ utc_timestamp }} as timestamp))
{%- endmacro %}
{% macro bigquery__epoch_microseconds(utc_timestamp) -%}unix_micros({{ utc_timestamp }}){%- endmacro %}
{% macro postgres__epoch_microseconds(utc_timestamp) -%}
    cast(extract(epoch from {{ utc_timestamp }}) * 1000000 as bigint)
{%- endmacro %}

{#- Month and day of a date as MM-DD, which sorts and compares as text. -#}
{% macro month_day(date_expression) -%}
    {{ return(adapter.dispatch('month_day', 'customer_health')(date_expression)) }}
{%- endmacro %}
{% macro default__month_day(date_expression) -%}strftime({{ date_expression }}, '%m-%d'){%- endmacro %}
{% macro spark__month_day(date_expression) -%}date_format({{ date_expression }}, 'MM-dd'){%- endmacro %}
{% macro bigquery__month_day(date_expression) -%}
    format_date('%m-%d', {{ date_expression }})
{%- endmacro %}
{% macro postgres__month_day(date_expression) -%}to_char({{ date_expression }}, 'MM-DD'){%- endmacro %}

{#- The date of a year in which a date's month and day return; 29 February is 1 March elsewhere. -#}
{% macro anniversary(date_expression, year) -%}
    {{ return(adapter.dispatch('anniversary', 'customer_health')(date_expression, year)) }}
{%- endmacro %}
{% macro default__anniversary(date_expression, year) -%}
    ({{ days_after(
        'make_date(cast(' ~ year ~ ' as integer), cast(month(' ~ date_expression ~ ') as integer), 1)',
        'day(' ~ date_expression ~ ') - 1'
    ) }})
{%- endmacro %}
{% macro bigquery__anniversary(date_expression, year) -%}
    ({{ days_after(
        'date(' ~ year ~ ', extract(month from ' ~ date_expression ~ '), 1)',
        'extract(day from ' ~ date_expression ~ ') - 1'
    ) }})
{%- endmacro %}

{#- Whole days from a date to the next return of another date's month and day; 0 on the day itself. -#}
{% macro days_to_anniversary(date_expression, from_date) -%}
    {%- set this_year = anniversary(date_expression, 'extract(year from ' ~ from_date ~ ')') -%}
    {%- set next_year = anniversary(date_expression, 'extract(year from ' ~ from_date ~ ') + 1') -%}
    case
        when {{ this_year }} >= {{ from_date }} then {{ days_between(from_date, this_year) }}
        else {{ days_between(from_date, next_year) }}
    end
{%- endmacro %}
