-- A routed run stands in one worker's own lane while its state is ASSIGNED: `place` is that lane's number, and `lane` goes
-- on to name the one it was submitted to and comes back to. In any other state `place` means nothing. MySQL knows no
-- `add column if not exists`.

set @shike_step = if(
    exists (
        select 1 from information_schema.columns
        where table_schema = database() and table_name = '{ns}_run' and column_name = 'place'
    ),
    'do 0',
    'alter table {ns}_run add column place int not null default 0'
);
prepare shike_step from @shike_step;
execute shike_step;
deallocate prepare shike_step;
