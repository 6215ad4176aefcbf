"""A day's sale, played: a crowd that buys by the seconds, and a writer that is killed while it does.

What must never happen: a seat sold twice (P9); something that was told — a hold, a ticket, a place on the waiting
list — that the journal does not have; money that is nobody's ticket and does not go back.

`crowd` says who comes and how they behave; `writer` is the process that is killed, `line` talks to it and starts it
anew; `play` lets the hour pass; `proof` reads the journal afterwards, against what was told; `picture` draws it.
"""
