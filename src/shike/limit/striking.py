"""The strike list, as operators keep it."""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex

import msgspec

from shike.clock import to_micros
from shike.errors import BadInput, BadTime, NotFound
from shike.limit.bounds import STRIKES_MAX
from shike.limit.predicate import parse
from shike.limit.shown import check_who
from shike.limit.strikes import STRIKES, Deed, Strike, listed
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.task import member

REASON_CHARS_MAX = 500


async def add(
    store: Store,
    predicate: str,
    reason: str,
    *,
    deed: Deed | str = Deed.HOLD,
    who: str = "",
    until: datetime | None = None,
) -> Strike:
    """Keep runs from beginning: `add(store, "task=mail.send and tenant=acme", "their relay bounces")`.

    Those that begin after a worker heard of it are held, skipped or cancelled; what runs goes on. Raises
    `BadPredicate`, `BadInput` without a reason, `BadTime` for an `until` that is past, and `BadInput` where the list is
    full of strikes that are not over.
    """
    parse(predicate)
    check_who(who)
    if not isinstance(reason, str) or not reason.strip() or len(reason) > REASON_CHARS_MAX:
        raise BadInput(f"say why, in at most {REASON_CHARS_MAX} characters: whoever finds runs held will ask")
    now = await store.now()
    ends = 0 if until is None else to_micros(until)
    if until is not None and ends <= now:
        raise BadTime(f"a strike until {until.isoformat()} would be over already")
    known = await listed(store)
    over = [strike for strike in known if strike.until and strike.until <= now]
    for strike in over:
        await store.put(f"{STRIKES}{strike.id}", None, expect=None)
    if len(known) - len(over) >= STRIKES_MAX:
        raise BadInput(f"there are {STRIKES_MAX} strikes already; remove one: `shike strikes list`")
    strike = Strike(token_hex(4), predicate, reason.strip(), member(Deed, deed), who, now, ends)
    await store.put(f"{STRIKES}{strike.id}", msgspec.json.encode(strike), expect=0)
    _tell(store)
    return strike


async def listing(store: Store) -> list[Strike]:
    """All that are not over, oldest first."""
    now = await store.now()
    return [strike for strike in await listed(store) if not strike.until or now < strike.until]


async def remove(store: Store, id: str) -> Strike:
    """Let these runs begin again: held ones within seconds. Raises `NotFound`."""
    for strike in await listed(store):
        if strike.id == id:
            await store.put(f"{STRIKES}{id}", None, expect=None)
            _tell(store)
            return strike
    raise NotFound(f"there is no strike {id!r}; `shike strikes list` shows all")


def _tell(store: Store) -> None:
    store.tell(Hint(HintKind.QUEUE))
