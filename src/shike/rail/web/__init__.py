"""The railway over HTTP: for passengers, who need no account, and for staff, who have an access key.

`table` says what there is, who may, and by which rule; nothing is served that does not stand there. `router` makes a
Litestar router of it, to stand in the server of Shike or to run alone (`application`, `shike rail serve`). `sessions`
know passengers, access keys of the server know staff; `door` guards. `searching`, `buying`, `operating`, `till` are
the rooms behind it, `pages` and `staff_pages` show them to people.
"""
