-- The bands that one customer entered up to a day, latest first, what moved them there, and when
-- they will leave the one they are in if nothing happens.
select
    scorecard_id,
    entered_on,
    band_before,
    band,
    score_before,
    score_after,
    moved_by,
    case when left_on is null or left_on > $day then leaves_on end as leaves_on,
    case when left_on is null or left_on > $day then leaves_for end as leaves_for
from marts.score_changes
where customer_key = $customer and entered_on <= $day
order by
    entered_on desc,
    scorecard_id asc
