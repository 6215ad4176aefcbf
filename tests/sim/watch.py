"""What an outsider at the store's door writes down, and what it objects to at once.

`Watch` is told of every verb at the instant it was applied, with its answer, in the order of the store. It keeps
its own book of runs, sessions and epochs from nothing but these words, and holds each answer against that book:
P2 (never early), P3 (one accepted success, under the newest token, of a session that is alive) and P6 (only
allowed moves, tokens and epochs only grow). It never asks the store why.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from shike.model import Bucket, Ended, Live, Planned, Session, State
from shike.store.children import chosen_of
from shike.store.guards import Entry
from shike.store.verbs import Ack, Answer, Batch, Claim, Division, Freed, Move, Plan, Submitted
from tests.sim.graphs import Book
from tests.sim.tenants import LIMITED, keys_of

MICROS = 1_000_000
OVER = frozenset({State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED})
LEASE_SLACK_SECONDS = 0.001


class Page:
    """What the watch knows of one run."""

    def __init__(self, run_id: int, schedule: str, due_at: int, eligible_at: int) -> None:
        self.run_id = run_id
        self.schedule = schedule
        self.due_at = due_at
        self.eligible_at = eligible_at  # by the store's clock
        self.granted_at = 0.0  # true time of the newest grant
        self.granted: dict[int, float] = {}  # of each, by its token
        self.late_seconds = -1.0  # of the first grant; by the store's clock, too
        self.gated = False
        self.grants = 0
        self.settled: list[tuple[int, State]] = []  # (token, state) of each accepted acknowledgement
        self.state = State.SCHEDULED
        self.worker = ""  # in whose lane it was put …
        self.assigned = 0  # … and how often that was
        self.token = 0
        self.holder = ""
        self.asked = False
        self.won = 0
        self.crashes = 0
        self.keys: list[tuple[str, int]] = []  # of limits: what it counts against, and how many may be leased at once


class Watch:
    """The book and the objections. `now` is true virtual time, `wall` the store's clock, `find` a look at one row."""

    def __init__(
        self,
        now: Callable[[], float],
        wall: Callable[[], int],
        find: Callable[[int], Live | Ended | None],
        lease_seconds: float,
        is_gone: Callable[[str], bool] = lambda session: False,
    ) -> None:
        self.violations: list[str] = []
        self.pages: dict[int, Page] = {}
        self.graphs = Book(find)
        self.approved: Callable[[int], bool] = lambda run_id: True  # whether a run has an approval on record
        self.moments: dict[tuple[str, int], int] = {}
        self.last_token = 0
        self.grants = 0
        self.refused_acks = 0
        self.rescues = 0
        self.sessions: dict[str, str] = {}  # id -> process
        self.closed: dict[str, float] = {}
        self.left_behind: dict[str, list[int]] = {}  # by each closed session
        self.last_beat: dict[str, float] = {}
        self.beats: dict[str, int] = {}
        self.epochs: dict[int, tuple[int, str]] = {}  # by virtual bucket: epoch and owner
        self.divisions = 0
        self.batches: dict[tuple[str, int], dict[int, int]] = {}
        self.trace: Callable[[str], None] | None = None
        self._now = now
        self._wall = wall
        self._find = find
        self._lease_seconds = lease_seconds
        self._is_gone = is_gone
        self._digest = hashlib.blake2b(digest_size=8)
        self.edits: dict[str, list[tuple[int, Planned]]] = defaultdict(list)  # when, and as what
        self.caps: dict[str, int] = {}  # schedule -> how many of its runs may be leased at once
        self.running: dict[str, dict[int, None]] = defaultdict(dict)
        self.limited: dict[str, dict[int, None]] = defaultdict(dict)  # leased runs by what they count against
        self._verbs: dict[str, Callable[..., None]] = {
            name.removeprefix("_saw_"): getattr(self, name) for name in dir(self) if name.startswith("_saw_")
        }

    def object(self, promise: str, words: str) -> None:
        """Write down a violation of a promise."""
        line = f"{promise} at {self._now():.3f} s: {words}"
        self.violations.append(line)
        if self.trace:
            self.trace(f"!! {line}")

    def note(self, words: str) -> None:
        """One line of what happened, into the digest and the trace."""
        line = f"{self._now():.6f} {words}"
        self._digest.update(line.encode())
        if self.trace:
            self.trace(line)

    def digest(self) -> str:
        """The same for the same history, whatever the machine, the hash seed or the address of objects."""
        return self._digest.hexdigest()

    def seen(
        self, process: str, verb: str, args: tuple[Any, ...], named: dict[str, Any], reply: Any, failed: bool
    ) -> None:
        """A verb was applied."""
        if failed:
            self.note(f"{process} {verb} -> {type(reply).__name__}")
            return
        handler = self._verbs.get(verb)
        if handler is not None:
            handler(process, args, named, reply)

    # ------------------------------------------------------------ runs come in

    def _saw_submit(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: list[Submitted]) -> None:
        for entry, answer in zip(args[0], reply, strict=True):
            if answer.refused:
                continue
            self.note(f"{process} submit {answer.run_id} fresh={answer.fresh}")
            if answer.fresh and answer.run_id not in self.pages:
                self._enter(entry, answer.due_at)

    def _enter(self, entry: Entry, due_at: int) -> None:
        now = self._wall()
        if entry.delay_seconds >= 0:
            eligible_at = now + round(entry.delay_seconds * MICROS)
        else:
            eligible_at = entry.run_at or due_at
        run = entry.run
        page = Page(run.id, run.schedule, due_at, eligible_at)
        page.gated = bool(run.gate)
        page.keys = keys_of(run)
        page.state = State.WAITING if run.gate else State.SCHEDULED
        if run.ties is not None:
            self.graphs.enter(run)
        self.pages[run.id] = page

    def _saw_plan(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: bool) -> None:
        plan: Plan = args[0]
        if not reply:
            return
        self.note(f"{process} plan {plan.schedule} v{plan.version} {plan.cursor}->{plan.to} +{len(plan.moments)}")
        epoch, _ = self.epochs.get(plan.bucket, (0, ""))
        if plan.epoch != epoch:
            self.object("P6", f"plan of {plan.schedule} accepted under epoch {plan.epoch}, the newest is {epoch}")
        for moment in plan.moments:
            if self._find(moment.entry.run.id) is not None:
                self._identify(plan.schedule, moment.moment, moment.entry.run.id)
                if moment.entry.run.id not in self.pages:
                    self._enter(moment.entry, moment.due_at)

    def _identify(self, schedule: str, moment: int, run_id: int) -> None:
        """A moment has one run; another only if the first was withdrawn before anybody was granted it."""
        known = self.moments.get((schedule, moment), run_id)
        if known != run_id and (self._find(known) is not None or self.pages[known].grants):
            self.object("P1", f"moment {moment} of {schedule} got run {run_id} beside {known}")
        self.moments[schedule, moment] = run_id

    # ------------------------------------------------------------ grants

    def _saw_claim(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: Batch) -> None:
        claim: Claim = args[0]
        if claim.session in self.closed:
            self.object("P3", f"session {claim.session} of {process} was granted work after it died")
        before = self.batches.get((claim.session, claim.number))
        if before is not None:
            for claimed in reply.runs:
                if before.get(claimed.run.id) != claimed.token:
                    self.object("P3", f"claim {claim.number} of {process} repeated with another batch")
            return
        if not reply.runs:
            return
        now, tokens = self._wall(), {claimed.token for claimed in reply.runs}
        self.batches[claim.session, claim.number] = {claimed.run.id: claimed.token for claimed in reply.runs}
        if min(tokens) <= self.last_token:
            self.object("P6", f"token {min(tokens)} granted after {self.last_token}")
        self.last_token = max(self.last_token, max(tokens))
        for claimed in reply.runs:
            page = self.pages.get(claimed.run.id)
            if page is None:  # a run that the settling step of another made: fixed delay
                page = Page(claimed.run.id, claimed.run.schedule, claimed.run.due_at, claimed.run.due_at)
                self.pages[claimed.run.id] = page
            if claimed.run.schedule:
                self._identify(claimed.run.schedule, claimed.run.moment, claimed.run.id)
            self._grant(page, claimed.token, claim.session, now, process)

    def _grant(self, page: Page, token: int, session: str, now: int, process: str) -> None:
        self.grants += 1
        self.note(f"{process} grant {page.run_id} token={token} late={(now - page.eligible_at) / MICROS:.3f}")
        if now < page.eligible_at:
            self.object("P2", f"run {page.run_id} granted {(page.eligible_at - now) / MICROS:.6f} s early")
        if page.state is State.ASSIGNED and page.worker != session:
            self.object("P6", f"run {page.run_id} stood in the lane of {page.worker}, and {session} was granted it")
        if page.state is State.WAITING:
            self._told(self.graphs.of(page.run_id))  # whoever let it in did so with a beat
        if page.run_id in self.graphs.approvals and not self.approved(page.run_id):
            self.object("P3", f"run {page.run_id} was granted without an approval on record")
        if page.state in OVER or page.state is State.WAITING:
            self.object("P6", f"run {page.run_id} granted while {page.state.name}")
        if token <= page.token:
            self.object("P6", f"run {page.run_id} got token {token} after {page.token}")
        if page.state is State.RUNNING and page.holder not in self.closed:
            page.settled.append((page.token, State.SCHEDULED))  # its own session released it with a beat
        page.state, page.token, page.holder = State.RUNNING, token, session
        page.grants += 1
        page.granted_at = page.granted[token] = self._now()
        if page.grants == 1:
            page.late_seconds = (now - page.eligible_at) / MICROS
        running = self.running[page.schedule]
        running[page.run_id] = None
        if len(running) > self.caps.get(page.schedule, len(running)):
            self.object("P3", f"{len(running)} runs of {page.schedule} at once: {list(running)}")
        for key, cap in page.keys:
            held = self.limited[key]
            held[page.run_id] = None
            if len(held) > cap:
                self.object("P3", f"{len(held)} runs of {key} at once, {cap} may be: {list(held)}")

    # ------------------------------------------------------------ ends

    def _saw_settle(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: list[Answer]) -> None:
        session, acks = args
        for ack, answer in zip(acks, reply, strict=True):
            self.note(f"{process} settle {ack.run_id} token={ack.token} {ack.state.name} -> {answer.name}")
            page = self.pages.get(ack.run_id)
            if page is None:
                if answer is Answer.ACCEPTED:
                    self.object("P3", f"settled run {ack.run_id}, which was never granted")
            elif answer is Answer.ACCEPTED:
                self._accept(page, ack, session, process)
            elif answer is Answer.ALREADY:
                if not any(token == ack.token for token, _ in page.settled):
                    self.object("P3", f"ALREADY for token {ack.token} of run {ack.run_id}, never accepted")
            else:
                self.refused_acks += 1
            if early := self.graphs.freed_early(ack.run_id):
                self.object("P6", f"run {early[0]} does not wait any more, and its parent {early[1]} is not over")

    def _accept(self, page: Page, ack: Ack, session: str, process: str) -> None:
        if page.state is not State.RUNNING:
            self.object("P3", f"{process} settled run {page.run_id} while it was {page.state.name}")
        if ack.token != page.token:
            self.object("P3", f"{process} settled run {page.run_id} with stale token {ack.token} < {page.token}")
        if session != page.holder:
            self.object("P3", f"{process} settled run {page.run_id}, which another session holds")
        if session in self.closed:
            self.object("P3", f"{process} settled run {page.run_id} in a session that had died")
        row = self._find(page.run_id)
        state = State.SUCCESS if row is None else row.state
        if state is not ack.state and not (state is State.CANCELLED and page.asked):
            self.object("P6", f"run {page.run_id} was settled {ack.state.name} and became {state.name}")
        page.settled.append((ack.token, state))
        self._leave(page, state, chosen_of(ack.effects))
        if state is State.SUCCESS:
            if isinstance(row, Ended) and row.run.task in LIMITED and not page.keys:
                self.object("P3", f"run {page.run_id} of {row.run.task} began without having asked for its limits")
            page.won += 1
            if page.won > 1:
                self.object("P3", f"run {page.run_id} succeeded {page.won} times")
        if state not in OVER:
            page.eligible_at = ack.run_at or self._wall() + round(ack.delay_seconds * MICROS)

    def _saw_move(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: list[Answer]) -> None:
        for move, answer in zip(args[0], reply, strict=True):
            self.note(f"{process} move {move.run_id} {move.to.name} -> {answer.name}")
            page = self.pages.get(move.run_id)
            if page is None:
                continue
            page.asked |= move.to is State.CANCELLED
            if answer is Answer.ACCEPTED:
                self._moved(page, move)

    def _moved(self, page: Page, move: Move) -> None:
        if page.state in OVER:
            self.object("P6", f"run {page.run_id} moved from {page.state.name} to {move.to.name}")
        if page.state is State.RUNNING and page.holder not in self.closed:
            row = self._find(page.run_id)
            if row is not None and row.token == page.token and row.state is State.RUNNING:
                self.object("P6", f"run {page.run_id} moved to {move.to.name} under its holder")
        self._leave(page, move.to)
        if move.run is not None and move.to is State.WAITING:
            page.gated, page.keys = True, keys_of(move.run)
        page.worker, page.assigned = move.worker, page.assigned + bool(move.worker)
        if move.run_at is not None:
            page.eligible_at = move.run_at

    def _leave(self, page: Page, state: State, chosen: tuple[str, ...] = ()) -> None:
        """Nobody works on it any more."""
        page.state, page.holder = state, ""
        self.running[page.schedule].pop(page.run_id, None)
        for key, _ in page.keys:
            self.limited[key].pop(page.run_id, None)
        if state in OVER:
            self._told(self.graphs.ended(page.run_id, state, chosen))

    def _told(self, states: dict[int, State]) -> None:
        """What the rules say of the runs of a graph: who waited is free now, or over."""
        for run_id, state in states.items():
            page = self.pages[run_id]
            if page.state is not State.WAITING or state is State.WAITING:
                continue
            if state in OVER:
                page.state = state
            elif run_id not in self.graphs.approvals and not page.keys:  # those are let in by a move
                page.state, page.eligible_at = State.SCHEDULED, max(page.due_at, self._wall())

    # ------------------------------------------------------------ schedules

    def _saw_put_schedule(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: Planned) -> None:
        edits = self.edits[reply.schedule.name]
        if not edits or edits[-1][1].schedule.version != reply.schedule.version:
            self.note(f"{process} put_schedule {reply.schedule.name} v{reply.schedule.version}")
            edits.append((self._wall(), reply))

    def _saw_control_schedule(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: Planned) -> None:
        edits = self.edits[reply.schedule.name]
        if not edits or edits[-1][1].paused != reply.paused:
            self.note(f"{process} control_schedule {reply.schedule.name} paused={reply.paused}")
            edits.append((self._wall(), reply))

    # ------------------------------------------------------------ sessions

    def _saw_open_session(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: Session) -> None:
        self.note(f"{process} open_session #{reply.number}")
        if reply.id in self.closed:
            self.object("P3", f"session {reply.id} of {process} was opened again after it died")
        self.sessions[reply.id] = process
        self.last_beat[reply.id] = self._now()

    def _saw_beat(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: Any) -> None:
        beat = args[0]
        if beat.session in self.closed:
            self.object("P3", f"session {beat.session} of {process} beat after it died")
        if beat.number > self.beats.get(beat.session, 0):  # an older one that comes late renews nothing
            self.beats[beat.session] = beat.number
            self.last_beat[beat.session] = self._now()

    def _saw_close_session(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: bool) -> None:
        session = args[0]
        if not reply or session in self.closed:
            return
        self.note(f"{process} close_session of {self.sessions.get(session)} seen={named.get('seen_beat')}")
        if named.get("seen_beat") is not None:
            quiet = self._now() - self.last_beat.get(session, 0.0)
            if quiet < self._lease_seconds - LEASE_SLACK_SECONDS and not self._is_gone(session):
                self.object("P3", f"{process} closed a session that had beaten {quiet:.3f} s before")
        self.closed[session] = self._now()
        self.left_behind[session] = [page.run_id for page in self._held_by(session)]

    def _saw_free(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: Freed) -> None:
        session = args[0]
        if session not in self.closed:
            self.object("P3", f"{process} freed what a living session held")
        for run_id in (*reply.requeued, *reply.dead):
            self.rescues += 1
            self.note(f"{process} free {run_id}")
            page = self.pages.get(run_id)
            if page is None or page.state is not State.RUNNING or page.holder != session:
                self.object("P6", f"run {run_id} was freed from a session that did not hold it")
            else:
                self._blame(page, session)
                self._leave(page, State.DEAD if run_id in reply.dead else State.SCHEDULED)
                page.eligible_at = min(page.eligible_at, self._wall())  # it was due once, whatever the clock says now
        for page in self._held_by(session):
            row = self._find(page.run_id)
            if row is not None and row.state in OVER:  # somebody had asked for it to stop
                self._leave(page, row.state)

    def _blame(self, page: Page, session: str) -> None:
        """Only a run that was all that a dead process held may be blamed for it."""
        row = self._find(page.run_id)
        poison = isinstance(row, Ended) and row.reason.startswith("poison")
        crashes = row.crashes if isinstance(row, Live) else page.crashes + poison
        if crashes > page.crashes and self.left_behind[session] != [page.run_id]:
            self.object("P1", f"run {page.run_id} is blamed for a death, of {len(self.left_behind[session])} it may be")
        page.crashes = crashes

    def _held_by(self, session: str) -> list[Page]:
        held = (self.pages[run_id] for runs in self.running.values() for run_id in runs)
        return [page for page in held if page.holder == session]

    def _saw_divide(self, process: str, args: tuple[Any, ...], named: dict[str, Any], reply: list[Bucket]) -> None:
        division: Division = args[0]
        spelt = ", ".join(f"{bucket.low}-{bucket.high} epoch {bucket.epoch}" for bucket in reply)
        self.note(f"{process} divides {[low for low, _ in division.old]} into {spelt}")
        for bucket in reply:
            for at in range(bucket.low, bucket.high + 1):
                epoch, owner = self.epochs.get(at, (0, ""))
                if bucket.epoch < epoch or (bucket.epoch == epoch and owner != bucket.owner):
                    self.object("P6", f"virtual bucket {at} went from epoch {epoch} to {bucket.epoch}")
                self.epochs[at] = (bucket.epoch, bucket.owner)
        self.divisions += 1

    def believed(self, believers: dict[str, list[Bucket]]) -> None:
        """What each process would plan for at this instant, if it were asked."""
        owners: dict[int, str] = {}
        for process, buckets in believers.items():
            for bucket in buckets:
                for at in range(bucket.low, bucket.high + 1):
                    if owners.setdefault(at, process) != process:
                        self.object("P6", f"{owners[at]} and {process} both believe that they own {at}")
                        return
