-- name: tied_bodies
select body from {ns}_run where id in (select value from json_each(?)) and holding >= 65536;

-- name: gated_parents
select parents from {ns}_gated where id = ?;

-- name: gated_one_less
update {ns}_gated set parents = parents - ? where id = ? returning parents;

-- name: gated_await
update {ns}_gated set run_at = ? where id = ?;

-- name: run_await
update {ns}_run set run_at = ?, version = version + 1 where id = ?;

-- name: load_tied
update {ns}_run set holding = 65536 where id = ?;

-- name: load_parents
update {ns}_gated set parents = (
    select count(*) from {ns}_run where id in (select value from json_each(?))
) where id = ?;
