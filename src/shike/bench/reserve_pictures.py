"""The pictures of docs/reserve.md, drawn from real ledgers with real takes in them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from shike.bench.svg import BLUE, GREEN, ORANGE, PALE, PAPER, Drawing
from shike.reserve import commands, events
from shike.reserve.ledger import Ledger
from shike.reserve.model import Binding, Fill, Line, Pool, Sale, Unit

COLOURS = (BLUE, ORANGE, GREEN, "#8a6aa8", "#708090", "#b09040")
CELL, ROW = 74.0, 28.0
AT = 1_800_000_000_000_000


def three_ways() -> Drawing:
    """The same three takes on three units, reused and fresh."""
    drawing = Drawing(640, 190, "Three takes on three units: reused, or each on a fresh one")
    for place, (fill, words) in enumerate(((Fill.BEST, "reused first"), (Fill.FRESH, "fresh first"))):
        ledger = _opened(3, 3, Binding.AT_SALE, fill)
        for start in range(3):
            _hold(ledger, start, start + 1)
        left = 40 + place * 310
        _grid(drawing, ledger, left, 56)
        whole = ledger.state.pools["unit"].fit(0, 3).bit_count()
        drawing.text(left, 28, f"{words}: {whole} left from A to D")
        drawing.text(left, 176, "each segment has 2 to spare", size=12)
    return drawing


def bitsets() -> Drawing:
    """One big integer per segment; a section is their AND."""
    drawing = Drawing(640, 230, "Free units as one bitset per segment; a section is their AND")
    ledger = _opened(8, 4, Binding.AT_SALE, Fill.FRESH)
    for start, end in ((0, 2), (2, 4), (1, 3), (0, 1), (2, 3), (3, 4)):
        _hold(ledger, start, end)
    pool = ledger.state.pools["unit"]
    rows = [(f"{label}–{after}", mask) for label, after, mask in zip("ABCD", "BCDE", pool.free, strict=True)]
    for place, (words, mask) in enumerate([*rows, ("A–E: AND", pool.fit(0, 4))]):
        y = 40 + place * 34 + (10 if place == len(rows) else 0)
        drawing.text(130, y + 19, words, anchor="end")
        for unit in range(8):
            free = mask >> unit & 1
            drawing.box(150 + unit * 40, y, 36, ROW, str(free), fill=PAPER if free else PALE)
        drawing.text(490, y + 19, f"{mask.bit_count()} free")
    drawing.text(150, 26, "a bit per unit: 1 is free", size=12)
    return drawing


def tail_swap() -> Drawing:
    """Before and after room is made for one more."""
    drawing = Drawing(640, 210, "A tail swap: what begins after a cut changes units, so that one is free all the way")
    ledger = _opened(3, 4, Binding.ON_DEMAND, Fill.FRESH)
    for start, end in ((0, 2), (2, 4), (1, 3)):
        _hold(ledger, start, end)
    _hold(ledger, 3, 4)
    _grid(drawing, ledger, 30, 60, cell=62)
    held = ledger.do(commands.Hold("more", AT, "unit", 0, 4))
    assert isinstance(held, events.Held)
    _grid(drawing, ledger, 345, 60, cell=62)
    drawing.text(30, 30, "before: every segment has a unit to spare")
    drawing.text(345, 30, f"after: order {held.order} has one all the way")
    drawing.text(30, 190, f"{len(held.moves)} takes were moved, and none of them begins before its cut", size=12)
    return drawing


def writing() -> Drawing:
    """From commands to answers, by way of one commit."""
    drawing = Drawing(640, 150, "Commands are decided at once; what gathers during a commit is the next frame")
    steps = [
        (30, 120, "commands", PAPER),
        (185, 120, "decide, apply", BLUE),
        (340, 120, "next frame", PALE),
        (495, 115, "journal", GREEN),
    ]
    for x, width, words, fill in steps:
        drawing.box(x, 50, width, 36, words, fill=fill)
    for x in (150, 305, 460):
        drawing.line(x, 68, x + 34, 68, arrow=True)
    drawing.line(245, 86, 245, 118)
    drawing.line(245, 118, 92, 118)
    drawing.line(92, 118, 92, 89, arrow=True)
    drawing.text(104, 136, "refusals at once", size=12)
    drawing.line(552, 50, 552, 26)
    drawing.line(552, 26, 92, 26)
    drawing.line(92, 26, 92, 47, arrow=True)
    drawing.text(240, 18, "acceptances, once the frame is committed", size=12)
    return drawing


def _opened(units: int, segments: int, binding: Binding, fill: Fill) -> Ledger:
    ledger = Ledger("picture")
    line = Line(tuple("ABCDEFGH"[: segments + 1]))
    pool = Pool("unit", tuple(Unit(str(number)) for number in range(units)), 0, binding, fill)
    ledger.do(commands.Open("open", AT, line, (pool,), sales=(Sale("", 1),)))
    return ledger


def _hold(ledger: Ledger, start: int, end: int) -> None:
    ledger.do(commands.Hold(f"{ledger.state.version}", AT, "unit", start, end))


def _grid(drawing: Drawing, ledger: Ledger, left: float, top: float, *, cell: float = CELL) -> None:
    """Units down, the line across, a colour per order."""
    state = ledger.state
    for place, label in enumerate(state.labels):
        drawing.text(left + place * cell, top - 8, label, anchor="middle", size=12)
    for unit in range(state.pools["unit"].size):
        for segment in range(state.segments):
            drawing.box(left + segment * cell, top + unit * (ROW + 4), cell, ROW)
    for order in state.live_orders():
        x, width = left + order.start * cell, (order.end - order.start) * cell
        y = top + order.units[0] * (ROW + 4)
        drawing.box(x, y, width, ROW, str(order.number), fill=COLOURS[(order.number - 1) % len(COLOURS)])


PICTURES: dict[str, Callable[[], Drawing]] = {
    "three-ways": three_ways,
    "bitsets": bitsets,
    "tail-swap": tail_swap,
    "writing": writing,
}


def main(folder: str) -> None:
    """Draw all of them: `python -m shike.bench.reserve_pictures docs/reserve`."""
    for name, picture in PICTURES.items():
        Path(folder, f"{name}.svg").write_text(str(picture()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
