-- How many of the runs that one waits for are not over (`graphs.sql`). Such a run's `holding` is 65,536 and its permits.

alter table {ns}_gated add column parents integer not null default 0;
