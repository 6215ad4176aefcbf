"""When a process has done enough."""

from __future__ import annotations

from typing import Any

import pytest

from shike.errors import BadSetting
from shike.worker.recycle import Limits, rss_bytes, should_recycle


@pytest.mark.parametrize(
    ("limits", "reached", "words"),
    [
        (Limits(max_runs=10), {"runs_done": 9}, ""),
        (Limits(max_runs=10), {"runs_done": 10}, "10 runs"),
        (Limits(max_rss_bytes=1 << 20), {"runs_done": 0, "rss_bytes": 1 << 20}, ""),
        (Limits(max_rss_bytes=1 << 20), {"runs_done": 0, "rss_bytes": 5 << 20}, "5 MiB of memory"),
        (Limits(max_seconds=60.0), {"runs_done": 0, "age_seconds": 59.9}, ""),
        (Limits(max_seconds=60.0), {"runs_done": 0, "age_seconds": 60.0}, "60 s old"),
        (Limits(max_abandoned=2), {"runs_done": 0, "abandoned": 1}, ""),
        (Limits(max_abandoned=2), {"runs_done": 0, "abandoned": 2}, "2 threads held"),
        (Limits(max_abandoned=0), {"runs_done": 10**9, "rss_bytes": 10**15, "age_seconds": 1e9, "abandoned": 999}, ""),
    ],
)
def test_a_process_is_replaced_when_it_reaches_a_limit_and_not_before(
    limits: Limits, reached: dict[str, Any], words: str
) -> None:
    reason = should_recycle(limits, **reached)
    assert words in reason
    assert bool(reason) == bool(words)


@pytest.mark.parametrize("name", ["max_runs", "max_rss_bytes", "max_seconds", "max_abandoned"])
def test_a_negative_limit_is_refused(name: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} = -1: "):
        Limits(**{name: -1})


def test_the_memory_of_this_process_grows_with_what_it_holds() -> None:
    before = rss_bytes()
    hoard = bytearray(b"x" * (32 << 20))
    assert 30 << 20 < rss_bytes() - before < 120 << 20
    del hoard
