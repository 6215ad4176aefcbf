"""Alarms from settings: rules and channels by their texts, secrets by the names of variables (R2.9, P10)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.app import Shike
from shike.connect.alarms import Dead, DingTalk, Feishu, Mail, Slack, ToWebhook, WeCom
from shike.connect.alarms.channels.opening import channel_of
from shike.connect.alarms.declaring import declare
from shike.errors import BadSetting, ShikeError
from shike.settings import load

HOOK = "https://hooks.example.com/services/t0ken"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", HOOK)
    monkeypatch.setenv("SIGN", "a secret of sixteen or more")
    monkeypatch.setenv("SMTP", "smtps://shike:p%40ss@mail.example.com:465?from=shike@example.com")
    monkeypatch.setenv("LOCAL", "http://127.0.0.1:9/x")


def test_every_kind_of_channel_has_a_text() -> None:
    kinds: dict[str, type[Any]] = {
        "slack:HOOK": Slack,
        "wecom:HOOK": WeCom,
        "dingtalk:HOOK": DingTalk,
        "dingtalk:HOOK:SIGN": DingTalk,
        "feishu:HOOK:SIGN": Feishu,
        "webhook:HOOK:SIGN": ToWebhook,
        "mail:SMTP:ops@example.com,boss@example.com": Mail,
    }
    for text, kind in kinds.items():
        channel = channel_of(text, ["public"])
        assert type(channel) is kind and channel.name == text


@pytest.mark.parametrize(
    "text",
    ["", "slack", "pager:HOOK", f"slack:{HOOK}", "slack:NOT_THERE", "webhook:HOOK", "webhook:HOOK:NOT_THERE",
     "dingtalk:HOOK:a b", "mail:HOOK:ops@example.com", "mail:SMTP", "mail:SMTP:nobody", "slack:LOCAL"],
)  # fmt: skip
def test_what_is_no_channel_is_refused_and_tells_no_secret(text: str) -> None:
    with pytest.raises(ShikeError) as caught:
        channel_of(text, ["public"])
    assert "p%40ss" not in str(caught.value) and "p@ss" not in str(caught.value)


def test_settings_add_to_what_the_app_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Shike("memory://")
    app.alarm(Dead(), repeat="1d")
    environ = {"SHIKE_ALARMS": "dead, no_success:default/report>26h", "SHIKE_ALARMS_TO": "slack:HOOK"}
    watch = declare(app, load(environ=environ).settings)
    assert {name: (one.channels, one.pace.repeat) for name, one in watch.watched.items()} == {
        "dead": ((), 86_400.0),
        "no_success:default/report>93600s": (("slack:HOOK",), 14_400.0),
    }
    assert app.duties == [watch]


def test_a_place_that_is_named_may_be_told_also_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"SHIKE_ALARMS": "dead", "SHIKE_ALARMS_TO": "slack:LOCAL", "SHIKE_ALLOW_HTTP": "127.0.0.1:9"}
    assert declare(Shike("memory://"), load(environ=environ).settings).channels.keys() == {"slack:LOCAL"}


@pytest.mark.parametrize(
    "environ",
    [{"SHIKE_ALARMS": "deed"}, {"SHIKE_ALARMS": "dead", "SHIKE_ALARMS_TO": "pigeon:HOOK"},
     {"SHIKE_ALARMS": "dead", "SHIKE_ALARMS_TO": "slack:NOT_THERE"}],
)  # fmt: skip
def test_what_cannot_be_watched_for_is_a_bad_setting(environ: dict[str, str]) -> None:
    with pytest.raises(BadSetting):
        declare(Shike("memory://"), load(environ=environ).settings)
