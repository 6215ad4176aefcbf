"""Channels by their text, as settings have them: secrets by the *name* of the environment variable that holds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from shike.connect.alarms.base import Channel
from shike.connect.alarms.channels.dingtalk import DingTalk
from shike.connect.alarms.channels.feishu import Feishu
from shike.connect.alarms.channels.mail import Mail
from shike.connect.alarms.channels.slack import Slack
from shike.connect.alarms.channels.webhook import ToWebhook
from shike.connect.alarms.channels.wecom import WeCom
from shike.egress.smtp import Security
from shike.errors import BadInput
from shike.secret import Secret

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
SCHEMES: Final = {"smtps": Security.TLS, "smtp": Security.STARTTLS, "smtp+plain": Security.NONE}


def channel_of(text: str, allow: Iterable[str]) -> Channel:
    """The channel that a text means: `slack:URL_VARIABLE`, `dingtalk:URL_VARIABLE:SECRET_VARIABLE`,
    `mail:SMTP_VARIABLE:ops@example.com`. Raises `BadInput`, `BadSetting` where a variable is not there."""
    kind, _, rest = text.strip().partition(":")
    url, _, more = rest.partition(":")
    if kind not in CHANNELS:
        raise BadInput(f"{text!r:.100} is no channel of alarms: it begins with one of {', '.join(CHANNELS)}")
    if not _VARIABLE.fullmatch(url):
        raise BadInput(f"{kind}: what follows is the name of the environment variable that holds the URL")
    return CHANNELS[kind](text, Secret.named(url), more, tuple(allow))


def _secret(kind: str, name: str, *, needed: bool = False) -> Secret | None:
    if not name and not needed:
        return None
    if not _VARIABLE.fullmatch(name):
        raise BadInput(f"{kind}: the last part is the name of the environment variable that holds the secret")
    return Secret.named(name)


def _slack(name: str, url: Secret, more: str, allow: tuple[str, ...]) -> Channel:
    return Slack(url, name=name, allow=allow)


def _wecom(name: str, url: Secret, more: str, allow: tuple[str, ...]) -> Channel:
    return WeCom(url, name=name, allow=allow)


def _dingtalk(name: str, url: Secret, more: str, allow: tuple[str, ...]) -> Channel:
    return DingTalk(url, _secret("dingtalk", more), name=name, allow=allow)


def _feishu(name: str, url: Secret, more: str, allow: tuple[str, ...]) -> Channel:
    return Feishu(url, _secret("feishu", more), name=name, allow=allow)


def _webhook(name: str, url: Secret, more: str, allow: tuple[str, ...]) -> Channel:
    secret = _secret("webhook", more, needed=True)
    assert secret is not None
    return ToWebhook(url, secret, name=name, allow=allow)


def _mail(name: str, url: Secret, more: str, allow: tuple[str, ...]) -> Channel:
    """`smtps://user:password@mail.example.com:465?from=shike@example.com`; `smtp://` asks for STARTTLS."""
    try:
        parts = urlsplit(url.reveal())
        host, port = parts.hostname or "", parts.port or 0
    except ValueError:
        raise BadInput("mail: the variable holds no URL such as smtps://user:password@host?from=shike@host") from None
    sender = parse_qs(parts.query).get("from", [""])[0]
    if parts.scheme not in SCHEMES or not host or not sender:
        raise BadInput("mail: the variable holds no URL such as smtps://user:password@host?from=shike@host")
    return Mail(
        [one for one in more.split(",") if one],
        sender=sender,
        host=host,
        port=port,
        user=unquote(parts.username or ""),
        password=Secret(unquote(parts.password)) if parts.password else None,
        security=SCHEMES[parts.scheme],
        name=name,
    )


CHANNELS: Final[dict[str, Callable[[str, Secret, str, tuple[str, ...]], Channel]]] = {
    "mail": _mail,
    "webhook": _webhook,
    "dingtalk": _dingtalk,
    "wecom": _wecom,
    "feishu": _feishu,
    "slack": _slack,
}
