"""Where a call may go (against SSRF): decided by the *address* that is connected to, at the moment of the call.

A name is resolved once, every address that it stands for is checked, and the connection goes to one of these: a name
that means something else a second later changes nothing. Odd spellings (`127.1`, `0x7f000001`, `[::ffff:10.0.0.1]`)
become addresses before they are judged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from shike.errors import AddressBlocked, BadSetting, CallFailed

PUBLIC: Final = "public"  # the word that lets calls go to any public address
PUBLIC_PORTS: Final = {"http": 80, "https": 443}
URL_CHARS_MAX: Final = 2_000
RESOLVE_SECONDS: Final = 5.0
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(Struct, frozen=True):
    """A URL, taken apart and checked. `path` includes the query, and is safe to be put into a request."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PUBLIC_PORTS[self.scheme] else f"{host}:{self.port}"


class Rules(Struct, frozen=True):
    """Where calls may go: to public addresses on ports 80 and 443, and to hosts that were named, wherever these are."""

    public: bool = False
    named: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def parse(cls, words: Iterable[str]) -> Rules:
        """`public`, `executor.local:8080`, `[::1]:9000`. Raises `BadSetting`."""
        public, named = False, set()
        for word in words:
            if word == PUBLIC:
                public = True
                continue
            host, _, port = word.rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
                raise BadSetting(f"allow_http: {word!r} is neither the word public nor HOST:PORT")
            named.add((host.strip("[]").lower(), int(port)))
        return cls(public, frozenset(named))

    def target(self, url: str) -> Target:
        """The parts of a URL; raises `AddressBlocked` for one that no rule could allow."""
        if len(url) > URL_CHARS_MAX or not url.isprintable() or " " in url:
            raise AddressBlocked(f"this is no URL of up to {URL_CHARS_MAX:,} characters: {url[:60]!r}")
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
        except ValueError as error:
            raise AddressBlocked(f"{url[:60]!r} is no URL: {error}") from None
        if parts.scheme not in PUBLIC_PORTS or not host:
            raise AddressBlocked(f"{url[:60]!r}: only http:// and https:// with a host are called")
        if "@" in parts.netloc:
            raise AddressBlocked(f"{host}: a URL with a password in it is not called: give the name of a secret")
        port = PUBLIC_PORTS[parts.scheme] if port is None else port
        if (host, port) not in self.named and not (self.public and port in PUBLIC_PORTS.values()):
            raise AddressBlocked(f"this worker does not call {host}:{port}; `--allow-http {host}:{port}` would let it")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
        return Target(parts.scheme, host, port, path + query)

    async def addresses(self, target: Target) -> list[str]:
        """What the host stands for now. Raises `AddressBlocked` if any of that must not be called."""
        found = await _resolved(target)
        if (target.host, target.port) not in self.named:
            for address in found:
                if not is_public(address):
                    raise AddressBlocked(
                        f"{target.host} stands for {address}, which is not public; this worker does not call it",
                        address=str(address),
                    )
        return list(dict.fromkeys(map(str, found)))


def is_public(address: Address) -> bool:
    """Whether an address is one of the Internet's: not of this machine, its network, or a cloud's metadata; nor an IPv6
    address that carries such an IPv4 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner: Address | None = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo:
            inner = address.teredo[1]
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


async def _resolved(target: Target) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise CallFailed(f"{target.host} is no host that can be found: {str(error) or 'no answer in time'}") from None
    return [ipaddress.ip_address(address[0].partition("%")[0]) for *_, address in found if isinstance(address[0], str)]
