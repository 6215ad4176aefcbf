"""The interval ledger: capacity over an ordered line of atomic segments, none of it sold twice (P9).

A line has positions 0 … S; segment k lies between k and k + 1. A take holds one unit of a pool from `start` to `end`,
that is on the segments start … end − 1. What the positions are — stations, nights, slots of time — is the caller's.

Read `model.py` (all nouns), `deciding.py` and `applying.py` (the two halves of every change), `seats.py` (which unit),
`clerk.py` (the one writer) and `journal/` (what is kept). docs/reserve.md explains it with pictures.
"""
