"""Small ledgers for tests, opened and on sale."""

from __future__ import annotations

from itertools import count
from typing import Any

from shike.reserve import commands, events, snapshot
from shike.reserve.applying import apply
from shike.reserve.deciding import Decision
from shike.reserve.ledger import Ledger
from shike.reserve.model import Binding, Line, Pool, Refusal, Rule, Sale, Unit, WaitPolicy
from shike.reserve.state import State

AT = 1_800_000_000_000_000
MINUTE = 60_000_000
IDS = count()


def rows(size: int, *, wide: int = 5) -> tuple[Unit, ...]:
    """Units in rows of `wide`, the outer ones at a window, four rows an area."""
    return tuple(
        Unit(
            f"u{number}",
            str(number // wide),
            str(number // (4 * wide)),
            ("window",) if number % wide in (0, wide - 1) else ("middle",),
        )
        for number in range(size)
    )


def pool(name: str = "seat", size: int = 3, *, binding: Binding = Binding.AT_SALE, **words: Any) -> Pool:
    if binding is Binding.NEVER:
        return Pool(name, (), size, binding, **words)
    return Pool(name, rows(size), 0, binding, **words)


def opened(
    *pools: Pool, segments: int = 3, rules: tuple[Rule, ...] = (), policy: WaitPolicy = WaitPolicy.FIT, **line: Any
) -> Ledger:
    """A ledger on sale, from position 0 to `segments`."""
    ledger = Ledger("test")
    labels = tuple(chr(65 + number) for number in range(segments + 1))
    opening = commands.Open("open", AT, Line(labels, **line), pools or (pool(),), rules, (Sale("", 1),), policy)
    assert isinstance(ledger.do(opening), events.Opened)
    return ledger


def hold(ledger: Ledger, start: int, end: int, *, pool: str = "seat", at: int = AT, **words: Any) -> Decision:
    """Ask once, under an id of its own."""
    return ledger.do(commands.Hold(f"h{next(IDS)}", at, pool, start, end, **words))


def ask(ledger: Ledger, what: type[Any], *words: Any, at: int = AT, **more: Any) -> Decision:
    """Any other command, under an id of its own."""
    return ledger.do(what(f"c{next(IDS)}", at, *words, **more))


def held(decision: Decision) -> events.Held:
    assert isinstance(decision, events.Held), decision
    return decision


def refused(decision: Decision) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


def sold(ledger: Ledger, start: int, end: int, **words: Any) -> int:
    """An order that is paid for; its number."""
    order = held(hold(ledger, start, end, **words)).order
    assert isinstance(ask(ledger, commands.Confirm, order, f"pay{order}"), events.Confirmed)
    return order


def replayed(ledger: Ledger) -> State:
    """Another state, from the events alone."""
    state = State()
    for event in ledger.fresh:
        apply(state, event)
    return state


def same(one: State, other: State) -> bool:
    return snapshot.encode(one) == snapshot.encode(other)
