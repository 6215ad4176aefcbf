"""A command that no server lets in says so in one sentence, and nothing else is printed."""

from __future__ import annotations

import asyncio
import gc

import asyncpg
import pytest

from shike.cli import main
from tests.servers import free_port


def thrown_away(error: Exception) -> None:
    """Let an event loop find an error that nobody asked for, as drivers do at a refused connection."""

    async def story() -> None:
        asyncio.get_running_loop().create_future().set_exception(error)
        gc.collect()

    asyncio.run(story())


def test_a_refused_command_says_one_sentence(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["doctor", "--store", f"postgresql://postgres@127.0.0.1:{free_port()}/test"]) == 3
    thrown_away(ConnectionError("unexpected connection_lost() call"))
    thrown_away(asyncpg.TooManyConnectionsError("sorry, too many clients already"))
    assert len(capsys.readouterr().err.splitlines()) <= 2 and caplog.records == []


def test_what_nobody_foresaw_is_printed_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--version"]) == 0
    thrown_away(ZeroDivisionError("a bug"))
    assert "Future exception was never retrieved" in caplog.text
