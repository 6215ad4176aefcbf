-- For whoever follows the ends of runs that did not succeed (`unsuccessful`). Few rows stand in it: most runs succeed.

create index {ns}_history_other_index on {ns}_history (ended_at, id) where state <> 5;
