"""Codecs give back what they were given, and do not trust what they read."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadInput, TooLarge
from shike.store.codec import PLAIN_MARK, ZLIB_MARK, Codec, Plain, Zlib


@pytest.mark.parametrize("codec", [Plain(), Zlib(), Zlib(level=1, from_bytes=0)])
@given(data=st.binary(max_size=2000))
def test_what_goes_in_comes_out(codec: Codec, data: bytes) -> None:
    assert codec.decode(codec.encode(data)) == data


def test_the_default_leaves_bytes_alone() -> None:
    assert Plain().encode(b"[[],{}]") == b"[[],{}]"


def test_long_and_dull_bytes_get_short() -> None:
    packed = Zlib().encode(b"x" * 10_000)
    assert packed[:1] == ZLIB_MARK
    assert len(packed) < 100


def test_short_bytes_and_noise_are_not_compressed() -> None:
    noise = bytes(range(256)) * 1
    for data in (b"x" * 255, noise):
        assert Zlib().encode(data) == PLAIN_MARK + data


def test_a_small_record_cannot_fill_the_memory() -> None:
    bomb = Zlib(bytes_max=1 << 30).encode(b"\0" * 1_000_000)
    with pytest.raises(TooLarge) as caught:
        Zlib(bytes_max=999_999).decode(bomb)
    assert caught.value.limit == 999_999
    assert len(Zlib(bytes_max=1_000_000).decode(bomb)) == 1_000_000


@pytest.mark.parametrize(
    "data",
    [b"", b"\x07abc", b"[[],{}]", ZLIB_MARK + b"not zlib", ZLIB_MARK + zlib.compress(b"x" * 1000)[:-5]],
)
def test_what_no_encode_has_made_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        Zlib().decode(data)
