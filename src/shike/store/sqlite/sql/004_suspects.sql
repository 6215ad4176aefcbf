-- How many suspects may share a process, and what is known of a session's end. `solo` of a lease is its `Manner` now: what
-- older programs wrote there, 1 for a suspect alone, reads as suspects together.

alter table {ns}_run add column together integer not null default 0;
update {ns}_run set together = 1 where lane & 8;
alter table {ns}_session add column died integer not null default 0;
alter table {ns}_session add column held integer not null default 0;
