-- A routed run stands in one worker's own lane while its state is ASSIGNED: `place` is that lane's number, and `lane` goes
-- on to name the one it was submitted to and comes back to. In any other state `place` means nothing.

alter table {ns}_run add column place integer not null default 0;
create index {ns}_name_routed on {ns}_name (id) where instr(text, '>') > 0;
