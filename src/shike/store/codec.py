"""The codec hook: what happens to arguments and results between msgspec and the store.

Clients encode what they submit and decode results; workers decode arguments and encode results. Stores never look
inside. All processes that share a store must be given codecs that read each other's bytes.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

from shike.bounds import ARGS_BYTES_MAX
from shike.errors import BadInput, TooLarge

PLAIN_MARK: Final = b"\x00"
ZLIB_MARK: Final = b"\x01"


class Codec(Protocol):
    """Bytes to bytes and back: `decode(encode(data)) == data`, for the empty bytes too. Several threads may ask."""

    def encode(self, data: bytes) -> bytes: ...

    def decode(self, data: bytes) -> bytes:
        """Raises `BadInput` for bytes that no `encode` of this codec has made."""
        ...


class Plain:
    """Leaves everything as it is: the default."""

    def encode(self, data: bytes) -> bytes:
        return data

    def decode(self, data: bytes) -> bytes:
        return data


class Zlib:
    """Compresses what is at least `from_bytes` long and gets shorter by it; the first byte says whether it did.

    `bytes_max` bounds what `decode` unpacks, so that a small record cannot fill the memory (`TooLarge`).
    """

    def __init__(self, *, level: int = 6, from_bytes: int = 256, bytes_max: int = 16 * ARGS_BYTES_MAX) -> None:
        self._level = level
        self._from_bytes = from_bytes
        self._bytes_max = bytes_max

    def encode(self, data: bytes) -> bytes:
        if len(data) >= self._from_bytes:
            packed = zlib.compress(data, self._level)
            if len(packed) < len(data):
                return ZLIB_MARK + packed
        return PLAIN_MARK + data

    def decode(self, data: bytes) -> bytes:
        mark, body = data[:1], data[1:]
        if mark == PLAIN_MARK:
            return body
        if mark != ZLIB_MARK:
            raise BadInput("these bytes were not written by the zlib codec; is every process given the same one?")
        return self._unpack(body)

    def _unpack(self, body: bytes) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(body, self._bytes_max)
        except zlib.error as error:
            raise BadInput(f"compressed bytes cannot be read: {error}") from error
        if unpacker.unconsumed_tail:
            raise TooLarge("a record unpacks to more than is allowed", size=len(data) + 1, limit=self._bytes_max)
        if not unpacker.eof:
            raise BadInput("compressed bytes end too early")
        return data
