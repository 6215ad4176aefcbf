-- name: wakeup_open
-- The last news so far.
select coalesce(max(number), 0) from {ns}_news;

-- name: wakeup_present
-- Show the others that this connection listens, as long as it lives: by a named lock, at place $1, if nobody has that one.
select get_lock(concat('shike/ear/', left(sha1(concat(database(), '/{ns}')), 20), '/', $1), 0);

-- name: wakeup_wait
-- $1 the last news this ear has heard, $2 how long to sleep for more. Who has some ends the second statement, which
-- holds no table while it sleeps.
set @shike_ear_of_{ns} = exists (select 1 from {ns}_news where number > $1);
select sleep(if(@shike_ear_of_{ns}, 0, $2));

-- name: wakeup_news
select number, teller, body from {ns}_news where number > $1 order by number;

-- name: wakeup_tell
-- Rows of (teller, body). Answers the connections that listen, here or in other processes, and which of them sleep until
-- there is news: those that do not will look by themselves.
insert into {ns}_news (teller, body) values $*;
delete from {ns}_news where number <= cast(last_insert_id() as signed) - 1000;
select id, true from information_schema.processlist
where db = database() and (
    info like 'select sleep(if(@shike\_ear\_of\_{ns},%' or info like 'set @shike\_ear\_of\_{ns} %'
)
union all
select is_used_lock(concat('shike/ear/', left(sha1(concat(database(), '/{ns}')), 20), '/', p.place)), false
from (select 0 as place union all select 1 union all select 2 union all select 3) p;

-- name: wakeup_end
kill query $1;
