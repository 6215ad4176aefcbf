"""A payment, from being asked for to the last cent that went back: a state machine, and the port to who moves money.

What must never happen: money that came and is forgotten, money that goes back twice, an order paid twice for good. So
a payment never forgets what it *received*; a callback is taken once however often it comes; and what cannot be taken by
an order — it came too late, twice, or is the wrong sum — is *orphaned*, and all of it is on its way back in the same
step. All pure; the gateway is told afterwards, and may be told again: each of its verbs is known by a key.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from shike.errors import BadNotice, BadOrder

SECRET_BYTES_MIN: Final = 16
ORPHAN: Final = "orphan"  # the key of the refund of an orphaned payment


class PaymentState(StrEnum):
    """Where a payment is."""

    OPEN = "open"  # asked for; nothing has come
    FAILED = "failed"  # the payer's bank said no, or the payer gave up; it may be tried again
    CLOSED = "closed"  # called off by us: the order is over, or was paid otherwise
    PAID = "paid"  # money has come, and is the order's
    ORPHANED = "orphaned"  # money has come that no order takes: all of it goes back
    REFUNDED = "refunded"  # all that came has gone back


ALLOWED: Final[dict[PaymentState, frozenset[PaymentState]]] = {
    PaymentState.OPEN: frozenset({PaymentState.FAILED, PaymentState.CLOSED, PaymentState.PAID, PaymentState.ORPHANED}),
    PaymentState.FAILED: frozenset({PaymentState.CLOSED, PaymentState.PAID, PaymentState.ORPHANED}),
    PaymentState.CLOSED: frozenset({PaymentState.ORPHANED}),
    PaymentState.PAID: frozenset({PaymentState.ORPHANED, PaymentState.REFUNDED}),
    PaymentState.ORPHANED: frozenset({PaymentState.REFUNDED}),
    PaymentState.REFUNDED: frozenset(),
}


class NoticeKind(StrEnum):
    """What a gateway tells."""

    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"  # one refund, named by its key, has been paid out


class Heard(StrEnum):
    """What a notice came to."""

    PAID = "paid"
    ORPHANED = "orphaned"
    FAILED = "failed"
    REFUNDED = "refunded"
    REPEATED = "repeated"  # it was known, or says nothing new


class Notice(Struct, frozen=True):
    """A callback. `id` is the gateway's own; a repeated callback may have another. `signature` covers all the rest."""

    id: str
    payment: str
    kind: NoticeKind
    amount_cents: int
    currency: str
    refund: str = ""  # the key of the refund
    signature: str = ""


class Refund(Struct, frozen=True):
    """Money on its way back. `key` names it for ever."""

    key: str
    amount_cents: int
    is_done: bool = False


class Payment(Struct, frozen=True):
    """One try to pay an order."""

    id: str
    order: str
    amount_cents: int
    currency: str
    state: PaymentState = PaymentState.OPEN
    received_cents: int = 0
    refunds: tuple[Refund, ...] = ()

    @property
    def kept_cents(self) -> int:
        """What came and is not on its way back."""
        return self.received_cents - sum(refund.amount_cents for refund in self.refunds)


class Gateway(Protocol):
    """Whoever moves the money. Every verb may be repeated; what it says comes back as a `Notice`."""

    async def open(self, payment: Payment) -> str:
        """Ask for a payment; where the payer goes to pay. The same answer for the same payment."""

    async def close(self, payment: str) -> None:
        """Take no more money for a payment. One that is being paid in this moment may still be told as paid."""

    async def refund(self, payment: str, key: str, amount_cents: int) -> None:
        """Pay money back. Once for each key."""

    async def ask(self, payment: str) -> Notice | None:
        """What became of a payment, for when its callback was lost. None: nothing so far."""


def signed(notice: Notice, secret: bytes) -> Notice:
    """The notice with the signature that this secret gives it."""
    return replace(notice, signature=_signature(notice, secret))


