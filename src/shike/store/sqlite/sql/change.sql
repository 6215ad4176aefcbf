-- name: lane_exists
select 1 from {ns}_lane where lane = ? and run_at = ? and id = ?;

-- name: lane_leave
delete from {ns}_lane where lane = ? and run_at = ? and id = ?;

-- name: gated_leave
delete from {ns}_gated where id = ?;

-- name: run_ask
update {ns}_run set cancel = ?, version = version + 1 where id = ?;

-- name: run_hold
update {ns}_run set holding = holding + ? where id = ?;

-- name: run_rewrite
update {ns}_run set body = ? where id = ?;

-- name: run_move
update {ns}_run set state = ?, lane = ?, run_at = ?, version = version + 1 where id = ?;
