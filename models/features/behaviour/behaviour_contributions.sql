-- What each kind of event adds to the behaviour score, under every version in play.
with {{ behaviour_of_days('contributions', ref('customer_days')) }}

select * from contributions
