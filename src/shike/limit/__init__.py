"""Limits over the cluster: what may be under way at once, how often, and whose turn it is.

A limit is declared with a task, counted by an argument of the call, and changed while everything runs. A run of a
limited task waits before the lane (`shike.limit.gates`); a node decides by pure functions (`shike.limit.deciding`) what
the kinds (a file each in `shike.limit.kinds`) allow, and admits it (`shike.scheduler.limiter`). Stores know nothing of
it but guards and control rows.
"""
