"""One ledger in memory: decide, apply, serve those who wait; what is new waits in `fresh` for the journal."""

from __future__ import annotations

from typing import Any, Final

from msgspec import DecodeError, ValidationError, json

from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.applying import apply
from shike.reserve.bounds import INTEGER_MAX, KEY_CHARS_MAX
from shike.reserve.deciding import DECIDE, Decision
from shike.reserve.model import Reason, Refusal
from shike.reserve.state import State

QUIET: Final = frozenset({events.Confirmed, events.PaymentOrphaned, events.Extended, events.Pinned, events.Cancelled})


_DECODER: Final = json.Decoder(events.AnyEvent)


def is_plain(command: commands.Hold) -> bool:
    """Whether it can be seen at a glance that the hold can be written down."""
    return (
        -INTEGER_MAX < command.price < INTEGER_MAX
        and command.id.isascii()
        and command.channel.isascii()
        and (not command.people or "".join(command.people).isascii())
    )


def check_written(event: events.AnyEvent) -> None:
    """Raises `BadCommand` for what a journal would not give back as it was: found before it is true, not after."""
    try:
        if _DECODER.decode(json.encode(event)) == event:
            return
        why = "a value is lost on the way"
    except (OverflowError, UnicodeEncodeError, DecodeError, ValidationError) as error:
        why = str(error)
    raise BadCommand(f"the command cannot be written down: {why}")


class Ledger:
    """Nothing of `fresh` is true for anybody else before it is in the journal; where that fails, drop the ledger."""

    __slots__ = ("fresh", "name", "state")

    def __init__(self, name: str, state: State | None = None) -> None:
        self.name = name
        self.state = State() if state is None else state
        self.fresh: list[events.AnyEvent] = []

    def do(self, command: commands.AnyCommand) -> Decision:
        """The event that the command has led to, now or when it came first, or why it leads to none.

        Raises `BadCommand` for one that makes no sense; then, as after a refusal, nothing is changed.
        """
        state = self.state
        known = state.done.get(command.id)
        if known is not None:
            return known if answers(known, command) else Refusal(Reason.REPEATED)
        if not command.id or len(command.id) > KEY_CHARS_MAX:
            raise BadCommand(f"a command is named by 1 … {KEY_CHARS_MAX} characters")
        if not 0 <= command.at < INTEGER_MAX:
            raise BadCommand("a command is of an instant in UTC microseconds since 1970")
        if not state.version and type(command) is not commands.Open:
            return Refusal(Reason.UNKNOWN)
        event = DECIDE[type(command)](state, command)
        if type(event) is Refusal:
            return event
        if type(command) is not commands.Hold or not is_plain(command):
            check_written(event)
        apply(state, event)
        self.fresh.append(event)
        if state.queues and type(event) not in QUIET and not (type(event) is events.Held and not event.moves):
            self._serve(event.at)
        return event

    def _serve(self, at: int) -> None:
        """Something may have come free: who waits comes before who asks next."""
        state = self.state
        ask = commands.Serve("", at)
        while not isinstance(event := DECIDE[commands.Serve](state, ask), Refusal):
            apply(state, event)
            self.fresh.append(event)


ANSWERS: Final[dict[type[Any], tuple[type[Any], ...]]] = {
    commands.Open: (events.Opened,),
    commands.Hold: (events.Held,),
    commands.Confirm: (events.Confirmed, events.PaymentOrphaned),
    commands.Extend: (events.Extended,),
    commands.Release: (events.Released,),
    commands.Expire: (events.Expired,),
    commands.Refund: (events.Refunded,),
    commands.Change: (events.Changed,),
    commands.Pin: (events.Pinned,),
    commands.Block: (events.Blocked,),
    commands.Unblock: (events.Unblocked,),
    commands.AddUnits: (events.UnitsAdded,),
    commands.SetRule: (events.RuleSet,),
    commands.DropRule: (events.RuleDropped,),
    commands.SetSale: (events.SaleSet,),
    commands.SetPrices: (events.PricesSet,),
    commands.Seal: (events.Sealed,),
    commands.Join: (events.Joined,),
    commands.Leave: (events.Left,),
    commands.Lapse: (events.Lapsed,),
    commands.Serve: (events.Served,),
    commands.Advance: (events.Advanced,),
    commands.Cancel: (events.Cancelled,),
}
EARLIER: Final = frozenset({"id", "at", "indices", "units"})  # what the event says in other words, or with more of them


def answers(event: events.AnyEvent, command: commands.AnyCommand) -> bool:
    """Whether the event is what the command, given again, has led to: what both tell is the same."""
    if type(event) not in ANSWERS[type(command)]:
        return False
    both = set(command.__struct_fields__) & set(event.__struct_fields__) - EARLIER
    if any(getattr(command, name) != getattr(event, name) for name in both):
        return False
    if isinstance(command, commands.Hold):
        return isinstance(event, events.Held) and command.count == len(event.units)
    if isinstance(command, commands.Extend):
        return isinstance(event, events.Extended) and command.until == event.expires_at
    if isinstance(command, commands.Refund):
        return isinstance(event, events.Refunded) and command.indices in ((), event.indices)
    return not isinstance(command, (commands.Block, commands.Unblock, commands.AddUnits)) or (
        command.units == getattr(event, "units", None)
    )
