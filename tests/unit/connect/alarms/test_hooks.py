"""Chat hooks and webhooks, each against a local server that looks at exactly what it got (R2.9, R2.11)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from shike.clock import ManualClock
from shike.connect import Webhook
from shike.connect.alarms import Channel, DingTalk, Feishu, Slack, Told, ToWebhook, WeCom
from shike.connect.alarms.channels import dingtalk, feishu
from shike.connect.alarms.channels.wecom import CONTENT_BYTES_MAX
from shike.errors import AddressBlocked, BadInput, CallFailed, CallRefused
from shike.track.alarm import Notice
from tests.unit.connect.alarms.local import ALARM, AT, Got, HookServer, hook_server, letter

SECRET = "SEC-of-a-test-and-of-nobody"  # noqa: S105
OK = (200, b'{"errcode":0,"errmsg":"ok"}')
FINE = (200, b'{"code":0,"msg":"success","data":{}}')
CLOCK = ManualClock(AT)
WORDS = 'a run of <b>mail</b> & "more" waits 30 秒'

Make = Callable[[HookServer], Channel]
MAKERS: dict[str, Make] = {
    "slack": lambda server: Slack(server.url, allow=[server.place]),
    "wecom": lambda server: WeCom(server.url, allow=[server.place]),
    "dingtalk": lambda server: DingTalk(server.url, SECRET, allow=[server.place], clock=CLOCK),
    "feishu": lambda server: Feishu(server.url, SECRET, allow=[server.place], clock=CLOCK),
    "webhook": lambda server: ToWebhook(server.url, SECRET, allow=[server.place], clock=CLOCK),
}
WELL = {"slack": (200, b"ok"), "wecom": OK, "dingtalk": OK, "feishu": FINE, "webhook": (204, b"")}


def sent(kind: str, *told: Told) -> Got:
    """One letter, taken."""

    async def story() -> Got:
        async with hook_server(WELL[kind]) as server:
            await MAKERS[kind](server).send(letter(*told))
            (got,) = server.got
            return got

    got = asyncio.run(story())
    assert got.path == "/hook" and got.query["access_token"] == "t0ken"  # noqa: S105
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    return got


def test_slack_gets_a_text_with_its_entities() -> None:
    got = sent("slack")
    assert got.json.keys() == {"text"}
    assert 'a run of &lt;b&gt;mail&lt;/b&gt; &amp; "more" waits 30 秒 (of ops)' in got.json["text"]
    assert got.json["text"].startswith("[shop] 1 alarm: late:mail mail")


def test_wecom_gets_markdown_of_the_size_it_takes() -> None:
    body = sent("wecom", *[Told(ALARM, Notice.RAISED)] * 19 + [Told(ALARM, Notice.OVER)]).json
    assert body["msgtype"] == "markdown"
    content = body["markdown"]["content"]
    assert content.startswith("**[shop] 19 alarms, 1 over: late:mail mail**\n> ▲ a run")
    assert len(content.encode()) <= CONTENT_BYTES_MAX


def test_dingtalk_is_signed_as_its_page_says() -> None:
    got = sent("dingtalk")
    at = got.query["timestamp"]
    assert at == str(AT // 1_000), "milliseconds"
    digest = hmac.new(SECRET.encode(), f"{at}\n{SECRET}".encode(), hashlib.sha256).digest()
    assert got.query["sign"] == base64.b64encode(digest).decode(), "URL-encoded, and the server has decoded it"
    body = got.json
    assert body["msgtype"] == "markdown" and body["markdown"]["title"] == "[shop] 1 alarm: late:mail mail"
    assert WORDS in body["markdown"]["text"]


def test_feishu_is_signed_as_its_page_says() -> None:
    body = sent("feishu").json
    at = body["timestamp"]
    assert at == str(AT // 1_000_000), "seconds, as a text"
    digest = hmac.new(f"{at}\n{SECRET}".encode(), digestmod=hashlib.sha256).digest()
    assert body["sign"] == base64.b64encode(digest).decode()
    assert body["msg_type"] == "text" and WORDS in body["content"]["text"]


def test_the_signatures_are_those_of_values_computed_elsewhere() -> None:
    """By openssl: `printf '%s\\n%s' T S | openssl dgst -sha256 -hmac S -binary | base64`, and the other way round."""
    assert dingtalk.sign("this is secret", 1_577_262_236_757) == DINGTALK_SIGN
    assert feishu.sign("demo", 1_599_360_473) == FEISHU_SIGN


def test_without_a_secret_nothing_is_signed() -> None:
    async def story() -> None:
        async with hook_server(OK, FINE) as server:
            await DingTalk(server.url, allow=[server.place]).send(letter())
            await Feishu(server.url, allow=[server.place]).send(letter())
            assert "sign" not in server.got[0].query
            assert "sign" not in server.got[1].json

    asyncio.run(story())


def test_a_webhook_is_signed_so_that_its_receiver_can_check_it() -> None:
    got = sent("webhook", Told(ALARM, Notice.OVER))
    message = Webhook(SECRET).read(got.headers, got.raw, AT)
    assert message.id == "alarm-1-ff"
    body = got.json
    assert (body["source"], body["at"]) == ("shop", "2026-01-01T00:00:00Z")
    (alarm,) = body["alarms"]
    assert alarm["notice"] == "over" and alarm["words"] == WORDS and alarm["count"] == 31.0
    assert alarm["id"] == ALARM.id and alarm["owner"] == "ops" and alarm["since"] == "2025-12-31T23:59:00Z"


def test_many_alarms_are_one_message_that_spells_out_some() -> None:
    text = sent("slack", *[Told(ALARM, Notice.RAISED)] * 30).json["text"]
    assert text.count("▲") == 20 and "… and 10 more: `shike alarms list`" in text


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, b"down"), CallFailed),
        ((429, b"slow"), CallFailed),
        ((302, b""), CallRefused),
        ((403, b"no"), CallRefused),
        ((404, b"gone"), CallRefused),
    ],
)
def test_what_is_not_taken_says_whether_to_try_again(kind: str, answer: tuple[int, bytes], error: type[Any]) -> None:
    failed(kind, answer, error)


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', CallRefused),
        ("dingtalk", b'{"errcode":-1,"errmsg":"busy"}', CallFailed),
        ("dingtalk", b"<html>", CallFailed),
        ("dingtalk", b'["errcode"]', CallFailed),
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', CallRefused),
        ("wecom", b'{"errcode":45009,"errmsg":"api freq out of limit"}', CallFailed),
        ("feishu", b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}', CallRefused),
        ("feishu", b'{"code":9499,"msg":"too many"}', CallFailed),
        ("feishu", b'{"code":"0"}', CallFailed),
    ],
)
def test_a_200_that_means_no_is_a_no(kind: str, body: bytes, error: type[Any]) -> None:
    failed(kind, (200, body), error)


def test_old_feishu_bots_answer_by_another_name() -> None:
    async def story() -> None:
        async with hook_server((200, b'{"StatusCode":0,"StatusMessage":"success"}')) as server:
            await MAKERS["feishu"](server).send(letter())

    asyncio.run(story())


def failed(kind: str, answer: tuple[int, bytes], error: type[Any]) -> None:
    async def story() -> None:
        async with hook_server(answer) as server:
            with pytest.raises(error) as caught:
                await MAKERS[kind](server).send(letter())
            assert type(caught.value) is error
            assert "t0ken" not in str(caught.value), "the URL is a secret"
            assert len(server.got) == 1, "a redirect is followed nowhere"

    asyncio.run(story())


def test_a_hook_on_this_machine_is_not_called_unless_it_is_named() -> None:
    for url in ("http://127.0.0.1/hook", "http://169.254.169.254/hook", "http://[::ffff:10.0.0.1]/hook"):
        with pytest.raises(AddressBlocked) as caught:
            asyncio.run(Slack(url).send(letter()))
        assert "hook" not in str(caught.value)
    with pytest.raises(AddressBlocked):
        Slack("file:///etc/passwd")
    with pytest.raises(AddressBlocked):
        Slack("http://127.0.0.1:9/hook")


@pytest.mark.parametrize(
    "url",
    ["htps://hooks.example.com/t0ken", "hooks.example.com/t0ken", "https://u:t0ken@hooks.example.com/", "https:///t0ken",
     "https://hooks.example.com:t0ken/", "https://hooks.example.com/t0 ken"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(AddressBlocked) as caught:
        Slack(url)
    assert "t0" not in str(caught.value) and caught.value.__cause__ is None


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(BadInput):
        ToWebhook("https://hooks.example.com/", "short")


def test_nothing_tells_the_secret() -> None:
    for channel in (Slack("https://h.example.com/t0ken"), DingTalk("https://h.example.com/?t=t0ken", SECRET)):
        for value in vars(channel).values():
            assert "t0ken" not in repr(value) and SECRET not in repr(value)


def test_a_hook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shike.connect.alarms.channels.hook.SEND_SECONDS", 0.05)

    async def story() -> None:
        async with hook_server() as server:
            server.silent = True
            with pytest.raises(CallFailed, match="did not answer within"):
                await MAKERS["slack"](server).send(letter())

    asyncio.run(story())


DINGTALK_SIGN = "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
FEISHU_SIGN = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
