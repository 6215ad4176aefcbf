"""Alarms by mail, against a local server that speaks SMTP: what it got, and over what (R2.9)."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from shike.connect.alarms import Mail, Told
from shike.errors import BadInput, CallFailed, CallRefused
from shike.track.alarm import Notice
from tests.unit.connect.alarms.local import ALARM, MailServer, letter, mail_server
from tests.unit.store.test_redis_tls import authority, certificate

OURS = {"sender": "shike@shop.example", "host": "127.0.0.1"}
PASSWORD = "of-a-test"  # noqa: S105


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's certificate for 127.0.0.1, and who vouches for it."""
    folder = tmp_path_factory.mktemp("mail")
    signer = authority(folder, "ours")
    made, key = certificate(folder, signer, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context, str(signer)


def open_mail(server: MailServer, *to: str) -> Mail:
    return Mail(to or ("ops@shop.example",), port=server.port, security="none", **OURS)


def test_a_letter_arrives_with_its_subject_its_people_and_its_words() -> None:
    async def story() -> None:
        async with mail_server() as server:
            told = [Told(ALARM, Notice.AGAIN), Told(ALARM, Notice.OVER)]
            await open_mail(server, "ops@shop.example", "boss@shop.example").send(letter(*told))
            (mail,) = server.messages
            assert mail["subject"] == "[shop] 1 alarm, 1 over: late:mail mail"
            assert mail["from"] == "shike@shop.example" and mail["to"] == "ops@shop.example, boss@shop.example"
            assert mail["message-id"] == "<alarm-1-ff@shop.example>"
            assert mail["auto-submitted"] == "auto-generated"
            lines = mail.get_content().splitlines()  # type: ignore[attr-defined]
            assert lines[0].startswith(
                '▲▲ a run of <b>mail</b> & "more" waits 30 秒 (of ops), since 2025-12-31 23:59:00'
            )
            assert lines[1].startswith("✓ over after 0 s")
            envelope = [line for line in server.heard if line.startswith(("MAIL", "RCPT"))]
            assert envelope == [
                "MAIL FROM:<shike@shop.example>",
                "RCPT TO:<ops@shop.example>",
                "RCPT TO:<boss@shop.example>",
            ]

    asyncio.run(story())


def test_a_line_that_begins_with_a_dot_ends_no_mail() -> None:
    async def story() -> None:
        async with mail_server() as server:
            from shike.egress.smtp import Post, Security, deliver

            post = Post.of("127.0.0.1", server.port, Security.NONE, "", None, "")
            body = b"Subject: x\r\n\r\n.\r\n..\r\n.two\r\nQUIT\r\n"
            await deliver(post, "a@b.example", ["c@d.example"], body, seconds=30)
            assert server.raw == [b"Subject: x\r\n\r\n..\r\n...\r\n..two\r\nQUIT\r\n.\r\n"]

    asyncio.run(story())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_over_tls_with_a_password(papers: tuple[ssl.SSLContext, str], security: str) -> None:
    context, signer = papers

    async def story() -> None:
        async with mail_server(context, at_once=security == "tls") as server:
            channel = Mail(
                "ops@shop.example", port=server.port, user="shike", password=PASSWORD, security=security,
                cafile=signer, **OURS,
            )  # fmt: skip
            await channel.send(letter())
            assert server.who() == ("shike", PASSWORD)
            assert len(server.messages) == 1
            if security == "starttls":
                assert server.heard[:2] == ["EHLO shike.invalid", "STARTTLS"], "nothing else in the open"

    asyncio.run(story())


def test_a_certificate_that_nobody_vouches_for_gets_no_mail(papers: tuple[ssl.SSLContext, str]) -> None:
    async def story() -> None:
        async with mail_server(papers[0]) as server:
            channel = Mail("ops@shop.example", port=server.port, user="u", password=PASSWORD, **OURS)
            with pytest.raises(CallFailed):
                await channel.send(letter())
            assert server.heard == ["EHLO shike.invalid", "STARTTLS"]

    asyncio.run(story())


def test_a_server_without_starttls_or_one_that_goes_on_in_the_open_gets_none(
    papers: tuple[ssl.SSLContext, str],
) -> None:
    async def story() -> None:
        for told in ({}, {"context": papers[0]}):
            async with mail_server(**told) as server:
                server.leaks = b"250-AUTH PLAIN\r\n250 injected\r\n" if told else b""
                channel = Mail("ops@shop.example", port=server.port, user="u", password=PASSWORD, **OURS)
                with pytest.raises(CallRefused, match="in the open"):
                    await channel.send(letter())
                assert not [line for line in server.heard if line.startswith("AUTH")]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ({"HI": "554 not you"}, CallRefused),
        ({"HI": "421 later"}, CallFailed),
        ({"HI": "SSH-2.0-OpenSSH"}, CallFailed),
        ({"RCPT": "550 nobody here"}, CallRefused),
        ({"RCPT": "450 grey"}, CallFailed),
        ({"DATA": "451 no"}, CallFailed),
        ({"TAKEN": "552 too large"}, CallRefused),
        ({"TAKEN": "452 full"}, CallFailed),
        ({"EHLO": "250-" + "x" * 9_000}, CallFailed),
    ],
)
def test_what_is_not_taken_says_whether_to_try_again(says: dict[str, str], error: type[Any]) -> None:
    async def story() -> None:
        async with mail_server(**says) as server:
            with pytest.raises(error) as caught:
                await open_mail(server).send(letter())
            assert type(caught.value) is error

    asyncio.run(story())


def test_nobody_there_is_a_failure_that_may_pass() -> None:
    channel = Mail("ops@shop.example", port=1, security="none", **OURS)
    with pytest.raises(CallFailed, match=r"127\.0\.0\.1 could not be asked"):
        asyncio.run(channel.send(letter()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "ops"},
        {"to": "a@b.example\r\nRCPT TO:<x@y.example>"},
        {"to": "Ops <ops@shop.example>"},
        {"to": "ops@shop.example>, <x@y.example"},
        {"to": []},
        {"to": ["ops@shop.example"] * 51},
        {"sender": "a b@c.example"},
        {"security": "ssl3"},
        {"security": "none", "user": "u", "password": PASSWORD},
        {"user": "u"},
    ],
)
def test_what_is_no_mail_is_refused_when_it_is_declared(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Mail(**({"to": "ops@shop.example", **OURS} | wrong))  # type: ignore[arg-type]
