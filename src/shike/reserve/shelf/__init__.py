"""What is left, put where others read it (R1.9): in Redis for many who ask, in tables for questions of the back office.

`base` says what a shelf is, `projector` fills it from the journal's tail, at a pace of its own, and rebuilds it at any
time. A shelf has a number for each segment: what a section has left is the least of its segments'. That is exact where
takes may be moved, and a bound from above where units are fixed with the sale; a `Board` in the process that answers is
exact always.
"""
