"""From facts to a page: templates, words in two languages, money and times as people write them. No script and no style
stands in a page, so that its policy may forbid both (CSP)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from shike.clock import to_datetime
from shike.rail.web.ask import cookie
from shike.rail.web.house import House
from shike.server.ask import Reply

LANGUAGES: Final = {"en": "English", "zh": "中文"}
LANGUAGE_COOKIE: Final = "shike_language"
YEAR_SECONDS: Final = 366 * 86_400
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SIGNS: Final = {"EUR": "€", "CNY": "¥"}


def language_of(headers: Mapping[str, str], asked: str = "") -> str:
    """What a page is written in: as was asked, as last time, as the browser prefers, English."""
    for wish in (asked, cookie(headers.get("cookie", ""), LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return wish
    preferred = headers.get("accept-language", "").split(",")[0].strip().lower()
    return "zh" if preferred.startswith("zh") else "en"


def page(
    house: House, headers: Mapping[str, str], template: str, *, lang: str = "", status: int = 200, **facts: Any
) -> Reply:
    """A whole page, in the language that its reader prefers."""
    language = language_of(headers, lang)
    text = (
        _templates()
        .get_template(template)
        .render(
            t=_Words(language),
            language=language,
            languages=LANGUAGES,
            zone=house.zone,
            now=to_datetime(house.clock.wall()),
            **facts,
        )
    )
    sent = {"content-security-policy": POLICY, "x-frame-options": "DENY"}
    if lang in LANGUAGES:
        sent["set-cookie"] = f"{LANGUAGE_COOKIE}={lang}; Path=/rail; SameSite=Lax; Max-Age={YEAR_SECONDS}"
    return Reply(raw=text.encode(), status=status, media_type="text/html; charset=utf-8", headers=sent)


class _Words:
    """`t("search")`, `t("left", n=3)`; what a language lacks is said in English, what both lack as it is named."""

    def __init__(self, language: str) -> None:
        self._words = _words()[language]
        self._english = _words()["en"]

    def __call__(self, name: str, **facts: object) -> str:
        return self.raw(name).format(**facts)

    def raw(self, name: str) -> str:
        """Words whose facts a script fills in."""
        return self._words.get(name, self._english.get(name, name.replace("_", " ")))


@cache
def _words() -> dict[str, dict[str, str]]:
    text = (files(__package__) / "words.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, dict[str, str]])


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("shike.rail.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"money": money, "clock": _clock, "day": _day, "lasting": lasting}
    return made


def money(cents: int, currency: str) -> str:
    """13710 EUR: €137.10."""
    return f"{SIGNS.get(currency, currency + ' ')}{cents / 100:,.2f}"


def lasting(seconds: float | timedelta) -> str:
    """4:05, of hours and minutes."""
    whole = round(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}"


def _clock(at: datetime, zone: Any) -> str:
    return f"{at.astimezone(zone):%H:%M}"


def _day(at: datetime, zone: Any) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d}"
