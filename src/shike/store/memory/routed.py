"""What is routed: halls, and workers' own lanes."""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace

from shike.lanes import is_routed
from shike.model import Attempt, Live
from shike.store.base import STANDING_COUNTED, Standing
from shike.store.decided import decisions_of
from shike.store.memory.lanes import Lane
from shike.store.memory.tables import Tables


def lanes(tables: Tables) -> list[Standing]:
    now = tables.now()
    found: dict[str, list[Live]] = {}
    for kind in (tables.lanes, tables.suspects):
        for name, lane in kind.all():
            if is_routed(name):
                found.setdefault(name, []).extend(islice(lane.between(-1, now), STANDING_COUNTED))
    return [
        Standing(name, min(len(runs), STANDING_COUNTED), min(live.run_at for live in runs))
        for name, runs in sorted(found.items())
        if runs
    ]


def standing(tables: Tables, name: str, limit: int) -> list[Live]:
    now = tables.now()
    bands: dict[int, list[Lane]] = {}
    for kind in (tables.lanes, tables.suspects):
        for band, lane in kind.by_queue.get(name, {}).items():
            bands.setdefault(band, []).append(lane)
    found: list[Live] = []
    for band in sorted(bands):
        runs = [live for lane in bands[band] for live in islice(lane.between(-1, now), limit)]
        found += sorted(runs, key=lambda live: (live.run_at, live.run.id))
    return [replace(live) for live in found[:limit]]


def of_band(tables: Tables, name: str, band: int, after: int, limit: int) -> list[Live]:
    lane = tables.lanes.by_queue.get(name, {}).get(band)
    return [replace(live) for live in islice(lane.between(after, tables.now()), limit)] if lane is not None else []


def decisions(tables: Tables, run_id: int) -> list[Attempt]:
    return decisions_of(tables.written_of(run_id))
