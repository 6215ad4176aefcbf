"""No call goes where it must not, however the place is spelt (P10)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from shike.egress.exchange import exchange
from shike.egress.rules import Rules, is_public
from shike.errors import AddressBlocked, BadSetting, CallFailed

PUBLIC = Rules.parse(["public"])

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - to be refused
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:db8::1", "::127.0.0.1",
]  # fmt: skip
OF_THE_INTERNET = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OF_THE_INTERNET)
def test_an_address_of_the_internet(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "file:///etc/passwd", "gopher://example.org", "//example.org", "example.org", "",
        "http://", "http:///x", "http://user:pw@example.org/", "http://example.org:22/", "http://example.org:6379",
        "http://example.org/\r\nx: y", "http://example.org/ x", "http://[::1", "http://example.org:99999/",
        "http://example.org:x/", "http://" + "a" * 3_000, "http://exa\x00mple.org/",
    ],
)  # fmt: skip
def test_a_url_that_no_rule_could_allow(url: str) -> None:
    with pytest.raises(AddressBlocked):
        PUBLIC.target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://017700000001/",
        "http://localhost/", "http://LOCALHOST./", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
        "http://169.254.169.254/latest/meta-data/", "http://[fe80::1%25lo]/",
    ],
)  # fmt: skip
def test_no_spelling_of_this_machine_is_called(url: str) -> None:
    async def call() -> None:
        with pytest.raises((AddressBlocked, CallFailed)):
            await exchange(PUBLIC, "GET", url, {}, b"", seconds=5)

    asyncio.run(call())


def test_a_name_that_means_another_address_a_second_later_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: what was checked is what is connected to, and nothing is looked up twice."""
    looked_up: list[str] = []
    called: list[str] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()

        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            looked_up.append(host)
            address = "93.184.216.34" if len(looked_up) == 1 else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        async def open_connection(host: str, port: int, **_: Any) -> Any:
            called.append(host)
            raise OSError("not today")

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(asyncio, "open_connection", open_connection)
        with pytest.raises(CallFailed):
            await exchange(PUBLIC, "GET", "http://rebind.example/", {}, b"", seconds=5)

    asyncio.run(story())
    assert (looked_up, called) == (["rebind.example"], ["93.184.216.34"])


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("8.8.8.8", "10.0.0.1")]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        with pytest.raises(AddressBlocked, match=r"10\.0\.0\.1") as caught:
            await PUBLIC.addresses(PUBLIC.target("http://both.example/"))
        assert caught.value.address == "10.0.0.1"

    asyncio.run(story())


def test_nothing_is_called_without_a_rule_and_a_named_place_wherever_it_is() -> None:
    with pytest.raises(AddressBlocked, match=r"--allow-http example\.org:443"):
        Rules().target("https://example.org/")
    named = Rules.parse(["Executor.local:8080", "[::1]:9000"])
    assert named.target("http://executor.LOCAL:8080/a?b=c#d").path == "/a?b=c"
    assert named.target("http://[::1]:9000").authority == "[::1]:9000"
    for url in ("http://executor.local/", "http://executor.local:8081/", "https://example.org/"):
        with pytest.raises(AddressBlocked):
            named.target(url)


@pytest.mark.parametrize(
    "word", ["example.org", "example.org:", ":80", "example.org:0", "example.org:70000", "all", ""]
)
def test_a_rule_that_is_none(word: str) -> None:
    with pytest.raises(BadSetting):
        Rules.parse([word])
