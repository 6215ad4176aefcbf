"""How many tickets can a train sell? (R1.14: "how many can G71 sell?")

**Claim.** A class of *u* seats on a line of *s* segments that is sold out — no seat is free on any segment — has sold
at least *u* and at most *u · s* tickets, and each number between is possible.

**Proof.** Sold out means that the tickets of one seat are disjoint stretches that cover all *s* segments: a way of
cutting the line into *k* parts, *1 ≤ k ≤ s*. *k = 1* is one ticket for the whole way, *k = s* one for each segment, and
the *s − 1* inner stations, each a cut or none, give every *k* between. So one seat sells 1 to *s* tickets; *u* seats,
each cut by itself, sell the sum of *u* such numbers: every number from *u* to *u · s*. More cannot be: each ticket
takes at least one of the *u · s* segments of seats. Fewer cannot be: each seat is on some ticket, and no ticket is on
two. ∎

So G71 with its 16 segments and 20 + 200 + 500 seats sells 720 tickets if all go from Beijing to Shenzhen, 11,520 if all
go one stop, and anything between: how many depends on what is asked for, and no count of tickets says how full it is.
"""

from __future__ import annotations

from shike.errors import BadTrip


def tickets_possible(segments: int, seats: int) -> range:
    """The numbers of tickets with which a class is sold out. Raises `BadTrip` for less than one segment or seat."""
    if segments < 1 or seats < 1:
        raise BadTrip(f"a line has at least one segment and a class one seat, not {segments} and {seats}")
    return range(seats, seats * segments + 1)


def sold_out_with(segments: int, seats: int, tickets: int) -> list[list[tuple[int, int]]]:
    """The construction of the proof: for each seat its tickets as (board, alight), sold out with just so many. Raises
    `BadTrip` for a number that cannot be."""
    possible = tickets_possible(segments, seats)
    if tickets not in possible:
        raise BadTrip(
            f"{seats} seats on {segments} segments sell {possible[0]} to {possible[-1]} tickets, not {tickets}"
        )
    plan, extra = [], tickets - seats
    for _ in range(seats):
        cuts = min(extra, segments - 1)
        extra -= cuts
        plan.append([*((at, at + 1) for at in range(cuts)), (cuts, segments)])
    return plan
