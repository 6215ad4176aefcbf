"""What no store takes, whatever it is built on: looked at before anything is written, so that nothing was stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shike.bounds import ARGS_BYTES_MAX, BANDS, DURATION_SECONDS_MAX, GRAPH_RUNS_MAX, SUBMIT_BATCH_MAX
from shike.clock import WALL_MAX
from shike.errors import BadInput, BadTime, Conflict, ShikeError, TooLarge
from shike.lanes import SIGN
from shike.model import Run, State, may_move
from shike.store.guards import Effect, Entry, Insert, PlanNext
from shike.store.verbs import Ack, Move

RUN_ID_END: Final = 1 << 63
OUTCOMES: Final = frozenset(state for state in State if may_move(State.RUNNING, state))
TARGETS: Final = frozenset({State.WAITING, State.SCHEDULED, State.ASSIGNED, State.CANCELLED, State.SKIPPED, State.DEAD})


def check_entries(entries: Sequence[Entry]) -> None:
    """Whether these can be stored in one step. Raises `TooLarge`, `BadInput`, or `Conflict` where two have one id."""
    limit = GRAPH_RUNS_MAX if entries and entries[0].run.ties else SUBMIT_BATCH_MAX
    if len(entries) > limit:
        raise TooLarge("too many runs in one step", size=len(entries), limit=limit)
    for entry in entries:
        check_entry(entry)
    if len({entry.run.id for entry in entries}) < len(entries):
        raise Conflict("two runs of one submission have the same id")


def check_entry(entry: Entry) -> None:
    """Whether this can be stored at all. Raises `BadInput`, `BadTime` or `TooLarge`."""
    run = entry.run
    is_fit = (
        0 < run.id < RUN_ID_END
        and len(run.args) <= ARGS_BYTES_MAX
        and 0 <= run.band < BANDS
        and 0 <= entry.run_at <= WALL_MAX
        and 0 <= run.due_at <= WALL_MAX
        and entry.delay_seconds <= DURATION_SECONDS_MAX  # which NaN is not, either
    )
    if not is_fit:
        raise _unfit(entry)
    for effect in entry.effects:
        check_effect(effect)


def _unfit(entry: Entry) -> ShikeError:
    """What is wrong with an entry of which something is."""
    run = entry.run
    if not 0 < run.id < RUN_ID_END:
        return BadInput(f"run id {run.id} is not a positive 63-bit number")
    if len(run.args) > ARGS_BYTES_MAX:
        return TooLarge(f"the arguments of {run.task} are too large", size=len(run.args), limit=ARGS_BYTES_MAX)
    if not 0 <= run.band < BANDS:
        return BadInput(f"band {run.band}: there are 0 to {BANDS - 1}")
    if min(entry.run_at, run.due_at) < 0 or max(entry.run_at, run.due_at) > WALL_MAX:
        return BadTime(f"run {run.id} is due before 1970 or after 9999")
    return BadTime(f"run {run.id} has a delay of {entry.delay_seconds} s; a century is the most")


def check_effect(effect: Effect) -> None:
    if isinstance(effect, Insert | PlanNext):
        check_entry(effect.entry)
    if isinstance(effect, PlanNext) and not 0 <= effect.delay_seconds <= DURATION_SECONDS_MAX:
        raise BadTime(f"a moment in {effect.delay_seconds} s lies in the past or beyond a century")


def check_ack(ack: Ack) -> None:
    """Whether an attempt can end so."""
    if ack.state not in OUTCOMES:
        raise BadInput(f"a running run cannot become {ack.state.name}")
    if not 0 <= ack.delay_seconds <= DURATION_SECONDS_MAX:
        raise BadTime(f"a delay of {ack.delay_seconds} s lies in the past or beyond a century")
    for effect in ack.effects:
        check_effect(effect)


def check_move(wanted: Move) -> None:
    """Whether anybody but its worker can change a run so."""
    if wanted.to not in TARGETS:
        raise BadInput(f"nobody but its worker can make a run {wanted.to.name}")
    if (wanted.to is State.ASSIGNED) != bool(wanted.worker) or SIGN in wanted.worker:
        raise BadInput(f"run {wanted.run_id}: only an assigned run has a worker, a session without the sign {SIGN}")
    if wanted.band is not None and not 0 <= wanted.band < BANDS:
        raise BadInput(f"band {wanted.band}: there are 0 to {BANDS - 1}")
    if wanted.run_at is not None and not 0 <= wanted.run_at <= WALL_MAX:
        raise BadTime(f"run {wanted.run_id} cannot run before 1970 or after 9999")
    if wanted.run is not None:
        _check_rewritten(wanted, wanted.run)


def _check_rewritten(wanted: Move, run: Run) -> None:
    if wanted.to not in (State.SCHEDULED, State.WAITING) or not wanted.version or run.id != wanted.run_id:
        raise BadInput(f"run {wanted.run_id}: another queue, gate or other options need the version that was seen")
    if wanted.to is State.WAITING and (not run.gate or wanted.guards):
        raise BadInput(f"run {wanted.run_id}: it needs a gate to wait at, and takes no permit there")


def can_move(state: State, wanted: Move) -> bool:
    """Whether a run that no lease holds may be moved so. One in a lane can only wait at a gate that it is given."""
    stays = wanted.to is not State.WAITING or state is State.WAITING or wanted.run is not None
    return may_move(state, wanted.to) and stays


def needs_freedom(wanted: Move) -> bool:
    """Whether it cannot be done to a run that waits for others: these say when it begins."""
    return wanted.to is State.SCHEDULED or (
        wanted.to is State.WAITING and (wanted.run_at is not None or wanted.run is not None)
    )
