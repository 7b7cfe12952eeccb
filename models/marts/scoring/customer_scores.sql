{{ score_history(last_day_only=true) }}
