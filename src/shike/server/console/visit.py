"""Who looks, and how they like it: language, theme, where the console is mounted, whether a part of a page will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

LANGUAGES: Final = ("en", "zh")
THEMES: Final = ("auto", "light", "dark")
LANGUAGE_COOKIE: Final = "shike_lang"
THEME_COOKIE: Final = "shike_theme"
SIGN_IN_COOKIE: Final = "shike_sign_in"
COOKIES_CHARS_MAX: Final = 8_000  # of all that a browser sends; more is not looked at


class Visit(Struct, frozen=True, kw_only=True):
    """One request of a browser."""

    lang: str = "en"
    theme: str = "auto"
    root: str = ""  # where another application has mounted this one
    address: str = "/console"  # path and query that were asked for
    is_part: bool = False  # asked for by a page that is there: needs no frame around it
    is_secure: bool = False
    sign_in: str = ""  # the cookie's secret


NOWHERE: Final = Visit()


def visit_of(headers: Mapping[str, str], *, root: str, address: str, is_secure: bool) -> Visit:
    """From what the browser sends; anything odd counts as not sent."""
    cookies = cookies_of(headers.get("cookie", ""))
    lang, theme = cookies.get(LANGUAGE_COOKIE, ""), cookies.get(THEME_COOKIE, "")
    return Visit(
        lang=lang if lang in LANGUAGES else _spoken(headers.get("accept-language", "")),
        theme=theme if theme in THEMES else "auto",
        root=root,
        address=address,
        is_part=headers.get("hx-request", "") == "true",
        is_secure=is_secure,
        sign_in=cookies.get(SIGN_IN_COOKIE, ""),
    )


def cookies_of(header: str) -> dict[str, str]:
    """Names and values; of one that is sent twice the first counts."""
    found: dict[str, str] = {}
    for part in header[:COOKIES_CHARS_MAX].split(";"):
        name, sign, value = part.strip().partition("=")
        if sign:
            found.setdefault(name, value)
    return found


def _spoken(accepted: str) -> str:
    """The first of our languages that the browser names."""
    for part in accepted[:COOKIES_CHARS_MAX].split(","):
        tag = part.partition(";")[0].strip().lower()
        for lang in LANGUAGES:
            if tag == lang or tag.startswith(f"{lang}-"):
                return lang
    return LANGUAGES[0]
