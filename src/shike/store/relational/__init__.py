"""The store protocol on a server database: verbs written once, over statements that each dialect names alike.

Read `tx` first (the hands of a verb) and `link` (what a dialect has to give), then a verb a file, as in `memory` and
`sqlite`: `submit` and `arrivals`, `claims`, `settle` and `outcomes`, `change`, `sessions` and `rescue`, `schedules`,
`keeping`, `reads`. `store` is the face, `runner` what begins, commits and repeats, `pools` the connections.

Concurrency: READ COMMITTED and explicit row locks, always taken in this order:

    bucket < schedule < gate < key < dead letter < lease < run < lane entry

A claim's lane entries are the exception: it takes them first, but skips those that are locked and so waits for nobody.
Whoever deletes a run's lane entry has the run; whoever holds a lease's lock says what became of its runs. A deadlock
that is possible all the same (two moves of one batch on one run) is found by the server, and the verb is repeated.
"""
