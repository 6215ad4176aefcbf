"""From what a user writes to a `Schedule`: exactly one kind, checked words, values from configuration (R3.11)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from shike.bounds import MISFIRE_GRACE_SECONDS, RETRY_DELAY_SECONDS_MAX
from shike.call import Call, Duration, Task, check_band
from shike.clock import MICROS, to_micros
from shike.errors import BadArguments, BadInput, BadSetting, TriggerError
from shike.how import lane_of, pack_options
from shike.model import NEVER, Misfire, Overlap, Schedule
from shike.store.codec import Codec
from shike.task import check_name, member
from shike.track.settle import with_gate
from shike.trigger import AnyTrigger, Every, Trigger, cron, decode, encode, every, once
from shike.trigger.duration import parse_duration
from shike.trigger.line import Line
from shike.trigger.zone import tz_version

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.]*)(?::-([^}]*))?\}")


R = TypeVar("R")

NUMBER_MAX = 1_000_000_000  # of what a schedule counts: one a second for thirty years


class Policies(Struct, frozen=True, kw_only=True):
    """What a schedule does besides its trigger."""

    misfire: Misfire | str = Misfire.ONCE
    misfire_grace: Duration = MISFIRE_GRACE_SECONDS
    misfire_window: Duration = 0
    overlap: Overlap | str = Overlap.ALLOW
    overlap_max: int = 0
    jitter: Duration = 0
    start: Any = None
    end: Any = None
    count: int = 0
    expires: Duration = 0


def without_arguments(task: Task[..., R]) -> Call[R]:
    """The call of a task that needs no arguments; raises `BadArguments` for others."""
    try:
        return task.bind()
    except BadArguments as error:
        raise BadArguments(f"{error}; give its arguments: app.schedule(task.bind(…), …)") from None


def configured(text: str, values: Mapping[str, str]) -> str:
    """Fill `${NAME}` and `${NAME:-default}` from the settings' values, then from the environment."""

    def found(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = values.get(name, os.environ.get(name, default))
        if value is None:
            raise BadSetting(f"{text!r} needs a value for {name}: set it under [values] or in the environment")
        if not isinstance(value, str):
            raise BadSetting(f"{text!r}: the value of {name} is {value!r}; give a text")
        return value

    return _REFERENCE.sub(found, text)


def one_trigger(
    trigger: AnyTrigger | str | None,
    *,
    cron_text: str | None,
    every_text: Duration | None,
    delay: Duration | None,
    at: Any,
    initial_delay: Duration | None,
    tz: str | None,
    values: Mapping[str, str],
) -> AnyTrigger:
    """The one trigger that was asked for; two kinds at once, or none, are refused."""
    given = [value is not None for value in (trigger, cron_text, every_text, delay, at)]
    if sum(given) != 1:
        raise TriggerError("give exactly one of: a trigger, cron=, every=, delay=, at=")
    if initial_delay is not None and every_text is None and delay is None:
        raise TriggerError("initial_delay goes with every= or delay=, not with cron or a single moment")
    if tz is not None and cron_text is None and not isinstance(trigger, str):
        raise TriggerError("tz= goes with cron=; a trigger object carries its own zone")
    if isinstance(trigger, str):
        cron_text = trigger
    if cron_text is not None:
        if not isinstance(cron_text, str):
            raise TriggerError(f"cron={cron_text!r} is no text, such as '30 2 * * *'")
        return cron(configured(cron_text, values), tz="UTC" if tz is None else tz)
    if isinstance(every_text, str):
        every_text = configured(every_text, values)
    if isinstance(delay, str):
        delay = configured(delay, values)
    if every_text is not None:
        return every(every_text, initial_delay=initial_delay or 0)
    if delay is not None:
        return every(delay, initial_delay=initial_delay or 0, delay=True)
    if at is not None:
        return once(at)
    if not isinstance(trigger, Trigger):
        raise TriggerError(f"{trigger!r} is no trigger; write cron(…), every(…), once(…), or a cron text")
    return trigger


def schedule_of(
    name: str, group: str, call: Call[Any], trigger: AnyTrigger, policies: Policies, codec: Codec
) -> Schedule:
    """The schedule to be stored; raises `BadInput` for policies that do not fit together."""
    check_name("schedule", name)
    check_name("group", group)
    if "/" in group:
        raise BadInput(f"the group {group!r} cannot hold a slash: it stands between group and name")
    how, definition = replace(call.how, traceparent=""), call.definition  # whoever declares it, submits nothing
    if how.at or how.delay_seconds >= 0 or how.key:
        raise BadInput(f"schedule {name!r}: a call with a time or a key of its own cannot be scheduled")
    misfire, overlap = member(Misfire, policies.misfire), member(Overlap, policies.overlap)
    window = _seconds("misfire_window", policies.misfire_window)
    if (misfire is Misfire.WITHIN) != (window > 0):
        raise BadInput(f"schedule {name!r}: misfire='within' and misfire_window go together")
    for word, number in (("overlap_max", policies.overlap_max), ("count", policies.count)):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= NUMBER_MAX:
            raise BadInput(f"schedule {name!r}: {word}={number!r} is no whole number from 0 to {NUMBER_MAX:,}")
    call.refuse_promised()
    gate = definition.gate(call.payload)
    if gate and (overlap is not Overlap.ALLOW or policies.overlap_max):
        raise BadInput(
            f"schedule {name!r}: its task {definition.name!r} has limits; leave out overlap and overlap_max, and limit "
            "the task: Concurrency(1) lets each run wait for the one before"
        )
    full_name = f"{group}/{name}"
    repeat_seconds = trigger.interval_micros / MICROS if isinstance(trigger, Every) and trigger.delay else None
    schedule = Schedule(
        name=full_name,
        task=definition.name,
        trigger=encode(trigger),
        args=codec.encode(call.payload),
        queue=lane_of(definition, how),
        band=check_band(how.band if how.band >= 0 else definition.band),
        misfire=misfire,
        misfire_grace_seconds=_seconds("misfire_grace", policies.misfire_grace),
        misfire_window_seconds=window,
        overlap=overlap,
        overlap_max=policies.overlap_max,
        jitter_seconds=_seconds("jitter", policies.jitter),
        start_at=NEVER if policies.start is None else to_micros(policies.start),
        end_at=NEVER if policies.end is None else to_micros(policies.end),
        count=policies.count,
        expires_seconds=_seconds("expires", policies.expires) or how.expires_seconds or definition.expires_seconds,
        options=with_gate(pack_options(definition, how, repeat_seconds), gate),
        owner=how.owner or definition.owner,
        tz_version=tz_version(),
    )
    Line.of(schedule).after(None, limit=1)  # refuses a line that can never be walked
    return schedule


def trigger_of(schedule: Schedule) -> AnyTrigger:
    """The trigger a stored schedule carries."""
    return decode(schedule.trigger)


def _seconds(what: str, duration: Duration) -> float:
    seconds = parse_duration(duration) / MICROS
    if not 0 <= seconds <= RETRY_DELAY_SECONDS_MAX * 52:
        raise BadInput(f"{what}={duration!r} is out of range")
    return seconds
