"""A folder with a small shop in it, and the command line as a function."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shike.cli import main

SHOP = """
from shike.app import Shike

app = Shike("sqlite:///shop.db?synchronous=normal")

@app.task(name="pay", owner="treasury")
async def pay(order: int, note: str = "") -> str:
    if order < 0:
        raise ValueError("the bank said no")
    return f"{order} {note}".strip()

@app.task(name="mail", queue="mail")
def mail(to: str) -> None: ...

app.schedule(mail.bind(to="all"), cron="${MAIL_CRON:-0 6 * * mon-fri}", tz="Asia/Shanghai")
"""


class Answer(NamedTuple):
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Shell = Callable[..., Answer]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; nothing of the environment's own settings."""
    for name in ("SHIKE_STORE", "SHIKE_APP", "SHIKE_CONFIG", "SHIKE_SLOTS", "MAIL_CRON"):
        monkeypatch.setenv(name, "")  # so that what a test leaves there is taken back
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    modules, path, handlers = set(sys.modules), list(sys.path), list(logging.getLogger().handlers)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    sys.path[:] = path
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def shell(folder: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """`shell("runs", "list")`, in that folder."""

    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with `shop.py` in it, which SHIKE_APP names."""
    (folder / "shop.py").write_text(SHOP)
    monkeypatch.setenv("SHIKE_APP", "shop.py")
    return folder
