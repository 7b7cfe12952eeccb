{{ config(materialized='view') }}

{{ score_history() }}
