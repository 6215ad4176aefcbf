-- How long the lease of a session is, so that an expiry which cannot be is seen. 0: an older program does not say.

alter table {ns}_session add column lease_seconds real not null default 0;
