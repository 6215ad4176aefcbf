-- name: name_number
select id from {ns}_name where text = ?;

-- name: name_text
select text from {ns}_name where id = ?;

-- name: name_give
insert into {ns}_name (text) values (?);
