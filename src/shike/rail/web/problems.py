"""The railway's refusals as problem+json: why, what else there is, and from when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from shike import errors
from shike.clock import MICROS, to_datetime
from shike.rail.web.shapes import Instead
from shike.server.problems import TITLES, URN, Problem, problem_of

TOO_EARLY: Final = 425
TELLING: Final = {
    409: "Not to be had",
    TOO_EARLY: "Not on sale yet",
}


class RailProblem(Problem, frozen=True, kw_only=True, omit_defaults=True):
    """`reason`: full, fragmented, quota, person, not_on_sale, … `instead`: what could be had at that moment."""

    reason: str = ""
    rule: str = ""
    left: int = 0
    opens_at: datetime | None = None
    suggestions: tuple[str, ...] = ()
    instead: tuple[Instead, ...] = ()


class Refused(errors.TradeRefused):
    """A hold was refused; with what could be had instead."""

    def __init__(self, error: errors.TradeRefused, *, left: int, rule: str, instead: tuple[Instead, ...]) -> None:
        super().__init__(str(error), reason=error.reason, opens_at=error.opens_at)
        self.left = left
        self.rule = rule
        self.instead = instead


def told(error: errors.ShikeError, now: int) -> tuple[Problem, dict[str, str]]:
    """An error as a problem, and the headers that go with it."""
    if isinstance(error, errors.TradeRefused):
        return _refused(error, now)
    if isinstance(error, errors.BadOrder | errors.BadTrip | errors.BadNotice | errors.BadFeed):
        return _bad(error, {"BadOrder": "bad-order", "BadTrip": "bad-trip"}.get(type(error).__name__, "bad-input")), {}
    if isinstance(error, errors.UnknownTrain | errors.UnknownStation):
        name = "unknown-train" if isinstance(error, errors.UnknownTrain) else "unknown-station"
        return _bad(error, name, status=404, suggestions=error.suggestions), {}
    if isinstance(error, errors.BadPassenger):
        return _bad(error, "bad-passenger", field=error.field), {}
    if isinstance(error, errors.BadCommand):
        return _bad(error, "bad-input"), {}
    if isinstance(error, errors.LedgerError):
        return Problem(type=f"{URN}ledger", title=TITLES[503], status=503, detail=_words(error)), {"retry-after": "1"}
    return problem_of(error), {}


def _words(error: errors.ShikeError) -> str:
    if isinstance(error, errors.DamagedJournal):
        return "the ledger of this train cannot be read; nothing of it is sold"
    return "the ledger of this train is busy: ask again"


def _refused(error: errors.TradeRefused, now: int) -> tuple[Problem, dict[str, str]]:
    status = TOO_EARLY if error.reason == "not_on_sale" else 409
    opens = error.opens_at if error.opens_at > 0 else 0
    problem = RailProblem(
        type=f"{URN}{error.reason.replace('_', '-')}",
        title=TELLING[status],
        status=status,
        detail=str(error),
        reason=error.reason,
        opens_at=to_datetime(opens) if opens else None,
        left=getattr(error, "left", 0),
        rule=getattr(error, "rule", ""),
        instead=getattr(error, "instead", ()),
    )
    wait = -(-(opens - now) // MICROS)
    return problem, {"retry-after": str(wait)} if opens and wait > 0 else {}


def _bad(error: Exception, name: str, *, status: int = 422, **facts: Any) -> Problem:
    return RailProblem(type=f"{URN}{name}", title=TITLES[status], status=status, detail=str(error), **facts)


encode: Final = msgspec.json.Encoder().encode
