"""What a Redis URL says, and what is said to one that says nothing useful (R0.5, P8)."""

from __future__ import annotations

import pytest

from shike.clock import SystemClock
from shike.errors import BadSetting, BadStoreURL
from shike.store.opening import open_store
from shike.store.redis.options import Accepted, Options, parse
from shike.store.redis.wire import greeting


def test_a_host_is_enough() -> None:
    options = parse("redis://redis.example")
    assert options.hosts == (("redis.example", 6379),)
    assert (options.cluster, options.tls, options.database, options.user, options.password) == (False, False, 0, "", "")
    assert (options.virtual_buckets, options.slice_micros(1), options.accept) == (1, 0, frozenset())
    assert options.slice_micros(64) == 60_000_000


def test_everything_can_be_said() -> None:
    options = parse(
        "rediss://ann:p%40ss@[::1]:7000/3?accept=no-aof,eviction&slices=on&slice_seconds=30"
        "&timeout_seconds=2&wait=1&wait_ms=50&history_hours=1&history_runs=10&tls_ca=/ca.pem"
    )
    assert options == Options(
        hosts=(("::1", 7000),),
        tls=True,
        tls_ca="/ca.pem",
        user="ann",
        password="p@ss",  # noqa: S106
        database=3,
        accept=frozenset({Accepted.NO_AOF, Accepted.EVICTION}),
        slices=True,
        slice_seconds=30,
        call_seconds=2,
        wait=1,
        wait_millis=50,
        history_hours=1,
        history_runs=10,
    )
    assert options.slice_micros(1) == 30_000_000


def test_a_cluster_has_several_hosts_and_spreads() -> None:
    options = parse("redis+cluster://a:7000,b:7001,c/")
    assert options.hosts == (("a", 7000), ("b", 7001), ("c", 6379))
    assert (options.cluster, options.tls, options.virtual_buckets) == (True, False, 64)
    assert parse("rediss+cluster://a/").tls


def test_a_password_is_shown_to_nobody() -> None:
    options = parse("redis://ann:secret@a/")
    assert "secret" not in repr(options)
    assert "secret" not in options.where


@pytest.mark.parametrize(
    ("login", "said"),
    [("ann:secret@", ("AUTH", "ann", "secret")), (":secret@", ("AUTH", "secret")), ("ann@", ("AUTH", "ann", ""))],
)
def test_whoever_is_named_logs_in(login: str, said: tuple[str, ...]) -> None:
    """A user without a password would else be somebody else, without a word."""
    assert greeting(parse(f"redis://{login}a/")) == [said]


@pytest.mark.parametrize(
    "url",
    [
        "http://a/",
        "redis://a:port/",
        "redis://a:70000/",
        "redis://a/zero",
        "redis+cluster://a/3",
        "redis://[::1/",
        "redis://a/0#x",
    ],
)
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(BadStoreURL):
        parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://ann:se#cret@a/0",
        "redis://ann:se/cret@a/0",
        "redis://ann:se?cret@a/0",
        "redis://ann:secret@a:70000/0",
        "redis://ann:secret@a/zero",
        "redis:/ann:secret@a/0",
        "ann:secret@a",
    ],
)
def test_a_url_that_cannot_be_used_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(BadStoreURL) as refused:
        open_store(url, namespace="shike", clock=SystemClock())
    assert not any(part in str(refused.value) for part in ("secret", "cret", "se#", "se/", "se?"))


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("acept=no-aof", "did you mean accept"),
        ("colour=red", "they have accept"),
        ("accept=anything", "none of no-aof"),
        ("slices=perhaps", "neither on nor off"),
        ("wait=many", "not a number"),
        ("wait=-1", "not between"),
        ("timeout_seconds=nan", "not between"),
    ],
)
def test_an_option_that_cannot_be_used_says_what_can(words: str, advice: str) -> None:
    with pytest.raises(BadSetting, match=advice):
        parse(f"redis://a/?{words}")


@pytest.mark.parametrize("namespace", ["", "Shike", "a:b", "a}b", "x" * 40])
def test_a_namespace_is_a_short_word(namespace: str) -> None:
    with pytest.raises(BadSetting):
        open_store("redis://a/", namespace=namespace, clock=SystemClock())


def test_nobody_waits_for_replicas_longer_than_for_an_answer() -> None:
    with pytest.raises(BadSetting, match="timeout_seconds higher"):
        parse("redis://h/0?wait=1&wait_ms=6000")
    assert parse("redis://h/0?wait=1&wait_ms=6000&timeout_seconds=10").wait_millis == 6000
