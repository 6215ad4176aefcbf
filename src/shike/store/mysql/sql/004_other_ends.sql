-- For whoever follows the ends of runs that did not succeed (`unsuccessful`). The server has no indexes of a part of the
-- rows, and MySQL knows no `create index if not exists`.

set @shike_step = if(
    exists (
        select 1 from information_schema.statistics
        where table_schema = database() and index_name = '{ns}_history_other_index'
    ),
    'do 0',
    'create index {ns}_history_other_index on {ns}_history (state, ended_at)'
);
prepare shike_step from @shike_step;
execute shike_step;
deallocate prepare shike_step;
