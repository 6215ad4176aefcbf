"""R0.12: fixed, incremental, exponential, listed; with jitter and a maximum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import ATTEMPTS_MAX, RETRY_DELAY_SECONDS_MAX
from shike.errors import BadSetting
from shike.model import Backoff, Growth
from shike.track.retry import check, pause_seconds


def pauses(policy: Backoff, draw: float = 0.5) -> list[float]:
    """All pauses of a run that never succeeds."""
    found = [pause_seconds(check(policy), failures, lambda: draw) for failures in range(1, policy.attempts + 1)]
    assert found[-1] is None, "the last attempt is the last"
    return [pause for pause in found if pause is not None]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Backoff(attempts=1), []),
        (Backoff(attempts=4, growth=Growth.FIXED, base_seconds=5), [5, 5, 5]),
        (Backoff(attempts=4, growth=Growth.INCREMENTAL, base_seconds=5), [5, 10, 15]),
        (Backoff(attempts=5, growth=Growth.EXPONENTIAL, base_seconds=1, factor=3), [1, 3, 9, 27]),
        (Backoff(attempts=5, growth=Growth.EXPONENTIAL, base_seconds=1, factor=10, max_seconds=50), [1, 10, 50, 50]),
        (Backoff(attempts=5, growth=Growth.LISTED, delays_seconds=(1, 60)), [1, 60, 60, 60]),
        (Backoff(attempts=3, growth=Growth.LISTED, delays_seconds=(100,), max_seconds=30), [30, 30]),
    ],
)
def test_each_growth_rests_as_it_says(policy: Backoff, expected: list[float]) -> None:
    assert pauses(policy) == pytest.approx(expected)


seconds = st.floats(0, RETRY_DELAY_SECONDS_MAX)
policies = st.builds(
    Backoff,
    attempts=st.integers(1, ATTEMPTS_MAX),
    growth=st.sampled_from(Growth),
    base_seconds=seconds,
    factor=st.floats(1, 1_000),
    delays_seconds=st.lists(seconds, min_size=1, max_size=5).map(tuple),
    max_seconds=seconds,
    jitter=st.floats(0, 1),
)


@given(policies, st.integers(1, 2 * ATTEMPTS_MAX), st.floats(0, 1, exclude_max=True))
def test_no_pause_leaves_its_bounds(policy: Backoff, failures: int, draw: float) -> None:
    pause = pause_seconds(check(policy), failures, lambda: draw)
    assert (pause is None) == (failures >= policy.attempts)
    if pause is not None:
        assert 0 <= pause <= policy.max_seconds


@given(policies, st.integers(1, ATTEMPTS_MAX), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_share_around_the_middle(policy: Backoff, failures: int, draw: float) -> None:
    middle = pause_seconds(policy, failures, lambda: 0.5)
    pause = pause_seconds(policy, failures, lambda: draw)
    if middle is not None and pause is not None:
        assert abs(pause - middle) <= middle * policy.jitter * (1 + 1e-9) + 1e-9


@given(policies.filter(lambda policy: policy.growth is not Growth.LISTED))
def test_pauses_never_shrink(policy: Backoff) -> None:
    found = [pause_seconds(policy, failures, lambda: 0.5) for failures in range(1, policy.attempts)]
    assert found == sorted(found, key=lambda pause: pause or 0.0)


@pytest.mark.parametrize(
    "policy",
    [
        Backoff(attempts=0),
        Backoff(attempts=ATTEMPTS_MAX + 1),
        Backoff(growth=Growth.LISTED),
        Backoff(factor=0.5),
        Backoff(factor=float("nan")),
        Backoff(base_seconds=-1),
        Backoff(base_seconds=float("nan")),
        Backoff(max_seconds=float("inf")),
        Backoff(growth=Growth.LISTED, delays_seconds=(1, -1)),
        Backoff(jitter=1.5),
        Backoff(jitter=-0.1),
        Backoff(jitter=float("nan")),
    ],
    ids=repr,
)
def test_a_policy_that_cannot_be_followed_is_refused(policy: Backoff) -> None:
    with pytest.raises(BadSetting):
        check(policy)
