"""Shike beside its peers: the same work, in one run, ratios first.

`python -m benchmarks` runs every measure, `--only drain` one of them. Each repeat visits every system before the
next repeat begins, so that a change of the machine's mood hits all of them; what is told is the median, and the
median of the ratios within each repeat. Nothing here is a test: a figure never fails a build.
"""
