"""An application of the interval ledger and of Shike's schedules: a railway that sells its seats.

Read it so: `model` has the nouns; `gtfs` reads a timetable, `timetable` searches it; `carriage` and `composition` say
what seats a train has and what the ledger is told of them; `tariff`, `ladder` and `passenger` are the rules of trade,
all of them pure; `order` and `payment` decide what becomes of an order, and `desk` does it. `waiting` and `disruption`
are what else becomes of seats; `counter` is a desk over one file, `sale/` plays a day's sale with a crowd.
"""
