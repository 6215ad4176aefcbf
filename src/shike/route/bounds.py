"""The bounds of this room, each with its reason."""

from __future__ import annotations

from typing import Final

VIRTUAL_NODES: Final = 800  # of one worker on the ring: shares differ by 1/sqrt(800) = 3.5 %, so max/mean ≤ 1.15
RING_KEPT: Final = 4_096  # workers whose points are remembered: a fleet that comes and goes does not hash anew
BEST_TOLD: Final = 3  # scores that a decision keeps; all of them come back from the snapshot
AFFINE_KEYS_MAX: Final = 10_000  # remembered; those used longest ago are forgotten first, and chosen for anew
TASKS_REMEMBERED: Final = 1_000  # by strategies that look back, each for as many tasks
GONE_KEPT: Final = 256  # workers more than there are, in such a memory: they may be back with the next snapshot
TAG_CHARS_MAX: Final = 100  # a tag is a word
SLOTS_MAX: Final = 10_000  # of one run: more than any worker has
LAGGING_SECONDS: Final = 3.0  # three beats missed: nothing more goes to that worker, and its lane moves on
LANE_AHEAD_SECONDS: Final = 0.25  # of a worker's measured work that may stand in its lane: some rounds of the router
WEIGHT_MIN: Final = 0.05  # the most loaded worker still gets a twentieth, or nobody would see it recover
SPREAD_MAX: Final = 0.2  # standard deviation of the load over the workers above which runs are moved …
SPREAD_CALM: Final = 0.1  # … until it is below this: two thresholds, so that it does not swing
MOVES_PER_RUN_MAX: Final = 2  # a run that was moved so often stays
MOVES_PER_ROUND_MAX: Final = 500  # one write
DIVIDED_ANEW_MAX: Final = 4_000  # of one lane, when workers come or go: eight writes
MOVES_REMEMBERED: Final = 10_000  # runs: a new router forgets, and may move each so often again
LOOK_SECONDS: Final = 0.05  # between two looks while runs wait in halls for room: a quarter of what lanes hold ahead
SNAPSHOTS_KEPT: Final = 120  # one per round of beats in which something was decided; with 100 workers some MB
HOUR_STEP_SECONDS: Final = 30.0  # so often one of them is kept for longer, to decide a stretch again by another route …
HOUR_KEPT: Final = 120  # … of an hour
PACKED_FROM_BYTES: Final = 1_024  # a snapshot that is larger is compressed
