"""Every bound of the interval ledger, each with its reason. Units stand last in the name."""

from __future__ import annotations

SEGMENTS_MAX = 10_000  # a week of minutes; a longer line is a rolling one (`Advance`)
UNITS_MAX = 100_000  # of one pool: 12 KB a bitset; beyond it counters serve better
CAPACITY_MAX = 1_000_000_000  # of an anonymous pool
POOLS_MAX = 64  # a train has a dozen classes
RULES_MAX = 1_000  # of one ledger; each is looked at once per pool, section and channel
COUNT_MAX = 100  # takes of one order
PEOPLE_CHARS_MAX = 100  # a reference to a person, never a name with an address
INTEGER_MAX = 1 << 62  # instants and prices: what JSON, databases and other languages hold
NAME_CHARS_MAX = 200  # pools, rules, units, labels
KEY_CHARS_MAX = 200  # command ids, payments: index keys in every journal
PLANS_MAX = 20_000  # sections looked up before, kept for the next time; a line of 17 positions and 3 pools has 408
WAITS_MAX = 100_000  # in one ledger; further ones are refused, so that the list stays servable
TTL_SECONDS = 15 * 60.0  # of a hold, unless the command says otherwise
TTL_SECONDS_MAX = 366 * 86_400.0  # a hold for longer is a sale
REMEMBER_SECONDS = 24 * 3600.0  # a repeated command id is answered as before for so long; clients retry for minutes
REMEMBER_MAX = 50_000  # and for so many commands of one ledger, so that its snapshot stays small
CHANGES_MAX = 8  # of units within one itinerary; nobody wants more
PLENTY = 20  # above so many free units the read side says "plenty", to keep caches quiet

BATCH_MAX = 1_000  # events of one frame: beyond it they gain nothing, and databases bound what a row may have
QUEUE_MAX = 100_000  # commands waiting for one clerk; further ones are told to come again
SNAPSHOT_EVENTS = 2_000  # a snapshot is written after so many events: replaying them takes 15 ms
LOOK_SECONDS = 1.0  # so long a clerk refuses new wishes without looking whether another one has written meanwhile
LEDGERS_MAX = 10_000  # held in the memory of one clerk; the one unused for longest is dropped, and read again on use
