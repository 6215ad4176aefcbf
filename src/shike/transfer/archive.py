"""The file that a store is exported to: frames, each compressed and with a checksum of its own.

    b"SHIKE-EXPORT\\n", then frames: length (4 bytes, big-endian), CRC-32 of what follows (4 bytes), zlib data

A frame unpacks to one byte that says what it is, and its content: `H` a `Header` as JSON, first; a kind's number and a
page of its records; `E` an `Ending` as JSON, last. A file without its ending was cut off.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import msgspec
from msgspec import Struct, field

from shike.errors import BadArchive
from shike.store.records import Kind, Record, Tally, packed, unpacked

MAGIC: Final = b"SHIKE-EXPORT\n"
FORMAT: Final = 1  # grows when an older program would misread the file
FRAME_BYTES_MAX: Final = 1 << 30  # more than a page of the largest records; a damaged length asks for no more memory
HEADER: Final = b"H"
ENDING: Final = b"E"
_KINDS: Final = {kind: bytes([number]) for number, kind in enumerate(Kind)}  # kinds are only ever appended
_OF: Final = {mark: kind for kind, mark in _KINDS.items()}


class Header(Struct, frozen=True, kw_only=True):
    """What the file says of itself first."""

    format: int
    id: str  # of this export
    namespace: str
    virtual_buckets: int
    exported_at: int
    snapshot: str  # what was seen: one instant of the store, or less
    program: str = ""


class Ending(Struct, frozen=True, kw_only=True):
    """What the file says of itself last."""

    tallies: dict[Kind, Tally] = field(default_factory=dict)


class Writer:
    """Writes to a file beside the one that is wanted, which it becomes when it is whole. Raises `OSError`."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.part")
        self._file: IO[bytes] = self._beside.open("wb")
        self._file.write(MAGIC)
        self._frame(HEADER, msgspec.json.encode(header))

    def add(self, kind: Kind, records: Sequence[Record]) -> None:
        self._frame(_KINDS[kind], packed(records))

    def finish(self, ending: Ending) -> None:
        """The file is whole, on the disk, and has its name."""
        import os

        self._frame(ENDING, msgspec.json.encode(ending))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._beside.replace(self._path)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()
        if kind is not None:
            self._beside.unlink(missing_ok=True)

    def _frame(self, mark: bytes, content: bytes) -> None:
        data = zlib.compress(mark + content)
        self._file.write(len(data).to_bytes(4, "big") + zlib.crc32(data).to_bytes(4, "big") + data)


class Archive:
    """A file that was exported. Raises `BadArchive` for one that is damaged, with the offset of the frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ending: Ending | None = None  # once it was read
        self.header = self._header()

    def pages(self) -> Iterator[tuple[Kind, list[Record]]]:
        """All pages, in the order in which they are to be loaded."""
        for offset, mark, content in self._frames():
            if mark in _OF:
                try:
                    yield _OF[mark], unpacked(_OF[mark], content)
                except msgspec.MsgspecError as error:
                    raise self._bad(f"holds records that cannot be read ({error})", offset) from error

    def ending(self) -> Ending:
        """Reads the whole file the first time, so that damage shows before anything of it is used."""
        if self._ending is None:
            self._ending = self._read_ending()
        return self._ending

    def _read_ending(self) -> Ending:
        last = HEADER, b"", 0
        for offset, mark, content in self._frames():
            last = mark, content, offset
        if last[0] != ENDING:
            raise self._bad("was cut off: its ending is missing", self._path.stat().st_size)
        try:
            return msgspec.json.decode(last[1], type=Ending)
        except msgspec.MsgspecError as error:
            raise self._bad(f"has an ending that cannot be read ({error})", last[2]) from error

    def _header(self) -> Header:
        for offset, mark, content in self._frames():
            try:
                header = msgspec.json.decode(content, type=Header)
            except msgspec.MsgspecError as error:
                raise self._bad(f"has a header that cannot be read ({error})", offset) from error
            if mark == HEADER and header.format <= FORMAT:
                return header
            raise self._bad(f"has format {header.format}, this program reads up to {FORMAT}: upgrade shike", offset)
        raise self._bad("was cut off before its header", len(MAGIC))

    def _frames(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(offset, mark, content) of each frame."""
        with self._path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise self._bad("is no export of Shike", 0)
            while True:
                offset = file.tell()
                head = file.read(8)
                if not head:
                    return
                length = int.from_bytes(head[:4], "big")
                data = file.read(length) if length <= FRAME_BYTES_MAX else b""
                if len(head) < 8 or len(data) != length:
                    raise self._bad("was cut off, or is damaged", offset)
                if zlib.crc32(data) != int.from_bytes(head[4:], "big"):
                    raise self._bad("is damaged: the checksum is another", offset)
                content = zlib.decompress(data)
                yield offset, content[:1], content[1:]

    def _bad(self, what: str, offset: int) -> BadArchive:
        return BadArchive(f"{self._path} {what} (at byte {offset:,}); use another copy", offset=offset)
