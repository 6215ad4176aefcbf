"""The setting `waker`: which broker wakes the scheduler of `shike up` (R3.9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import url
from tests.unit.cli.conftest import Shell


def test_a_password_is_not_shown(shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKE_WAKER", "amqp://shop:s3cret@broker/")
    monkeypatch.setenv("SHIKE_HISTORY_URL", "postgresql://shop:s3cret@archive/shop")
    for answer in (shell("config", "show"), shell("config", "show", "--json")):
        assert "s3cret" not in answer.out and "amqp://shop@broker/" in answer.out


def test_what_is_no_broker_is_refused_before_anything_runs(
    shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIKE_WAKER", "kafka://shop:s3cret@broker/")
    refused = shell("up", "--drain", "--plain")
    assert refused.code != 0 and "amqp://" in refused.err
    assert "s3cret" not in refused.out + refused.err and "Traceback" not in refused.err


def test_a_scheduler_is_woken_by_the_broker_that_the_setting_names(
    shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIKE_WAKER", url("nats"))
    assert shell("submit", "pay", "order=5", "--in", "1s").code == 0
    up = shell("up", "--drain", "--plain")
    assert up.code == 0, up.err


def test_a_broker_that_is_not_there_keeps_nothing_from_running(
    shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SHIKE_WAKER", "nats://127.0.0.1:1")
    assert shell("submit", "pay", "order=5").code == 0
    assert shell("up", "--drain", "--plain").code == 0
    assert "stopped after 1 success" in caplog.text
