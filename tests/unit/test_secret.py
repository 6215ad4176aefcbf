"""Secrets are shown to nobody (P10)."""

from __future__ import annotations

import copy
import logging

import msgspec
import pytest

from shike.errors import BadArguments, BadSetting
from shike.payload import to_json
from shike.secret import HIDDEN, Secret, is_secret_name, redacted


def test_a_secret_is_in_no_text_log_or_record(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    texts = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        f"{secret}",
        str([secret]),
        str({"a": secret}),
    ]
    logging.getLogger("x").warning("it is %s", secret)
    assert all("hunter2" not in text for text in [*texts, caplog.text])
    assert secret.reveal() == "hunter2"


def test_a_secret_cannot_be_an_argument() -> None:
    with pytest.raises(BadArguments):
        to_json({"key": Secret("hunter2")}, "arguments")
    for write in (msgspec.json.encode, msgspec.msgpack.encode, copy.copy):
        with pytest.raises(TypeError):
            write(Secret("hunter2"))


def test_a_secret_is_looked_up_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_KEY", "hunter2")
    assert Secret.named("PAYMENT_KEY").reveal() == "hunter2"
    with pytest.raises(BadSetting, match="NO_SUCH"):
        Secret.named("NO_SUCH")


@pytest.mark.parametrize(
    "name",
    ["password", "PASSWORD", "db_password", "passwd", "secret", "client_secret", "clientSecret", "apiKey", "api_key",
     "x-api-key", "Authorization", "access_token", "token", "tokens", "cookie", "private_key", "credentials"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["key", "user", "passage", "secretary", "tokenizer", "keyboard", "monkey", "order"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


def test_values_under_secret_names_are_hidden_however_deep() -> None:
    value = {"a": [{"b": {"password": "x", "c": 1}}], "token": ["x"], "secret": None, "list": ("x", Secret("y"))}
    hidden = redacted(value)
    assert hidden == {
        "a": [{"b": {"password": HIDDEN, "c": 1}}], "token": HIDDEN, "secret": None, "list": ["x", HIDDEN],
    }  # fmt: skip
    assert "'password': 'x'" in str(value), "what was given is left as it is"
    deep: object = {"password": "x"}
    for _ in range(10_000):
        deep = [deep]
    assert "x" not in str(redacted(deep))
