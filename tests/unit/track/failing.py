"""Functions that fail, for the tests of how failures are told."""

from __future__ import annotations


def order(number: int) -> None:
    if number < 0:
        raise TypeError("no such order")
    raise ValueError(f"order {number} is broken")


def other_order(number: int) -> None:
    raise ValueError(f"order {number} is broken")


def from_another() -> None:
    try:
        raise KeyError(7)
    except KeyError as error:
        raise RuntimeError("no order 7") from error


def while_handling() -> None:
    try:
        raise KeyError(7)
    except KeyError:
        raise RuntimeError("while looking")  # noqa: B904 - that is what is tested


def suppressed() -> None:
    try:
        raise KeyError(7)
    except KeyError:
        raise RuntimeError("alone") from None


def throw(error: BaseException) -> None:
    raise error
