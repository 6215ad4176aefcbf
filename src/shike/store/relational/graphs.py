"""Runs that depend on others: what the end of a parent does to them in the same step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from shike.model import Run, State
from shike.store.children import TIED, UNTIL_FREED, Doom, children, dooms, parents, verdict, waits_on
from shike.store.hints import Hint, HintKind
from shike.store.relational import outcomes
from shike.store.relational.tx import Tx
from shike.store.rows import Facts, unpack_run

if TYPE_CHECKING:
    from shike.store.records import LiveRecord
    from shike.store.relational.outcomes import Endings

AT_ONCE = 2_000  # runs that one statement names: a text of the one server must not grow too long

Over = tuple[Run, State, tuple[str, ...]]  # a parent, how it ended, which branches it chose


async def count_parents(tx: Tx, counts: Iterable[tuple[int, int]]) -> None:
    """Write down (run, how many others it waits for)."""
    alike: dict[int, list[int]] = {}
    for run_id, count in counts:
        alike.setdefault(count, []).append(run_id)
    for count, ids in alike.items():
        for part in _parts(ids):
            await tx.run("gated_parents", part, count)


def is_held(run: Facts) -> bool:
    """Whether a run waits for others that are not over."""
    return run.state is State.WAITING and run.run_at == UNTIL_FREED and run.holding >= TIED


async def load(tx: Tx, records: Sequence[LiveRecord]) -> None:
    """Runs that come from another store: the parents that one waits for are those that are alive."""
    tied = [record for record in records if record.run.ties]
    if not tied:
        return
    await tx.run("load_tied", [record.run.id for record in tied])
    waiting = [record.run for record in tied if record.state is State.WAITING]
    wanted = sorted({parent for run in waiting for parent, _ in parents(run)})
    alive = {run_id for (run_id,) in await tx.rows("runs_alive", wanted)} if wanted else set()
    counts = [(run.id, sum(parent in alive for parent, _ in parents(run))) for run in waiting]
    await count_parents(tx, [row for row in counts if row[1]])


async def resolve(endings: Endings, bodies: Sequence[bytes], over: dict[int, tuple[State, tuple[str, ...]]]) -> None:
    """Free the children of these runs, or end those that must not run, and theirs, level by level. `over`: how runs
    ended, in that order; `bodies`: of those that are tied to others."""
    tied = {run.id: run for run in map(unpack_run, bodies) if run.ties and run.ties.before}
    met: list[Over] = []
    doomed = outcomes.Endings(endings.tx, endings.now)  # by nobody's acknowledgement
    gone: set[int] = set()  # of them: their rows are still there
    for run_id, (state, chosen) in over.items():
        if (run := tied.get(run_id)) is None:
            continue
        if not dooms(run, state, chosen):
            met.append((run, state, chosen))
            continue
        await _met(endings, met)
        met = []
        await _cascade(endings, doomed, gone, (run, state, chosen))
    await _met(endings, met)
    await doomed.write()


async def _met(endings: Endings, over: Sequence[Over]) -> None:
    """Parents that no child minds: one less to wait for, each."""
    fewer = Counter(child for run, _, _ in over for child, _ in children(run))
    await _one_less(endings, fewer, await _waiting(endings.tx, fewer))


async def _cascade(endings: Endings, ended: Endings, gone: set[int], first: Over) -> None:
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
        waiting = await _waiting(endings.tx, {*fewer, *doomed})
        await _one_less(
            endings, Counter({child: count for child, count in fewer.items() if child not in doomed}), waiting
        )
        level = await _end(ended, gone, doomed, waiting)


async def _waiting(tx: Tx, ids: Iterable[int]) -> dict[int, Facts]:
    """Those of these runs that wait, locked: of two steps that end parents of one child the second sees what the first
    has done."""
    return {run.id: run for run in (await outcomes.lock_runs(tx, ids)).values() if run.state is State.WAITING}


async def _end(endings: Endings, gone: set[int], doomed: dict[int, Doom], waiting: dict[int, Facts]) -> list[Over]:
    tx, over = endings.tx, list[Over]()
    still = {child for child in doomed if child in waiting and child not in gone and is_held(waiting[child])}
    gone |= still
    if still:
        await tx.run("gated_leave", sorted(still))
    for child_id, doom in doomed.items():
        if child_id in still:
            child = waiting[child_id]
            endings.add(child_id, child.task << 1, doom.state.value, reason=doom.reason)
            over.append((unpack_run(child.body), doom.state, ()))
    return over


async def _one_less(endings: Endings, fewer: Counter[int], waiting: dict[int, Facts]) -> None:
    tx, now = endings.tx, endings.now
    alike: dict[
        tuple[int, int, int], list[int]
    ] = {}  # (parents that ended, run_at, when its gate is looked at) -> children
    for child_id in sorted(fewer):
        if child := waiting.get(child_id):
            run = unpack_run(child.body)
            words = fewer[child_id], max(run.due_at, now), waits_on(run, now)
            alike.setdefault(words, []).append(child_id)
    lanes: list[tuple[int, int]] = []
    for (count, run_at, look_at), ids in alike.items():
        for part in _parts(ids):
            for (child_id,) in await tx.rows("children_free", part, count, run_at, look_at):
                if look_at:
                    gate = unpack_run(waiting[child_id].body).gate
                    tx.hint(Hint(HintKind.GATED, at=look_at, name=gate))
                else:
                    lanes.append((waiting[child_id].lane, run_at))
    await outcomes.tell_due(tx, lanes, now)


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """So many at a time as one statement takes."""
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
