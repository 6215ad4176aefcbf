"""A sale as it went, drawn: the first two minutes by the second, the hour by the minute, and the fullest train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from shike.bench.svg import BLUE, GREEN, INK, ORANGE, PALE, RED, Drawing
from shike.rail.sale.proof import Fill
from shike.rail.sale.simulate import Played

WIDTH, LEFT, RIGHT, HEIGHT, PANEL, TOP = 900.0, 60.0, 20.0, 150.0, 225.0, 66.0
RUSH: Final = ("held", "refused", "too early")
HOUR: Final = ("paid", "expired", "given back", "served")
COLOURS: Final = (GREEN, ORANGE, RED, BLUE)
RUSH_SECONDS, HOUR_MINUTES = 120, 90

Series = Mapping[str, Counter[int]]


def draw(played: Played) -> str:
    """The picture as SVG."""
    fill = played.proof.fullest
    drawing = Drawing(WIDTH, TOP + 2 * PANEL + (PANEL if fill else 0), f"The sale of {played.day}")
    drawing.text(16, 28, f"{played.buyers:,} buyers, {played.trains} trains of {played.day}", size=18)
    killed = f"writer killed {len(played.outages)} times, {played.proof.problem_count} problems found"
    words = f"{played.proof.tickets:,} tickets sold and not given back; {killed}"
    drawing.text(16, 48, words, size=12)
    rush = {name: played.tally.seconds[name] for name in RUSH}
    _panel(drawing, TOP, "asked for seats, a second after the opening", rush, RUSH_SECONDS, 10)
    _kills(drawing, TOP, played.tally.kills)
    minutes = {name: _by_minute(played.tally.seconds[name]) for name in HOUR}
    _panel(drawing, TOP + PANEL, "what became of it, a minute after the opening", minutes, HOUR_MINUTES, 10)
    if fill is not None:
        _train(drawing, TOP + 2 * PANEL, fill)
    return str(drawing)


def _by_minute(seconds: Counter[int]) -> Counter[int]:
    minutes: Counter[int] = Counter()
    for second, count in seconds.items():
        minutes[second // 60] += count
    return minutes


def _panel(drawing: Drawing, y: float, title: str, series: Series, places: int, step: int) -> None:
    """Bars upon each other, one stack for each second or minute; those before the opening are left out."""
    drawing.text(LEFT, y, title, size=14)
    for index, name in enumerate(series):
        x = WIDTH - RIGHT - (len(series) - index) * 110
        drawing.bar(x, y - 10, 11, 11, COLOURS[index])
        drawing.text(x + 16, y, name, size=12)
    sums = [sum(one[place] for one in series.values()) for place in range(places)]
    _grid(drawing, y, max(1, *sums), places, step)
    width, scale = (WIDTH - LEFT - RIGHT) / places, HEIGHT / max(1, *sums)
    for place in range(places):
        bottom = y + 20 + HEIGHT
        for index, one in enumerate(series.values()):
            if one[place]:
                height = one[place] * scale
                bottom -= height
                drawing.bar(LEFT + place * width, bottom, width - 1, height, COLOURS[index])


def _kills(drawing: Drawing, y: float, seconds: Sequence[int]) -> None:
    """Where in the first panel the writer was killed; later kills stand in the words above."""
    for second in seconds:
        if 0 <= second < RUSH_SECONDS:
            x = LEFT + (second + 0.5) * (WIDTH - LEFT - RIGHT) / RUSH_SECONDS
            drawing.line(x, y + 20, x, y + 20 + HEIGHT, fill=RED)
            drawing.text(x + 4, y + 32, "kill -9", size=10, fill=RED)


def _grid(drawing: Drawing, y: float, most: int, places: int, step: int) -> None:
    top, bottom = y + 20, y + 20 + HEIGHT
    for part in (0, 0.5, 1):
        at = bottom - part * HEIGHT
        drawing.line(LEFT, at, WIDTH - RIGHT, at, fill=PALE)
        drawing.text(LEFT - 6, at + 4, f"{most * part:,.0f}", size=11, anchor="end")
    drawing.line(LEFT, top, LEFT, bottom)
    for place in range(0, places + 1, step):
        x = LEFT + place * (WIDTH - LEFT - RIGHT) / places
        drawing.text(x, bottom + 16, str(place), size=11, anchor="middle")


def _train(drawing: Drawing, y: float, fill: Fill) -> None:
    """How many of a class are taken, from each call to the next."""
    title = (
        f"the fullest train: {fill.ledger}, {fill.pool}, {fill.share:.0%} of its {fill.size} seats all along the way"
    )
    drawing.text(LEFT, y, title, size=14)
    segments: Sequence[int] = fill.taken
    _grid(drawing, y, fill.size, len(segments), max(1, len(segments) // 10))
    width = (WIDTH - LEFT - RIGHT) / max(1, len(segments))
    for segment, taken in enumerate(segments):
        height = HEIGHT * taken / max(1, fill.size)
        drawing.bar(LEFT + segment * width, y + 20 + HEIGHT - height, width - 2, height, GREEN)
        drawing.line(LEFT + segment * width, y + 20, LEFT + segment * width + width - 2, y + 20, fill=INK)
