"""Which process groups the guardian ends."""

from __future__ import annotations

from shike.worker.guardian import watch


def test_the_groups_named_and_not_taken_back_are_left_in_the_end() -> None:
    assert watch([b"+10\n", b"+11\n", b"-10\n", b"+12\n"]) == [11, 12]


def test_a_group_taken_back_twice_or_never_named_is_no_error() -> None:
    assert watch([b"+10\n", b"-10\n", b"-10\n", b"-99\n"]) == []


def test_a_number_given_out_again_is_watched_again() -> None:
    assert watch([b"+10\n", b"-10\n", b"+10\n"]) == [10]
