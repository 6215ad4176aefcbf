"""Styles and scripts: read once, named by their hash, so that browsers keep them for good. Nothing from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from shike.errors import NotFound
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.page import CONSOLE
from shike.server.routes import Face, Route, Rule

HOME: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
FOR_GOOD: Final = "public, max-age=31536000, immutable"  # a year: another content has another address
DIGITS: Final = 12


class Static(Struct, frozen=True, kw_only=True):
    """One file, with its content also compressed."""

    name: str
    raw: bytes
    packed: bytes
    digest: str
    media_type: str


@cache
def statics() -> dict[str, Static]:
    """All files, by name."""
    return {path.name: _static(path) for path in sorted(HOME.iterdir()) if path.suffix in TYPES}


def address(name: str) -> str:
    """Where a file is, under the console. Raises `KeyError` for one that is not there."""
    return f"/static/{statics()[name].digest}/{name}"


def _static(path: Path) -> Static:
    raw = path.read_bytes()
    return Static(
        name=path.name,
        raw=raw,
        packed=gzip.compress(raw, 9, mtime=0),
        digest=hashlib.sha256(raw).hexdigest()[:DIGITS],
        media_type=TYPES[path.suffix],
    )


async def serve(ask: Ask[None, Nothing]) -> Reply:
    """A file. Asked for by an old address it is the present one, and not kept."""
    found = statics().get(ask.path["name"])
    if found is None:
        raise NotFound("there is no such file")
    etag = f'"{found.digest}"'
    headers = {"etag": etag, "cache-control": FOR_GOOD if ask.path["digest"] == found.digest else "no-cache"}
    if ask.headers.get("if-none-match", "").strip() == etag:
        return Reply(status=304, headers=headers, raw=b"")
    if "gzip" in ask.headers.get("accept-encoding", ""):
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Reply(raw=found.packed, media_type=found.media_type, headers=headers)
    return Reply(raw=found.raw, media_type=found.media_type, headers=headers)


ROUTES = (
    Route(
        verb="GET", path=f"{CONSOLE}/static/{{digest}}/{{name}}", role=None, rule=Rule.OPEN, handler=serve,
        storeless=True, face=Face.CONSOLE, media_type="text/css", words="Styles and scripts: no secrets.",
    ),
)  # fmt: skip
