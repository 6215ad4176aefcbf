-- How many of the runs that one waits for are not over (`graphs.sql`). Such a run's `holding` is 65,536 and its permits.
-- MySQL knows no `add column if not exists`.

set @shike_step = if(
    exists (
        select 1 from information_schema.columns
        where table_schema = database() and table_name = '{ns}_gated' and column_name = 'parents'
    ),
    'do 0',
    'alter table {ns}_gated add column parents int not null default 0'
);
prepare shike_step from @shike_step;
execute shike_step;
deallocate prepare shike_step;
