"""Runs that depend on others: what the end of a parent does to them in the same step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from shike.model import Run, State
from shike.store.children import TIED, Doom, children, dooms, parents, verdict, waits_on
from shike.store.hints import Hint, HintKind
from shike.store.rows import Facts, unpack_run
from shike.store.sqlite import outcomes
from shike.store.sqlite.records import listed
from shike.store.sqlite.tx import Tx

if TYPE_CHECKING:
    from shike.store.sqlite.outcomes import Endings

Over = tuple[Run, State, tuple[str, ...]]  # a parent, how it ended, which branches it chose


def is_held(tx: Tx, run: Facts) -> bool:
    """Whether a run waits for others that are not over."""
    if run.state is not State.WAITING or run.holding < TIED:
        return False
    return bool((tx.one("gated_parents", run.id) or (0,))[0])


def load(tx: Tx, run: Run, state: State) -> None:
    """One that comes from another store: the parents that it waits for are those that are alive."""
    tx.run("load_tied", run.id)
    if state is State.WAITING and run.ties and run.ties.after:
        tx.run("load_parents", listed([parent for parent, _ in parents(run)]), run.id)


def resolve(endings: Endings, over: dict[int, tuple[State, tuple[str, ...]]]) -> None:
    """Free the children of these runs, or end those that must not run, and theirs, level by level. `over`: those that
    hold something, in the order in which they ended."""
    bodies = (unpack_run(body) for (body,) in endings.tx.all("tied_bodies", listed(over)))
    tied = {run.id: run for run in bodies if run.ties and run.ties.before}
    met: list[Over] = []
    doomed = outcomes.Endings(endings.tx, endings.now)  # by nobody's acknowledgement
    for run_id, (state, chosen) in over.items():
        if (run := tied.get(run_id)) is None:
            continue
        if not dooms(run, state, chosen):
            met.append((run, state, chosen))
            continue
        _met(endings, met)
        met = []
        _cascade(endings, doomed, (run, state, chosen))
    _met(endings, met)
    doomed.write()


def _met(endings: Endings, over: Sequence[Over]) -> None:
    """Parents that no child minds: one less to wait for, each."""
    _one_less(endings, Counter(child for run, _, _ in over for child, _ in children(run)))


def _cascade(endings: Endings, ended: Endings, first: Over) -> None:
    level = [first]
    while level:
        doomed: dict[int, Doom] = {}
        fewer: Counter[int] = Counter()
        for run, state, chosen in level:
            for child, link in children(run):
                doom = verdict(link, run, state, chosen)
                if doom is None:
                    fewer[child] += 1
                else:
                    doomed.setdefault(child, doom)
        _one_less(endings, Counter({child: count for child, count in fewer.items() if child not in doomed}))
        level = _end(ended, doomed)


def _waiting(tx: Tx, ids: Iterable[int]) -> dict[int, Facts]:
    """Those of these runs that wait for their parents."""
    return {run.id: run for run in outcomes.runs_of(tx, list(ids)).values() if run.state is State.WAITING}


def _end(endings: Endings, doomed: dict[int, Doom]) -> list[Over]:
    tx, over = endings.tx, list[Over]()
    waiting = _waiting(tx, doomed)
    for child_id, doom in doomed.items():
        if (child := waiting.get(child_id)) is None or not is_held(tx, child):
            continue
        tx.run("gated_leave", child_id)
        endings.add(child_id, child.task << 1, doom.state.value, reason=doom.reason)
        over.append((unpack_run(child.body), doom.state, ()))
    return over


def _one_less(endings: Endings, fewer: Counter[int]) -> None:
    tx, now = endings.tx, endings.now
    free = []
    for child_id, count in fewer.items():
        row = tx.run("gated_one_less", count, child_id).fetchone()
        if row is not None and row[0] == 0:
            free.append(child_id)
    lanes: list[tuple[int, int, int, int]] = []
    for child in _waiting(tx, free).values() if free else ():
        run = unpack_run(child.body)
        if look_at := waits_on(run, now):
            tx.run("gated_await", look_at, child.id)
            tx.run("run_await", look_at, child.id)
            tx.hint(Hint(HintKind.GATED, at=look_at, name=run.gate))
            continue
        run_at = max(run.due_at, now)
        tx.run("gated_leave", child.id)
        tx.run("run_move", State.SCHEDULED.value, child.lane, run_at, child.id)
        lanes.append((child.lane, run_at, child.id, child.task))
    outcomes.enter(tx, lanes, now)
