"""The bounds of a sale that is played: named constants with their reasons. Units stand last in the name."""

from __future__ import annotations

BUYERS_MAX = 1_000_000  # what is told of them is kept in memory: about 2 KB each
KILLS_MAX = 20  # each costs a start of Python
IN_FLIGHT_MAX = 2_000  # commands that wait for their answers: what a second of a rush gathers
LINE_BYTES_MAX = 16 * 1024 * 1024  # of one answer; the opening of the largest train has 200 KB
STARTS_MAX = 50  # of a writer that ends again and again by itself: then something else is wrong
STOP_SECONDS = 60.0  # for a writer to commit what it has, at the end

STEP_SECONDS = 1  # what falls due within one is asked at once; nobody in the crowd acts twice within it
LOOK_SECONDS = 10  # so often those who wait look whether they were served
TELL_ANSWERS = 25_000  # so often it is told how far a sale has come
RECOUNT_EVENTS = 250  # between two counts of everything by the ledger's own verifier; ours counts after each event
PROBLEMS_MAX = 20  # told of one proof
