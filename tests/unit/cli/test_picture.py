"""The live screen as it is seen: every width and height shows whole lines in one whole frame."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from shike.cli.picture import bars, draw
from shike.cli.status import Next, Snapshot
from shike.operate.facts import RunFacts
from shike.store.base import Counts

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BROKEN = "a reason with [brackets], a line\nbreak, and many more words than any column has room for"


def run(state: str, task: str, reason: str = "") -> RunFacts:
    return RunFacts(
        id="7", task=task, state=state, queue="default", band=3, due_at=AT, late_seconds=0.123, reason=reason
    )


def snapshot(**changed: Any) -> Snapshot:
    """A busy day: large figures, long names, two kinds of signs."""
    facts: dict[str, Any] = {
        "at": AT,
        "uptime_seconds": 7.3,
        "counts": Counts(running=123, eligible=1_234_567, scheduled=12_345_678, dead=4_321),
        "running_here": 100,
        "slots": 10_000,
        "per_second": 12_345.6,
        "ended": {"SUCCESS": 123_456_789, "FAILED": 1_000},
        "late_p50_seconds": 0.012,
        "late_p99_seconds": 59.9,
        "due_by_second": [1, 2, 3, 0, 5, 100] * 10,
        "next": [Next(AT, 0.4, "default/orders.arrive", "t"), Next(AT, 59.99, "时刻表/夜间盘点库存并发送日报", "t")]
        * 4,
        "recent": [run("SUCCESS", "mail.send"), run("CANCELLED", "shop.orders." + "x" * 60, BROKEN)] * 6,
        **changed,
    }
    return Snapshot(**facts)


def lines(shown: Snapshot, width: int, height: int, title: str = "shike up · shop.py · sqlite:///shop.db") -> list[str]:
    out = StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, legacy_windows=False)
    console.print(draw(shown, title, width=width, height=height))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [*range(40, 130), 200, 400])
def test_every_line_is_as_wide_as_the_window_inside_one_frame(width: int) -> None:
    found = lines(snapshot(), width, 24, title="shike up · shop.py · sqlite:////" + "a/long/path/" * 9)
    assert {cell_len(line) for line in found} == {width}
    assert found[0][0] + found[0][-1] + found[-1][0] + found[-1][-1] == "╭╮╰╯"
    assert all(line[0] == line[-1] == "│" for line in found[1:-1])


@pytest.mark.parametrize("width", [60, 80, 200])
def test_figures_and_states_are_shown_whole(width: int) -> None:
    text = "\n".join(lines(snapshot(), width, 24))
    for word in ("running", "eligible", "scheduled", "late p50 / p99", "done/s", "failures", "dead letters"):
        assert word in text
    for word in (
        "100 of 10000",
        "1,234,567",
        "12 ms / 59.90 s",
        "CANCELLED",
        "123 ms",
        "due in the next 60 s",
        "1,110",
    ):
        assert word in text


@pytest.mark.parametrize(("width", "height"), [(60, 20), (80, 24), (80, 18), (120, 30), (200, 60)])
def test_it_leaves_the_last_row_of_the_window_free(width: int, height: int) -> None:
    assert len(lines(snapshot(), width, height)) < height


def test_a_reason_is_shown_where_there_is_room_and_nothing_is_shortened_without_a_sign() -> None:
    assert "a reason with [brackets], a line break" in "\n".join(lines(snapshot(), 160, 24))
    narrow = "\n".join(lines(snapshot(), 60, 24))
    assert "a reason" not in narrow and "…" in narrow


def test_a_process_that_did_nothing_yet_has_a_picture() -> None:
    empty = snapshot(
        counts=Counts(), slots=0, ended={}, late_p50_seconds=None, late_p99_seconds=None, next=[], recent=[]
    )
    assert "–" in "\n".join(lines(empty, 80, 24))


def test_the_highest_bar_is_full_and_nothing_has_no_bar() -> None:
    assert bars([0, 1, 8]) == " ▁█" and bars([0, 0]) == "  " and bars([]) == ""
