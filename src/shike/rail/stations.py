"""Stations by what people type: a name or its beginning, a word of it, pinyin, initials, a code, with or without
accents; and near names for what nothing has."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Final

from shike.errors import BadFeed, UnknownStation
from shike.rail.bounds import STATIONS_FOUND, SUGGESTIONS
from shike.rail.model import Station
from shike.rail.tables import Table

CLOSE_ENOUGH: Final = 0.6  # of the signs are in the same order
SHOWN: Final = 40  # signs of a name that is not known
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "ß": "ss"})
_LETTERS: Final = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d"})  # that have no accent to take away
_BREAKS: Final = re.compile(r"[\W_]+")
_EXACT, _PREFIX, _WORD = range(3)


class Stations(Sequence[Station]):
    """All stations of a timetable, by number and by name."""

    def __init__(self, stations: Sequence[Station]) -> None:
        self._stations = tuple(stations)

    def __len__(self) -> int:
        return len(self._stations)

    def __getitem__(self, number: int) -> Station:  # type: ignore[override]
        return self._stations[number]

    def find(self, text: str, limit: int = STATIONS_FOUND) -> list[int]:
        """The stations that a text may mean, likeliest first: called so, beginning so, with a word that begins so."""
        wanted = _fold(text)
        if not wanted:
            return []
        ranked: dict[int, tuple[int, int, str]] = {}
        for key, rank, number in self._beginning(wanted):
            how = _EXACT if key == wanted and rank == _PREFIX else rank
            order = (how, len(self[number].name), self[number].name)
            ranked[number] = min(ranked.get(number, order), order)
        return sorted(ranked, key=ranked.__getitem__)[:limit]

    def one(self, text: str) -> int:
        """The one station that has this name, pinyin, initials, code or id, or alone has a name that begins so.
        Raises `UnknownStation` with suggestions where there is none, or more than one."""
        wanted = _fold(text)
        exact = {number for key, rank, number in self._beginning(wanted) if key == wanted and rank == _PREFIX}
        named = {number for number in exact if wanted in _spellings(self[number].name)}
        coded = {number for number in exact if wanted in map(_fold, (self[number].id, self[number].code))}
        found = [*(named or coded or exact)] or self.find(text)
        if len(found) == 1:
            return found[0]
        raise self._unknown(text, sorted(found))

    def group(self, text: str) -> tuple[int, ...]:
        """The stations of a city, or the one station of this name. Raises `UnknownStation`."""
        return self._cities.get(_fold(text)) or (self.one(text),)

    def _unknown(self, text: str, found: Sequence[int]) -> UnknownStation:
        shown = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
        if found:
            names = tuple(self[number].name for number in self.find(text) or found)
            words = f"{shown} may be {len(found)} stations or more; say which: {', '.join(names)}"
            return UnknownStation(words, name=text, suggestions=names)
        close = get_close_matches(_fold(text), self._names, n=SUGGESTIONS, cutoff=CLOSE_ENOUGH)
        names = tuple(dict.fromkeys(self[self._names[key]].name for key in close))
        ask = f"; did you mean {' or '.join(names)}?" if names else ""
        return UnknownStation(f"no station is called {shown}{ask}", name=text, suggestions=names)

    def _beginning(self, wanted: str) -> Iterator[tuple[str, int, int]]:
        at = bisect_left(self._keys, (wanted, 0, 0))
        while wanted and at < len(self._keys) and self._keys[at][0].startswith(wanted):
            yield self._keys[at]
            at += 1

    @cached_property
    def _keys(self) -> list[tuple[str, int, int]]:
        """(key, rank, station), in order: whole keys, and each later word of a name."""
        keys = set()
        for number, station in enumerate(self._stations):
            names = _spellings(station.name)
            for key in {*names, *map(_fold, (station.id, station.code, station.pinyin, station.initials))} - {""}:
                keys.add((key, _PREFIX, number))
            for name in names:
                for at in (match.end() for match in re.finditer(" ", name)):
                    keys.add((name[at:], _WORD, number))
        return sorted(keys)

    @cached_property
    def _names(self) -> dict[str, int]:
        return {key: number for key, rank, number in self._keys if rank == _PREFIX}

    @cached_property
    def _cities(self) -> dict[str, tuple[int, ...]]:
        cities: dict[str, list[int]] = {}
        for number, station in enumerate(self._stations):
            if station.city:
                cities.setdefault(_fold(station.city), []).append(number)
        spelt = {_fold(one.pinyin): _fold(one.city) for one in self._stations if one.name == one.city and one.pinyin}
        cities.update({pinyin: cities[city] for pinyin, city in spelt.items()})
        return {city: tuple(numbers) for city, numbers in cities.items()}


def read_stations(path: Path) -> Stations:
    """Stations from a table with at least `name` and `telecode`, as the Chinese railways' list is. Raises `BadFeed`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return Stations(list(_rows(Table(path.name, lines))))
    except OSError as error:
        raise BadFeed(f"{path} cannot be read: {error.strerror}", file=path.name) from error


def _rows(table: Table) -> Iterator[Station]:
    name, code = table.column("name"), table.column("telecode")
    pinyin, initials, city = (table.optional(field) for field in ("pinyin", "initials", "city"))
    known: set[str] = set()
    for row in table:
        if not row[name].strip():
            raise table.bad("a station must have a name", "name")
        if not row[code].strip() or row[code] in known:
            raise table.bad(f"{row[code]!r} is empty, or was there before", "telecode")
        known.add(row[code])
        others = {"pinyin": pinyin, "initials": initials, "city": city}
        texts = {field: row[at].strip() for field, at in others.items() if at is not None}
        yield Station(row[code], row[name].strip(), code=row[code], **texts)  # type: ignore[arg-type]


def _spellings(name: str) -> set[str]:
    """How a name is typed: without accents, and with umlauts written out."""
    written_out = unicodedata.normalize("NFC", name).casefold().translate(_UMLAUTS)
    return {_fold(name), _fold(written_out)}


def _fold(text: str) -> str:
    """Small letters without accents, words apart by one space."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS).casefold().translate(_LETTERS))
    return _BREAKS.sub(" ", "".join(sign for sign in plain if not unicodedata.combining(sign))).strip()
