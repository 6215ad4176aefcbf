"""The way in and out: an access key, or a link that lets in once, becomes the cookie of a sign-in."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import SIGN_IN_SECONDS
from shike.server.console.page import CONSOLE, HTML
from shike.server.console.render import show
from shike.server.console.visit import SIGN_IN_COOKIE, Visit
from shike.server.roles import Access, Role
from shike.server.routes import Face, Logged, Route, Rule

FIELD_CHARS_MAX: Final = 500
DEED: Final = f"POST {CONSOLE}/sign-in"


class Next(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go afterwards."""

    next: Annotated[str, Meta(max_length=2_000)] = ""


class Credentials(Struct, frozen=True, forbid_unknown_fields=True):
    """An access key, or the secret of a link."""

    key: Annotated[str, Meta(max_length=FIELD_CHARS_MAX)] = ""
    once: Annotated[str, Meta(max_length=FIELD_CHARS_MAX)] = ""
    next: Annotated[str, Meta(max_length=2_000)] = ""


async def front(ask: Ask[None, Nothing]) -> Reply:
    """To the console."""
    return Reply(status=303, raw=b"", headers={"location": f"{ask.visit.root}{CONSOLE}"})


async def form(ask: Ask[None, Next]) -> Reply:
    """Asks for a key. A link's secret stands behind the `#` of its address: no server and no log gets to see it."""
    return show(ask, "sign_in.html", next=ask.query.next)


async def enter(ask: Ask[Credentials, Nothing]) -> Reply:
    """Let in whoever shows a valid key or an unused link."""
    cookie, access = await _by_either(ask)  # the door counts who shows a wrong one
    await ask.desk.log.note(access, ask.address, DEED, 303)
    headers = {"set-cookie": _cookie(ask.visit, cookie, round(SIGN_IN_SECONDS))}
    return Reply(status=200, raw=b"", media_type=HTML, headers=headers | {"hx-redirect": _inside(ask)})


async def leave(ask: Ask[Nothing, Nothing]) -> Reply:
    """The cookie lets nobody in any more."""
    await ask.desk.sign_ins.end(ask.visit.sign_in)
    headers = {"set-cookie": _cookie(ask.visit, "", 0), "hx-redirect": f"{ask.visit.root}{CONSOLE}/sign-in"}
    return Reply(status=200, raw=b"", media_type=HTML, headers=headers)


async def _by_either(ask: Ask[Credentials, Nothing]) -> tuple[str, Access]:
    if ask.body.once:
        return await ask.desk.sign_ins.by_link(ask.body.once)
    return await ask.desk.sign_ins.by_key(ask.body.key)


def _inside(ask: Ask[Credentials, Nothing]) -> str:
    """Only to a page of ours: an address that begins like one of another host is none."""
    home, wanted = f"{ask.visit.root}{CONSOLE}", ask.body.next
    is_ours = wanted.startswith((f"{home}/", f"{home}?")) and "\\" not in wanted and wanted.isprintable()
    return wanted if is_ours and wanted.isascii() else home


def _cookie(visit: Visit, value: str, seconds: int) -> str:
    """Lax: a link to a run in a chat opens; forms of other sites are refused by the cookie, and by their `Origin`."""
    parts = [f"{SIGN_IN_COOKIE}={value}", f"Path={visit.root or '/'}", f"Max-Age={seconds}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if visit.is_secure else parts)


ROUTES = (
    Route(
        verb="GET", path="/", role=None, rule=Rule.OPEN, handler=front, face=Face.CONSOLE, media_type=HTML,
        words="To the console.",
    ),
    Route(
        verb="GET", path=f"{CONSOLE}/sign-in", role=None, rule=Rule.OPEN, handler=form, query=Next, face=Face.CONSOLE,
        media_type=HTML, words="Asks for an access key.",
    ),
    Route(
        verb="POST", path=f"{CONSOLE}/sign-in", role=None, rule=Rule.PROOF, handler=enter, body=Credentials,
        face=Face.CONSOLE, media_type=HTML, logged=Logged.SUMMED,
        words="Signs in with an access key, or with a link that does so once.",
    ),
    Route(
        verb="POST", path=f"{CONSOLE}/sign-out", role=Role.VIEWER, rule=Rule.ROLE, handler=leave, body=Nothing,
        face=Face.CONSOLE, media_type=HTML, logged=Logged.EACH, words="Signs out.",
    ),
)  # fmt: skip
