"""Which broker and technique a URL chooses, and what is refused before any broker is asked."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest

from shike.connect import BrokerWaker, open_delays
from shike.connect.bounds import BODY_BYTES_MAX
from shike.connect.delays.opening import TECHNIQUES
from shike.errors import BadBrokerURL, BadInput, BadTime, BrokerUnavailable, TooLarge
from tests.unit.connect.brokers import run

EXTRAS = {"aio_pika": "rabbitmq", "nats": "nats", "redis": "redis"}
DRIVERS = {"amqp": "aio_pika", "nats": "nats", "tls": "nats", "redis": "redis", "rediss": "redis", "amqps": "aio_pika"}


@pytest.mark.parametrize("scheme", TECHNIQUES)
def test_a_scheme_chooses_a_technique_that_tells_its_limits(scheme: str) -> None:
    delays = open_delays(f"{scheme}://localhost/", "reminders")
    words = type(delays).__doc__ or ""
    assert all(word.lower() in words.lower() for word in ("bounds", "lost")), type(delays)


@pytest.mark.parametrize("url", ["", "localhost", "kafka://h", "amqp:/h", "amqp+plugin://u:s3cret@h", None, 7])
def test_a_url_of_no_broker_is_refused_without_its_password(url: Any) -> None:
    for make in (lambda: open_delays(url, "x"), lambda: BrokerWaker(url)):
        with pytest.raises(BadBrokerURL, match=r"amqp://.*nats://.*redis://") as caught:
            make()
        assert "s3cret" not in str(caught.value)


def test_a_database_of_redis_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadBrokerURL, match="'shike', not a number"):
        open_delays("redis://localhost/shike", "reminders")


@pytest.mark.parametrize(
    "url", ["nats://", "nats://localhost:port", "amqp://localhost:port/", "redis://localhost:port"]
)
def test_a_url_that_the_driver_cannot_read_is_told_of_when_it_is_opened(url: str) -> None:
    async def story() -> None:
        with pytest.raises(BadBrokerURL, match="cannot be used"):
            await open_delays(url, "reminders").open()

    run(story())


@pytest.mark.parametrize("driver", ["jetstream", "rabbit", "redis"])
def test_an_error_without_words_is_told_in_ours(driver: str) -> None:
    async def story() -> None:
        with pytest.raises(BrokerUnavailable, match="no answer in time"):
            async with import_module(f"shike.connect.{driver}").told():
                raise TimeoutError

    run(story())


@pytest.mark.parametrize("name", ["", "Upper", "a.b", "a b", "é", "x" * 65, "-x", None, 7])
def test_a_name_that_no_broker_would_take_is_refused(name: Any) -> None:
    for words in ({"name": name}, {"name": "x", "namespace": name}):
        with pytest.raises(BadInput, match="no short word"):
            open_delays("amqp://localhost/", **words)


@pytest.mark.parametrize("scheme", TECHNIQUES)
def test_what_no_broker_should_get_is_refused_before_it_is_asked(scheme: str) -> None:
    async def story() -> None:
        delays = open_delays(f"{scheme}://localhost/", "reminders")  # not even open
        with pytest.raises(BadInput, match="bytes, not str"):
            await delays.send("text", 1)  # type: ignore[arg-type]
        with pytest.raises(TooLarge):
            await delays.send(b"x" * (BODY_BYTES_MAX + 1), 1)
        for delay in (-1, "-1s"):
            with pytest.raises(BadInput):
                await delays.send(b"x", delay)
        with pytest.raises(BadTime, match="submit a run instead"):
            await delays.send(b"x", delays.delay_seconds_max + 1)
        odd: list[Any] = ["a b", "é", "x" * 129, "a\r\nb", 7, None, b"x"]
        for identity in odd:
            with pytest.raises(BadInput, match="the id"):
                await delays.send(b"x", 1, id=identity)

    run(story())


@pytest.mark.parametrize("scheme", ["amqp", "nats", "redis", "redis+expiry"])
def test_a_broker_that_is_not_there_is_told_of(scheme: str) -> None:
    async def story() -> None:
        with pytest.raises(BrokerUnavailable):
            await open_delays(f"{scheme}://127.0.0.1:1/", "x").open()

    run(story())


@pytest.mark.parametrize("scheme", [scheme for scheme in TECHNIQUES if "+" not in scheme])
def test_a_driver_that_is_missing_is_told_of_with_the_extra_that_brings_it(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = DRIVERS[scheme]
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(BadBrokerURL, match=rf"pip install 'shike\[{EXTRAS[driver]}\]'"):
        open_delays(f"{scheme}://localhost/", "x")
