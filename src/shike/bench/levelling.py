"""How even a ring of workers shares keys, and how soon lanes are level: by the code that decides both in a cluster."""

from __future__ import annotations

from collections import Counter
from statistics import pstdev
from typing import Final, NamedTuple

from shike.bench.svg import BLUE, ORANGE, PALE, Drawing
from shike.route.balance import Balance
from shike.route.bounds import MOVES_PER_RUN_MAX, SPREAD_CALM
from shike.route.load import indices
from shike.route.nouns import Candidate
from shike.route.ring import Ring, place_of_key

WORKERS: Final = 100
KEYS: Final = 100_000
FLEET: Final = 4
SLOTS: Final = 4
LANES: Final = (40, 400, 4_000)  # runs that wait in the lane of the one; the others have nothing
RUN_SAMPLES: Final = 2  # how many rounds of beats a run takes
SAMPLES: Final = 12
WIDTH, HEIGHT, LEFT, TOP = 720, 260, 60, 40


class Evenness(NamedTuple):
    """Keys over a ring: the fullest worker beside the mean, and what moves when one leaves, in parts of 1/n."""

    workers: int
    keys: int
    fullest: float
    moved: float
    others_moved: int  # keys of workers that stayed


class Sample(NamedTuple):
    """One round of beats: the runs that each worker has, and the standard deviation of their load after it."""

    number: int
    had: tuple[int, ...]
    spread: float
    shifted: int
    moves_most: int  # of one run, so far


def evenness(workers: int = WORKERS, keys: int = KEYS) -> Evenness:
    """Every worker leaves once, by itself; the worst of them is told."""
    names = tuple(f"worker-{number}" for number in range(workers))
    places = [place_of_key(f"key-{number}") for number in range(keys)]
    before = _owners(names, places)
    counts = Counter(before)
    worst, others = 0, 0
    for gone in (max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)):
        after = _owners(tuple(name for name in names if name != gone), places)
        moved = [was for was, now in zip(before, after, strict=True) if was != now]
        worst, others = max(worst, len(moved)), others + sum(was != gone for was in moved)
    return Evenness(workers, keys, max(counts.values()) * workers / keys, worst * workers / keys, others)


def _owners(names: tuple[str, ...], places: list[int]) -> list[str]:
    ring = Ring()
    ring.of(names)
    return [names[next(ring.onward(place, 1))[1]] for place in places]


class _Yard:
    """Workers, the runs in their lanes, and what becomes of them from beat to beat."""

    def __init__(self, waiting: int) -> None:
        self.lanes: list[list[int]] = [list(range(waiting)), *([] for _ in range(FLEET - 1))]
        self.busy: list[list[int]] = [[] for _ in range(FLEET)]  # rounds that each run under way still takes
        self.moves: Counter[int] = Counter()
        self.balance = Balance()

    def seen(self) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(
                session=str(number), number=number, name=f"worker-{number}", host=f"h{number}", slots=SLOTS,
                busy=len(busy), lane=len(lane), cpu=len(busy) / SLOTS, memory=0.3,
            )
            for number, (lane, busy) in enumerate(zip(self.lanes, self.busy, strict=True))
        )  # fmt: skip

    def beat(self, number: int) -> Sample:
        """Runs end and begin; the workers tell, and what the balance says is done."""
        for lane, busy in zip(self.lanes, self.busy, strict=True):
            busy[:] = [rounds - 1 for rounds in busy if rounds > 1]
            free = SLOTS - len(busy)
            busy += [RUN_SAMPLES] * len(lane[:free])
            del lane[:free]
        shifted = 0
        for shift in self.balance.decide(self.seen()):
            source, target = self.lanes[int(shift.source)], self.lanes[int(shift.target)]
            going = [run for run in reversed(source) if self.moves[run] < MOVES_PER_RUN_MAX][: shift.count]
            gone = set(going)
            source[:] = [run for run in source if run not in gone]
            target += going
            self.moves.update(going)
            shifted += len(going)
        spread = pstdev(min(index, 1.0) for index in indices(self.seen()))
        had = tuple(len(lane) + len(busy) for lane, busy in zip(self.lanes, self.busy, strict=True))
        return Sample(number, had, spread, shifted, max(self.moves.values(), default=0))


def levelling(waiting: int) -> list[Sample]:
    """One worker has so many runs in its lane, three have none: round by round until all is done, or SAMPLES."""
    yard = _Yard(waiting)
    return [yard.beat(number) for number in range(1, SAMPLES + 1)]


def level_after(samples: list[Sample]) -> int:
    """The round from which on the load stays level as long as there is enough for all; 0: never."""
    full = [sample for sample in samples if min(sample.had) >= SLOTS]
    uneven = [sample.number for sample in full if sample.spread >= SPREAD_CALM]
    first = full[0].number if full else 0
    return max(uneven, default=first - 1) + 1 if full else 0


def plot(stories: dict[int, list[Sample]]) -> str:
    """The runs of each worker, round by round: one panel for each beginning."""
    drawing = Drawing(WIDTH, HEIGHT * len(stories), "Lanes are levelled")
    for panel, (waiting, samples) in enumerate(stories.items()):
        top = panel * HEIGHT + TOP
        high = max(max(sample.had) for sample in samples)
        drawing.text(16, top - 16, f"{waiting:,} runs in one lane, three workers idle: what each has after each round")
        step = (WIDTH - LEFT - 20) / len(samples)
        for place, sample in enumerate(samples):
            x = LEFT + place * step
            drawing.text(x + step / 2, top + HEIGHT - 70, str(sample.number), size=10, anchor="middle")
            for number, had in enumerate(sample.had):
                tall = (HEIGHT - 100) * had / high
                colour = ORANGE if number == 0 else BLUE
                drawing.bar(x + number * step / 5, top + HEIGHT - 90 - tall, step / 5 - 1, tall, colour)
        drawing.line(LEFT, top + HEIGHT - 90, WIDTH - 20, top + HEIGHT - 90, fill=PALE)
        drawing.text(LEFT - 6, top + 14, f"{high:,}", size=10, anchor="end")
    return str(drawing)