def verify(notice: Notice, secret: bytes) -> None:
    """Raises `BadNotice` for one that was not signed with this secret, or was changed since."""
    if not hmac.compare_digest(notice.signature.encode(), _signature(notice, secret).encode()):
        raise BadNotice("the callback is not signed by the gateway: it was not acted on")
    if notice.amount_cents < 0:
        raise BadNotice(f"the callback tells of {notice.amount_cents} cents: less than nothing")


def hear(payment: Payment, notice: Notice) -> tuple[Payment, Heard]:
    """What a (verified) notice makes of a payment. Raises `BadNotice` for one about something else."""
    if notice.payment != payment.id:
        raise BadNotice(f"the callback is about payment {notice.payment[:40]!r}, not {payment.id!r}")
    if notice.kind is NoticeKind.PAID:
        return _paid(payment, notice)
    if notice.kind is NoticeKind.REFUNDED:
        return _refunded(payment, notice)
    if payment.state is not PaymentState.OPEN:
        return payment, Heard.REPEATED
    return _moved(payment, PaymentState.FAILED), Heard.FAILED


def close(payment: Payment) -> Payment:
    """The payment is called off, if nothing has come of it yet."""
    return (
        _moved(payment, PaymentState.CLOSED) if payment.state in (PaymentState.OPEN, PaymentState.FAILED) else payment
    )


def orphan(payment: Payment) -> Payment:
    """No order takes this money: all that is kept of it goes back. May be repeated."""
    if payment.state is not PaymentState.PAID:
        return payment
    return _all_back(_moved(payment, PaymentState.ORPHANED))


def give_back(payment: Payment, key: str, amount_cents: int) -> Payment:
    """So much goes back; once for each key. Raises `BadOrder` for more than is kept, and for a key that was used for
    another amount."""
    for refund in payment.refunds:
        if refund.key == key:
            if refund.amount_cents != amount_cents:
                raise BadOrder(f"refund {key!r} was of {refund.amount_cents} cents, not of {amount_cents}")
            return payment
    if not 0 <= amount_cents <= payment.kept_cents:
        raise BadOrder(f"{amount_cents} cents cannot go back of payment {payment.id}: {payment.kept_cents} are kept")
    if not amount_cents:
        return payment
    return replace(payment, refunds=(*payment.refunds, Refund(key, amount_cents)))


def _paid(payment: Payment, notice: Notice) -> tuple[Payment, Heard]:
    if not notice.amount_cents:
        raise BadNotice("the callback tells of a payment of nothing")
    if payment.received_cents:
        return payment, Heard.REPEATED
    came = replace(payment, received_cents=notice.amount_cents)
    is_whole = (notice.amount_cents, notice.currency) == (payment.amount_cents, payment.currency)
    if payment.state is not PaymentState.CLOSED and is_whole:
        return _moved(came, PaymentState.PAID), Heard.PAID
    return _all_back(_moved(came, PaymentState.ORPHANED)), Heard.ORPHANED


def _refunded(payment: Payment, notice: Notice) -> tuple[Payment, Heard]:
    asked = {refund.key: refund for refund in payment.refunds}
    refund = asked.get(notice.refund)
    if refund is None or refund.amount_cents != notice.amount_cents:
        raise BadNotice(f"the callback tells of a refund of {notice.amount_cents} cents that nobody asked for")
    if refund.is_done:
        return payment, Heard.REPEATED
    asked[refund.key] = replace(refund, is_done=True)
    done = replace(payment, refunds=tuple(asked.values()))
    is_over = not done.kept_cents and all(one.is_done for one in done.refunds)
    return (_moved(done, PaymentState.REFUNDED) if is_over else done), Heard.REFUNDED


def _all_back(payment: Payment) -> Payment:
    return give_back(payment, ORPHAN, payment.kept_cents)


def _moved(payment: Payment, state: PaymentState) -> Payment:
    assert state in ALLOWED[payment.state], f"{payment.state} → {state}"
    return replace(payment, state=state)


def _signature(notice: Notice, secret: bytes) -> str:
    if len(secret) < SECRET_BYTES_MIN:
        raise BadNotice(f"the gateway's secret must have {SECRET_BYTES_MIN} bytes or more")
    body = "\0".join((notice.id, notice.payment, notice.kind, str(notice.amount_cents), notice.currency, notice.refund))
    return hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
