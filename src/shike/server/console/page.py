"""What a page is, and how its routes are written down: in the one route table, with a role and a rule, as all are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct

from shike.server.ask import Nothing
from shike.server.roles import Access, Role, may
from shike.server.routes import Face, Handler, Logged, Route, Rule

CONSOLE: Final = "/console"
HTML: Final = "text/html; charset=utf-8"


class Page(Struct, frozen=True, kw_only=True):
    """A page of the menu. Its name in the menu is the word `NAME.title`."""

    name: str
    path: str  # under /console
    place: int  # in the menu, from the top
    letter: str  # `g` and this letter go there
    role: Role = Role.VIEWER
    is_whole: bool = False  # about everything: not for keys of some queues

    def is_for(self, who: Access) -> bool:
        """Whether it stands in the menu of whoever looks. The route table decides who gets it."""
        return may(who.role, self.role, ()) and not (self.is_whole and who.queues)


def shown(
    path: str, handler: Handler, *, words: str, rule: Rule = Rule.QUEUE, query: Any = Nothing, role: Role = Role.VIEWER
) -> Route:
    """The route of something to look at: a page, or a part of one."""
    return Route(
        verb="GET",
        path=f"{CONSOLE}{path}",
        role=role,
        rule=rule,
        handler=handler,
        query=query,
        words=words,
        media_type=HTML,
        face=Face.CONSOLE,
    )


def done(
    path: str,
    handler: Handler,
    *,
    words: str,
    rule: Rule = Rule.QUEUE,
    body: Any = Nothing,
    role: Role = Role.OPERATOR,
    query: Any = Nothing,
) -> Route:
    """The route of a deed: a form that is sent. Each one is an entry in the log."""
    return Route(
        verb="POST",
        path=f"{CONSOLE}{path}",
        role=role,
        rule=rule,
        handler=handler,
        body=body,
        query=query,
        words=words,
        logged=Logged.EACH,
        media_type=HTML,
        face=Face.CONSOLE,
    )


def menu(pages: Collection[Page], who: Access) -> list[Page]:
    """The pages that whoever looks may see, from the top."""
    return sorted((page for page in pages if page.is_for(who)), key=lambda page: page.place)
