"""A gateway that moves no money, for trying things and for tests. It says what a real one says, when it is told to:
late, twice, in another order, or never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from shike.errors import BadNotice
from shike.rail.payment import Notice, NoticeKind, Payment, signed

Receiver = Callable[[Notice], Awaitable[object]]


class FakeGateway:
    """Payments in memory. A payer's deeds are `pay` and `fail`; callbacks wait in `outgoing` until `deliver`.

    `secret` signs the callbacks; there is none by default. `pages` is where payers go, before a payment's name.
    """

    def __init__(self, secret: bytes, pages: str = "https://pay.example/") -> None:
        self._secret = secret
        self._pages = pages
        self._asked: dict[str, Payment] = {}
        self._closed: set[str] = set()
        self._paid: dict[str, Notice] = {}
        self._refunds: dict[tuple[str, str], int] = {}
        self._told = 0
        self.outgoing: deque[Notice] = deque()

    async def open(self, payment: Payment) -> str:
        self._asked.setdefault(payment.id, payment)
        return f"{self._pages}{payment.id}"

    async def close(self, payment: str) -> None:
        self._closed.add(payment)

    async def refund(self, payment: str, key: str, amount_cents: int) -> None:
        if (payment, key) not in self._refunds:
            self._refunds[payment, key] = amount_cents
            self._tell(payment, NoticeKind.REFUNDED, amount_cents, key)

    async def ask(self, payment: str) -> Notice | None:
        return self._paid.get(payment)

    def pay(self, payment: str, *, amount_cents: int | None = None, race: bool = False) -> None:
        """The payer pays, once. `race`: in the moment in which the payment is called off, so that both happen."""
        if payment not in self._asked or (payment in self._closed and not race) or payment in self._paid:
            raise BadNotice(f"payment {payment!r} cannot be paid: it was not asked for, is closed, or is paid")
        amount = self._asked[payment].amount_cents if amount_cents is None else amount_cents
        self._paid[payment] = self._tell(payment, NoticeKind.PAID, amount)

    def fail(self, payment: str) -> None:
        """The payer's bank says no."""
        self._tell(payment, NoticeKind.FAILED, 0)

    async def deliver(self, receive: Receiver, *, times: int = 1, reverse: bool = False) -> None:
        """Send off all callbacks that wait, each so many times."""
        waiting = list(self.outgoing)
        self.outgoing.clear()
        for notice in reversed(waiting) if reverse else waiting:
            for _ in range(times):
                await receive(notice)

    def lose(self) -> None:
        """All callbacks that wait are lost."""
        self.outgoing.clear()

    def payments(self) -> list[str]:
        """Those that were paid."""
        return list(self._paid)

    def balance_cents(self, payment: str) -> int:
        """What it has of a payer: came less went back."""
        came = self._paid[payment].amount_cents if payment in self._paid else 0
        return came - sum(amount for (of, _), amount in self._refunds.items() if of == payment)

    def _tell(self, payment: str, kind: NoticeKind, amount_cents: int, refund: str = "") -> Notice:
        self._told += 1
        currency = self._asked[payment].currency
        notice = signed(Notice(f"n{self._told}", payment, kind, amount_cents, currency, refund), self._secret)
        self.outgoing.append(notice)
        return notice
