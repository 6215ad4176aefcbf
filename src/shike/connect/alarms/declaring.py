"""Alarms from the settings: rules and channels by their texts, declared on an app beside its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shike.connect.alarms.base import Pace
from shike.connect.alarms.channels.opening import channel_of
from shike.connect.alarms.rules.opening import rule_of
from shike.connect.alarms.sayings import ENGLISH
from shike.connect.alarms.watch import Watch, watch_of
from shike.egress.rules import PUBLIC
from shike.errors import BadInput, BadSetting, ShikeError

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.settings import Settings


def declare(app: Shike, settings: Settings) -> Watch:
    """What the settings watch for; a rule that the app declares itself stays the app's. Raises `BadSetting`."""
    watch = watch_of(app)
    if settings.alarms_language != ENGLISH:
        watch.language = settings.alarms_language
    try:
        channels = [channel_of(text, {PUBLIC, *settings.allow_http}) for text in settings.alarms_to]
        rules = [rule_of(text) for text in settings.alarms]
        for rule in rules:
            if rule.name not in watch.watched:
                watch.declare(rule, channels, Pace())
    except BadSetting:
        raise
    except (BadInput, ShikeError) as error:
        raise BadSetting(f"alarms: {error}") from None
    return watch
