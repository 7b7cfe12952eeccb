-- Days are made by arithmetic: the range is that of int_shop_calendar.
select series_date as date_day
from {{ date_series("date '2000-01-01'", "date '2050-12-31'") }} as series
