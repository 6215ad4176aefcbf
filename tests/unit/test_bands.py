"""Bands in order, and each lower one first in its turn: a bound that holds by counting (R2.5)."""

from __future__ import annotations

from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bands import IN_ORDER, check_band, order_of, waits_at_most
from shike.bounds import AGEING_CLAIMS, BANDS
from shike.errors import BadInput


@given(st.integers(1, 1 << 40))
def test_every_claim_serves_every_band_once(number: int) -> None:
    assert sorted(order_of(number)) == list(IN_ORDER)


@given(st.integers(1, 1 << 40), st.integers(1, BANDS - 1))
def test_each_lower_band_is_first_within_so_many_claims(first: int, band: int) -> None:
    """Wherever one begins to count."""
    assert any(order_of(first + step)[0] == band for step in range(waits_at_most(0, 1)))


@given(st.integers(1, 1 << 40))
def test_most_claims_serve_the_highest_band_first_and_the_rest_in_order(first: int) -> None:
    orders = [order_of(first + step) for step in range(AGEING_CLAIMS)]
    assert orders.count(IN_ORDER) == AGEING_CLAIMS - 1
    (other,) = [order for order in orders if order != IN_ORDER]
    assert list(other[1:]) == sorted(other[1:])


@pytest.mark.parametrize("buckets", [1, 64, 256])
def test_on_a_cluster_each_band_meets_each_bucket(buckets: int) -> None:
    """A claim of this number begins with this bucket: `store.redis.claims.in_turn`."""
    assert gcd(AGEING_CLAIMS, buckets) == gcd(BANDS - 1, buckets) == 1
    met = {(order_of(number)[0], number % buckets) for number in range(1, waits_at_most(0, 1, buckets) + 1)}
    assert met >= {(band, bucket) for band in range(1, BANDS) for bucket in range(buckets)}


def test_who_stands_further_back_waits_as_many_turns_longer() -> None:
    assert waits_at_most(0, 1) == 105
    assert waits_at_most(9, 1) == 10 * waits_at_most(0, 1)
    assert waits_at_most(9, 10) == waits_at_most(0, 1)


@pytest.mark.parametrize("band", [-1, BANDS, True, "1", 1.0])
def test_what_is_no_band_is_refused(band: int) -> None:
    with pytest.raises(BadInput, match="whole number"):
        check_band(band)
