"""From bytes to a checked value, or to an error that names the field. Pure; what does not fit is never half taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec

from shike.clock import to_micros
from shike.errors import BadArguments, BadField, BadInput, BadJSON, BadTime
from shike.payload import to_json

_AT: Final = re.compile(r"^(.*?) - at `\$?\.?(.*)`$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(.*)`", re.DOTALL)
_PLACE: Final = re.compile(r"\[\.\.\.\]")


def body(raw: bytes, wanted: Any) -> Any:
    """A JSON body. Raises `BadJSON` for what is none, `BadField` for what is not as asked for."""
    try:
        return _decoder(wanted).decode(raw)
    except msgspec.ValidationError as error:
        found = _bad_field(str(error))
        raise _placed(found, raw, wanted) if "[]" in found.field else found from None
    except RecursionError:
        raise BadJSON("the body is nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadJSON(f"the body is no JSON: {error}") from None


def query(given: Mapping[str, list[str]], wanted: Any) -> Any:
    """Query parameters: each at most once, but for those that are lists (given once with commas, or several times)."""
    many = _lists(wanted)
    values: dict[str, Any] = {}
    for name, texts in given.items():
        if name in many:
            values[name] = [part for text in texts for part in text.split(",") if part]
        elif len(texts) > 1:
            raise BadField(f"{name} is given {len(texts)} times", field=name)
        else:
            values[name] = texts[0]
    try:
        return msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise _bad_field(str(error)) from None


def json_object(raw: msgspec.Raw, field: str) -> bytes:
    """A JSON object, as it was sent. Raises `BadField` for other JSON, for what is nested deeper than JSON_DEPTH_MAX,
    for half a sign and for numbers that no float holds: its reader would fail of it."""
    payload = bytes(raw)
    value = _decoded(payload, field)
    if not isinstance(value, dict):
        raise BadField(f"{field} is an object of values by name", field=field)
    return payload


def flat_values(raws: Sequence[msgspec.Raw]) -> list[Any] | None:
    """Many JSON values, read in one step; None where one cannot be read, or may hold others that are nested: then each
    has to be looked at by itself."""
    joined = b"[" + b",".join(raws) + b"]"
    try:
        values: list[Any] = msgspec.json.decode(joined)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    brackets = joined.count(b"[") + joined.count(b"{") - 1
    return values if brackets == sum(isinstance(value, dict | list) for value in values) else None


def json_value(raw: msgspec.Raw, field: str) -> bytes:
    """Any JSON value, as it was sent; refused as in `json_object`."""
    payload = bytes(raw)
    _decoded(payload, field)
    return payload


def _decoded(payload: bytes, field: str) -> Any:
    try:
        value = msgspec.json.decode(payload)
        if payload.count(b"[") + payload.count(b"{") > 1:
            to_json(value, field)  # refuses what is nested too deep
    except BadArguments as error:
        raise BadField(str(error), field=field) from None
    except RecursionError:
        raise BadField(f"{field} is nested too deep", field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadField(f"{field} cannot be read: {error}", field=field) from None
    return value


def instant(at: datetime | None, field: str) -> datetime | None:
    """A time that was sent; raises `BadField` for one without a zone, or outside of the calendar."""
    if at is not None:
        try:
            to_micros(at)
        except BadTime as error:
            raise BadField(str(error), field=field) from None
    return at


def named(error: BadInput, field: str) -> BadField:
    """The same words, with the field they are about."""
    return error if isinstance(error, BadField) else BadField(str(error), field=field)


def _bad_field(words: str) -> BadField:
    """msgspec's words with the path in a field of its own: `Expected `int`, got `str` - at `$.priority``."""
    match = _AT.match(words)
    words, path = (match[1], match[2]) if match else (words, "")
    path = _PLACE.sub("[]", path)
    for pattern in (_UNKNOWN, _MISSING):
        if found := pattern.search(words):
            path = f"{path}.{found[1]}" if path else found[1]
    return BadField(words, field=path[:200])


def _placed(error: BadField, raw: bytes, wanted: Any) -> BadField:
    """The same error with the number of the item it is about, which msgspec does not tell."""
    name, _, rest = error.field.partition("[]")
    hint = _hints(wanted).get(name)
    if hint is None:
        return error
    part = msgspec.defstruct("Part", [(name, list[msgspec.Raw])])
    decoder = _decoder(get_args(hint)[0])
    for place, item in enumerate(getattr(msgspec.json.decode(raw, type=part), name)):
        try:
            decoder.decode(item)
        except msgspec.ValidationError:
            return BadField(str(error), field=f"{name}[{place}]{rest}")
    return error


@cache
def _hints(wanted: Any) -> dict[str, Any]:
    return get_type_hints(wanted)


@cache
def _decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)


@cache
def _lists(wanted: Any) -> frozenset[str]:
    return frozenset(
        name for name, hint in _hints(wanted).items() if get_origin(hint) is tuple or tuple in get_args(hint)
    )
