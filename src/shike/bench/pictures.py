"""The pictures of docs/timers.md. Where it can be, a picture is drawn from a real structure with real timers in it."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

from shike.bench.svg import BLUE, GREEN, ORANGE, PALE, Drawing
from shike.timer.calendar_wheel import CalendarWheel
from shike.timer.heap import BinaryHeap
from shike.timer.hierarchical_wheel import HierarchicalWheel
from shike.timer.rounds_wheel import Rider, RoundsWheel
from shike.timer.skip_list import SkipList
from shike.timer.slot_wheel import SlotWheel

WHENS = (21, 3, 34, 8, 13, 5, 27, 9, 30, 14)
FACE = 12  # slots of a drawn wheel
CELL, ROW = 52.0, 30.0


def sleep_loop() -> Drawing:
    """Everything is looked at, each time."""
    drawing = Drawing(640, 130, "Sleep loop: each look goes through all timers")
    for place, when in enumerate(WHENS):
        drawing.box(40 + place * 56, 60, 48, ROW, str(when), fill=ORANGE if when <= 9 else "#fff")
        drawing.line(64 + place * 56, 40, 64 + place * 56, 57, arrow=True)
    drawing.line(64, 40, 64 + (len(WHENS) - 1) * 56, 40)
    drawing.text(40, 28, "is it 9 yet? every timer is asked, every time")
    drawing.text(40, 114, "in the order they came; orange ones are due", size=12)
    return drawing


def linked_list() -> Drawing:
    """A new timer walks to its place."""
    drawing = Drawing(640, 140, "Sorted linked list: a new timer walks from the end to its place")
    ordered = sorted(WHENS)[:8]
    for place, when in enumerate(ordered):
        drawing.box(40 + place * 72, 30, 44, ROW, str(when), fill=ORANGE if place == 0 else "#fff")
        if place:
            drawing.line(12 + place * 72, 45, 38 + place * 72, 45, arrow=True)
    drawing.box(292, 92, 44, ROW, "11", fill=BLUE)
    drawing.line(314, 90, 314, 50, arrow=True)
    drawing.line(584, 76, 326, 76, arrow=True)
    drawing.text(350, 100, "compared with one after the other", size=12)
    drawing.text(40, 80, "next due", size=12)
    return drawing


def sorted_array() -> Drawing:
    """A binary search is quick, moving up is not."""
    drawing = Drawing(640, 140, "Sorted array: everything behind the new timer moves up")
    ordered = sorted(WHENS)
    for place, when in enumerate(ordered):
        later = when > 11
        drawing.box(40 + place * 50 + (50 if later else 0), 30, 50, ROW, str(when), fill=PALE if later else "#fff")
    drawing.box(40 + 4 * 50, 30, 50, ROW, "11", fill=BLUE)
    drawing.line(300, 78, 590, 78, arrow=True)
    drawing.text(300, 98, "these move up by one place", size=12)
    drawing.text(40, 98, "a binary search finds the place", size=12)
    return drawing


def heap() -> Drawing:
    """Each is earlier than the two below it."""
    drawing = Drawing(640, 270, "Binary heap: each timer is earlier than the two below it")
    queue: BinaryHeap[int] = BinaryHeap()
    queue.insert_many(WHENS, WHENS)
    spots = []
    for place in range(len(WHENS)):
        level = (place + 1).bit_length() - 1
        across = place + 1 - (1 << level)
        spots.append(((across + 0.5) * 600 / (1 << level) + 20, 40 + level * 60))
    for place, (x, y) in enumerate(spots[1:], 1):
        above = spots[(place - 1) // 2]
        drawing.line(above[0], above[1] + 18, x, y - 18)
    for entry, (x, y) in zip(queue._heap, spots, strict=True):
        drawing.circle(x, y, 18, str(entry.when), fill=ORANGE if entry.home == 0 else "#fff")
    drawing.text(350, 44, "the earliest is on top; nothing else is in order", size=12)
    return drawing


def b_plus_tree() -> Drawing:
    """Signposts above, a chain of sorted leaves below."""
    drawing = Drawing(640, 200, "B+ tree: signposts above a chain of sorted leaves")
    leaves = [[3, 5, 8], [9, 13, 14], [21, 27], [30, 34]]
    drawing.box(230, 20, 180, ROW, "9  ·  21  ·  30", fill=PALE)
    drawing.text(424, 40, "signposts to the leaves", size=12)
    for place, leaf in enumerate(leaves):
        x = 24 + place * 156
        drawing.box(x, 110, 122, ROW, "   ".join(map(str, leaf)), fill=ORANGE if place == 0 else "#fff")
        drawing.line(250 + place * 46, 50, x + 60, 107, arrow=True)
        if place:
            drawing.line(x - 34, 125, x - 3, 125, arrow=True)
    drawing.text(
        24, 170, "what is due is a walk along the leaves; a full leaf splits, a poor one joins its neighbour", size=12
    )
    return drawing


def skip_list() -> Drawing:
    """Express lanes above a sorted list."""
    queue: SkipList[int] = SkipList()
    queue.insert_many(WHENS * 2, WHENS * 2)
    nodes, node = [], queue._head.lanes[0]
    while node is not None:
        nodes.append(node)
        node = node.lanes[0]
    high = min(max(len(node.lanes) for node in nodes), 3)
    drawing = Drawing(760, 50 + (high + 1) * 40, "Skip list: one timer of four is also on the lane above")
    for lane in range(high):
        y = 30 + (high - 1 - lane) * 40
        drawing.box(8, y, 26, 24, "·", fill=PALE)
        last = 34.0
        for place, one in enumerate(nodes):
            if len(one.lanes) > lane:
                x = 56 + place * 35
                drawing.line(last, y + 12, x - 2, y + 12, arrow=True)
                drawing.box(x, y, 26, 24, str(one.key[0]), fill=BLUE if lane else "#fff")
                last = x + 26.0
    drawing.text(8, 46 + high * 40, "a search rides the upper lanes as far as it may, then steps down", size=12)
    return drawing


def _spot(slot: float, radius: float) -> tuple[float, float]:
    angle = 2 * pi * slot / FACE - pi / 2
    return 200 + radius * cos(angle), 200 + radius * sin(angle)


def _face(title: str, hand: int) -> Drawing:
    drawing = Drawing(640, 400, title)
    drawing.circle(200, 200, 150)
    drawing.circle(200, 200, 96)
    for slot in range(FACE):
        drawing.line(*_spot(slot - 0.5, 96), *_spot(slot - 0.5, 150))
        x, y = _spot(slot, 80)
        drawing.text(x, y + 4, str(slot), size=11, anchor="middle")
    drawing.line(200, 200, *_spot(hand, 64), arrow=True)
    return drawing


def slot_wheel() -> Drawing:
    """The hand moves on; what lies in its slot is due."""
    wheel: SlotWheel[int] = SlotWheel(1, FACE)
    wheel.pop_due(1)
    wheel.insert_many(WHENS, WHENS)
    drawing = _face("Wheel of slots: what lies in the slot that the hand reaches is due", 2)
    for place, slot in enumerate(wheel._slots):
        for row, entry in enumerate((slot or {}).values()):
            drawing.circle(*_spot(place, 124 + row * 40), 15, str(entry.when), fill=BLUE)
    drawing.text(380, 70, "one turn of the hand: times 2 to 13", size=12)
    drawing.text(380, 100, "more than a turn away, in a heap:", size=12)
    for place, key in enumerate(wheel._far.keys):
        drawing.box(380 + place % 4 * 50, 112 + place // 4 * 36, 44, ROW, str(key[0]), fill=PALE)
    drawing.text(380, 210, "insert: time modulo 12 is the slot", size=12)
    return drawing


def rounds_wheel() -> Drawing:
    """All lie in slots and count rounds."""
    wheel: RoundsWheel[int] = RoundsWheel(1, FACE)
    wheel.pop_due(1)
    wheel.insert_many(WHENS, WHENS)
    drawing = _face("Wheel with rounds: each timer counts how often the hand must still pass it by", 2)
    for place, slot in enumerate(wheel._slots):
        for row, entry in enumerate((slot or {}).values()):
            assert isinstance(entry, Rider)
            x, y = _spot(place, 124 if slot and len(slot) == 1 else 109 + row * 29)
            drawing.circle(x, y, 14, str(entry.when), fill=GREEN if entry.rounds else BLUE)
            drawing.text(x + 13, y - 11, f"×{entry.rounds}", size=11)
    drawing.text(400, 330, "blue: due in this round", size=12)
    drawing.text(400, 350, "green: so many rounds to go (×1, ×2)", size=12)
    drawing.text(400, 370, "the hand must visit every slot", size=12)
    return drawing


def hierarchical_wheel() -> Drawing:
    """A bit for each slot in use, wheel by wheel."""
    wheel: HierarchicalWheel[int] = HierarchicalWheel(1, 3)
    wheel.pop_due(1_000)
    whens = [1_003, 1_009, 1_015, 1_100, 1_130, 1_900, 3_000, 9_000, 50_000, 51_000, 130_000]
    wheel.insert_many(whens, whens)
    drawing = Drawing(760, 210, "Hierarchical wheel: a slot of one wheel is a whole turn of the next finer one")
    spans = ("slots of 1 ms", "slots of 64 ms", "slots of 4 s")
    for number, bits in enumerate(wheel._bits):
        y = 40 + number * 50
        hand = (wheel._hand >> number * 6) & 63
        drawing.text(8, y + 14, spans[number], size=12)
        for slot in range(64):
            used = bits >> slot & 1
            fill = BLUE if used else ORANGE if slot == hand else "#fff"
            drawing.box(110 + slot * 10, y, 10, 20, fill=fill)
    drawing.text(110, 24, "one row is one wheel of 64 slots; orange: the hand; blue: in use, a bit is set", size=12)
    drawing.text(
        8, 196, "The next timer lies in the first blue slot of the uppermost row that has one: no ticking.", size=12
    )
    return drawing


def calendar_wheel() -> Drawing:
    """As people count time."""
    day = 86_400
    wheel: CalendarWheel[str] = CalendarWheel(1)
    now = 20_515 * day + 10 * 3_600  # a Tuesday, 10:00
    wheel.pop_due(now)
    ahead = {"5 s": 5, "2 min": 120, "3 h": 10_800, "in 2 d": 2 * day, "next week": 8 * day, "in June": 95 * day}
    for words, seconds in ahead.items():
        wheel.insert(now + seconds, words)
    drawing = Drawing(700, 250, "Wheels of the calendar: what is far waits in the slot of its month")
    names = ("month", "week", "day", "hour", "minute", "second")
    for number, (name, slots) in enumerate(zip(names, wheel._wheels, strict=True)):
        y = 20 + number * 36
        drawing.box(20, y, 90, 28, name, fill=PALE)
        for place, slot in enumerate(slots.values()):
            words = ", ".join(entry.item for entry in slot.values())
            drawing.box(140 + place * 150, y, 130, 28, words, fill=BLUE)
        if number:
            drawing.line(65, y - 8, 65, y - 2, arrow=True)
    drawing.text(430, 60, "when a month begins, its timers are", size=12)
    drawing.text(430, 78, "handed down to weeks; when a week", size=12)
    drawing.text(430, 96, "begins, to days; and so on", size=12)
    return drawing


def calendar() -> Drawing:
    """Columns of times and items."""
    drawing = Drawing(720, 290, "Packed calendar queue: a column per second, sorted only when its second comes")
    columns = {"12:00:00": [340, 12, 770], "12:00:01": [901, 15, 402, 33, 640], "12:00:02": [77], "12:00:04": [5, 818]}
    for place, (name, offsets) in enumerate(columns.items()):
        x = 24 + place * 130
        drawing.text(x, 24, name, size=12)
        shown = sorted(offsets) if place == 0 else offsets
        for row, offset in enumerate(shown):
            y = 36 + row * ROW
            drawing.box(x, y, CELL, ROW, f"+{offset}", fill=ORANGE if place == 0 else "#fff")
            cancelled = (place, row) == (1, 2)
            drawing.box(x + CELL, y, CELL, ROW, "✕" if cancelled else "item", fill=PALE)
    drawing.box(560, 36, 130, 90, "13:10 … 14:21", fill=PALE)
    drawing.text(560, 24, "far: wide buckets", size=12)
    drawing.text(24, 220, "orange: being served, sorted in the idle time before", size=12)
    drawing.text(24, 240, "the others: in the order they came; an insertion is an append to its column", size=12)
    drawing.text(24, 260, "a cancellation is one store (✕): the token says column and row", size=12)
    drawing.text(24, 280, "a second that is crowded is split into 64 narrower ones", size=12)
    return drawing


def delay_queue() -> Drawing:
    """One waits for the clock, the others to be told."""
    drawing = Drawing(700, 210, "Delay queue: the leader waits for the clock, the followers to be told")
    drawing.box(40, 80, 150, 40, "next due: 12:00:07", fill=PALE)
    drawing.circle(330, 60, 26, "A", fill=ORANGE)
    drawing.text(366, 56, "leads: sleeps until 12:00:07", size=12)
    drawing.line(300, 66, 194, 92, arrow=True)
    for place, name in enumerate("BC"):
        drawing.circle(330 + place * 70, 150, 26, name, fill=BLUE)
    drawing.text(444, 154, "follow: sleep until they are told", size=12)
    drawing.box(40, 20, 150, ROW, "insert for 12:00:03", fill=GREEN)
    drawing.line(115, 50, 115, 77, arrow=True)
    drawing.line(190, 112, 302, 146, arrow=True)
    drawing.text(200, 190, "an earlier timer takes the lead from A and wakes B, who leads now", size=12)
    return drawing


PICTURES: dict[str, Callable[[], Drawing]] = {
    "sleep-loop": sleep_loop,
    "linked-list": linked_list,
    "sorted-array": sorted_array,
    "heap": heap,
    "b-plus-tree": b_plus_tree,
    "skip-list": skip_list,
    "slot-wheel": slot_wheel,
    "rounds-wheel": rounds_wheel,
    "hierarchical-wheel": hierarchical_wheel,
    "calendar-wheel": calendar_wheel,
    "calendar": calendar,
    "delay-queue": delay_queue,
}
