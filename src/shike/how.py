"""How one call is submitted, where that is not as its task says; and what its run has to carry because of it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from shike.lanes import hall_of
from shike.model import NEVER, Backoff, OnUnknown, Options, Route
from shike.route.tags import ANY
from shike.task import Definition


class How(Struct, frozen=True, omit_defaults=True):
    """How one call is submitted; what is not set is as the task says."""

    at: int = NEVER
    delay_seconds: float = -1.0
    key: str = ""
    key_seconds: float = 0.0
    queue: str = ""
    band: int = -1
    expires_seconds: float = 0.0
    retry: Backoff | None = None
    timeout_seconds: float | None = None
    on_unknown: OnUnknown | None = None
    keep_result: bool | None = None
    owner: str = ""
    route: Route | None = None  # by `any`: whoever is free, whatever the task says
    takes: str = ""  # as in `Options`
    traceparent: str = ""  # of the span that submits it, where an exporter of traces is at work

    @property
    def is_plain(self) -> bool:
        """Whether a run needs no options of its own for it, but perhaps for an unknown outcome."""
        given = (self.retry, self.timeout_seconds, self.keep_result)
        return not (self.takes or self.traceparent) and given == (None, None, None)


def routed(definition: Definition, how: How) -> Route | None:
    """The route of a call; None: whoever is free."""
    route = how.route or definition.route
    return None if route is None or route.by == ANY else route


def lane_of(definition: Definition, how: How) -> str:
    """Where the runs of a call wait: in the queue's shared lane, or in its hall until a router has decided."""
    queue = how.queue or definition.queue
    return queue if routed(definition, how) is None else hall_of(queue)


def pack_options(definition: Definition, how: How, repeat_seconds: float | None = None) -> bytes:
    """What a run has to carry because its store or another worker must know it; empty where nothing is special."""
    on_unknown, route = how.on_unknown or definition.on_unknown, routed(definition, how)
    if how.is_plain and repeat_seconds is None and on_unknown is OnUnknown.REPEAT and route is None:
        return b""
    options = Options(
        retry=how.retry,
        timeout_seconds=how.timeout_seconds,
        on_unknown=None if on_unknown is OnUnknown.REPEAT else on_unknown,
        keep_result=how.keep_result,
        repeat_seconds=repeat_seconds,
        route=route,
        takes=how.takes,
        traceparent=how.traceparent,
    )
    return msgspec.json.encode(options)


def as_it_is(how: How) -> How:
    """Nothing is added."""
    return how
