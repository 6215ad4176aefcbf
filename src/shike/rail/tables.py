"""Comma-separated tables, read so that whatever is wrong with one is told with its file, line and field.

A table is UTF-8 with a line of headings; a byte order mark, quoted fields with line breaks in them, blank lines and
blank headings' spaces are read as RFC 4180 and GTFS mean them. A row that is too short has empty fields at its end.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TypeVar

from shike.errors import BadFeed
from shike.rail.bounds import FEED_FILE_BYTES_MAX, FIELD_CHARS_SHOWN

T = TypeVar("T")
Row = list[str]


class Table:
    """The rows of one file. `column` gives the index of a field in them; reading may be done once."""

    def __init__(self, name: str, lines: IO[str]) -> None:
        self.name = name
        self._reader = csv.reader(lines, strict=True)
        self._line = 1
        self._fields: list[str] = []
        headings = next(self._rows(), None)
        if headings is None:
            raise BadFeed("the file is empty: its first line must name the fields", file=name, line=1)
        self._fields = [heading.strip() for heading in headings]
        for field in self._fields:
            if self._fields.count(field) > 1:
                raise BadFeed("the field is there twice", file=name, line=1, field=field)

    def column(self, field: str) -> int:
        """The index of a field that must be there."""
        if field not in self._fields:
            have = ", ".join(self._fields)
            raise BadFeed(f"the field is missing; there are {have}"[:500], file=self.name, line=1, field=field)
        return self._fields.index(field)

    def optional(self, field: str) -> int | None:
        """The index of a field that need not be there."""
        return self._fields.index(field) if field in self._fields else None

    def __iter__(self) -> Iterator[Row]:
        width = len(self._fields)
        for row in self._rows():
            if len(row) != width:
                if len(row) > width:
                    raise self.bad(f"the row has {len(row)} fields, the headings are {width}")
                row += [""] * (width - len(row))
            yield row

    @property
    def line(self) -> int:
        """Where the row begins that was read last."""
        return self._line

    def bad(self, message: str, field: str = "") -> BadFeed:
        """An error about the row that was read last."""
        return BadFeed(message, file=self.name, line=self._line, field=field)

    def _rows(self) -> Iterator[Row]:
        reader = self._reader
        while True:
            before = reader.line_num
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise BadFeed(f"is no row of a table: {error}", file=self.name, line=before + 1) from None
            except UnicodeDecodeError:
                raise BadFeed("is not UTF-8 (from here on)", file=self.name, line=before + 1) from None
            except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
                raise BadFeed(f"cannot be read on: {error}", file=self.name, line=before + 1) from None
            if row is None:
                return
            if row:
                self._line = before + 1
                yield row


class Kept:
    """A reading of texts that come again and again: each is parsed once. `parse` raises ValueError with a sentence."""

    def __init__(self, table: Table, field: str, parse: Callable[[str], int]) -> None:
        self._table, self._field, self._parse = table, field, parse
        self._known: dict[str, int] = {}
        self.get = self._known.get

    def __call__(self, text: str) -> int:
        found = self.get(text)
        return self._new(text) if found is None else found

    def _new(self, text: str) -> int:
        try:
            value = self._parse(text.strip())
        except ValueError as error:
            raise self._table.bad(f"{shown(text)} {error}", self._field) from None
        self._known[text] = value
        return value


def shown(text: str) -> str:
    """A field as an error shows it."""
    return repr(text if len(text) <= FIELD_CHARS_SHOWN else f"{text[:FIELD_CHARS_SHOWN]}…")


class Source:
    """The files of a feed: a zip archive, or a folder. Nothing is unpacked to the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            words = getattr(error, "strerror", None) or "it is no zip archive"
            raise BadFeed(f"{path} cannot be read: {words}", file=path.name) from error
        self.names: Sequence[str] = sorted(
            self._zip.namelist() if self._zip else (file.name for file in path.iterdir() if file.is_file())
        )

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip:
            self._zip.close()

    def has(self, name: str) -> bool:
        return name in self.names

    def read(self, name: str, take: Callable[[Table], T]) -> T:
        """Give the table of a file to `take`."""
        with self._open(name) as body, io.TextIOWrapper(body, "utf-8-sig", newline="") as lines:
            return take(Table(name, lines))

    def _open(self, name: str) -> IO[bytes]:
        if not self.has(name):
            deeper = next((other for other in self.names if other.endswith(f"/{name}")), None)
            words = f"; it is there as {deeper}, and must lie at the top" if deeper else ""
            raise BadFeed(f"the file is missing{words}", file=name)
        try:
            size = self._zip.getinfo(name).file_size if self._zip else (self._path / name).stat().st_size
            if size > FEED_FILE_BYTES_MAX:
                raise BadFeed(f"{size:,} bytes are more than {FEED_FILE_BYTES_MAX:,}", file=name)
            return self._zip.open(name) if self._zip else (self._path / name).open("rb")
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise BadFeed(f"cannot be opened: {error}", file=name) from error
