-- How many of the runs that one waits for are not over (`graphs.sql`). Such a run's `holding` is 65,536 and its permits.
--
-- Of these indexes only the primary key may hold the id: a plan that is made while the table is nearly empty takes any
-- index that an id is found in, and would then read all of it for each of ten thousand children.

alter table {ns}_gated add column parents int not null default 0;
drop index {ns}_gated_gate_index;
create index {ns}_gated_gate_index on {ns}_gated (gate, run_at);
drop index {ns}_gated_run_at_index;
create index {ns}_gated_run_at_index on {ns}_gated (run_at);
