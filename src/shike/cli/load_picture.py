"""The load map as a picture: a bar for each share, as wide as the window allows. Only the live map loads this."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from shike.operate.load_map import LoadMap, WorkerLoad
from shike.route.bounds import LAGGING_SECONDS, SPREAD_MAX

BAR_MIN, BAR_MAX = 3, 24  # less would say nothing: then the percent stands alone
FIXED = 64  # columns of figures and gaps beside names and bars
NAME_MAX = 28
BARS = 4
BUSY, FULL = 0.6, 0.9  # from here on yellow, and red


def draw(found: LoadMap, *, width: int) -> RenderableType:
    """The whole map."""
    names = [_name(one) for one in found.workers]
    longest = max((name.cell_len for name in names), default=0)
    room = min((width - FIXED - longest) // BARS, BAR_MAX)
    room = room if room >= BAR_MIN else 0
    table = Table(box=None, padding=(0, 1), expand=False)
    for heading in ("worker", "CPU", "memory", "I/O", "slots", "lane", "index", "runs/s"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("lane", "index", "runs/s") else "left")
    for one, name in zip(found.workers, names, strict=True):
        table.add_row(name, *_row(one, room))
    below = Text(f"spread {found.spread:.2f}", "yellow" if found.spread > SPREAD_MAX else "dim")
    for queue, runs in sorted(found.halls.items()):
        below.append(f"   {queue}: {runs:,} wait for a worker", "yellow")
    title = f"{len(found.workers)} workers · {found.at.astimezone():%H:%M:%S} · Ctrl-C ends"
    body = Group(table if found.workers else Text("no worker is there", "dim"), Text(), below)
    return Panel(body, title=title, border_style="blue", expand=False)


def _name(one: WorkerLoad) -> Text:
    """Red where it is silent; with its tags, as far as there is room."""
    name = Text(one.name, "red" if one.silent_seconds > LAGGING_SECONDS else "bold")
    if one.tags:
        name.append(f" {','.join(one.tags)}", "dim")
    name.truncate(NAME_MAX, overflow="ellipsis")
    return name


def _row(one: WorkerLoad, room: int) -> list[Text]:
    return [
        bar(one.cpu, room),
        bar(one.memory, room),
        bar(one.io, room),
        bar(one.busy / one.slots, room).append(f" {one.busy}/{one.slots}"),
        Text(f"{one.lane:,}", "yellow" if one.lane > one.slots else ""),
        Text(f"{one.index:.2f}", _style(one.index)),
        Text(f"{one.runs_per_second:,.1f}"),
    ]


def bar(share: float, room: int) -> Text:
    """A share of the whole as so many blocks of `room`, with its percent."""
    full = min(max(round(share * room), 0), room)
    style = _style(share)
    return Text("█" * full, style).append("░" * (room - full), "dim").append(f" {share:>4.0%}", "" if room else style)


def _style(share: float) -> str:
    return "red" if share >= FULL else "yellow" if share >= BUSY else "green"
