"""`shike move`, `export` and `import` as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shike import Shike
from shike.cli import main
from shike.store.opening import address, may_be_opened
from tests import servers
from tests.unit.store.redis_world import namespace

__all__ = ["namespace"]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with one run in it."""
    monkeypatch.chdir(tmp_path)
    app = Shike("sqlite:///old.db")

    @app.task(name="mail")
    def mail(to: int) -> None: ...

    mail.submit(to=7)
    app.client.close_sync()
    return "sqlite:///old.db"


def test_a_store_is_moved_and_says_so_to_whoever_comes(old: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move", old, "sqlite:///new.db"]) == 0
    assert "moved: " in capsys.readouterr().out
    assert main(["queues", "pause", "default", "--reason", "late", "--store", old]) == 3
    assert "this store was moved to sqlite:////" in capsys.readouterr().err
    assert main(["runs", "list", "--store", "sqlite:///new.db"]) == 0
    assert "mail" in capsys.readouterr().out


def test_an_export_is_imported(old: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "all.shike", "--store", old]) == 0
    assert main(["import", "all.shike", "--store", "sqlite:///new.db"]) == 0
    assert main(["runs", "list", "--store", "sqlite:///new.db"]) == 0
    assert "mail" in capsys.readouterr().out
    assert main(["import", "all.shike", "--store", old]) == 2
    assert "is in use" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut off", "one byte is another"])
def test_a_damaged_export_leaves_nothing_where_it_was_to_go(
    old: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "all.shike", "--store", old]) == 0
    whole = Path("all.shike").read_bytes()
    Path("all.shike").write_bytes(whole[:-9] if damage == "cut off" else whole[:-9] + b"?" + whole[-8:])
    before = set(Path().iterdir())
    assert main(["import", "all.shike", "--store", "sqlite:///new.db"]) == 3
    assert "use another copy" in capsys.readouterr().err
    assert set(Path().iterdir()) == before


def test_a_store_goes_to_redis_and_back_as_it_is_typed(
    old: str, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    redis = f"{servers.url('redis')}?accept=no-aof,eviction"
    there = ["--namespace", namespace, "--store", redis]
    assert main(["move", old, redis, "--to-namespace", namespace]) == 0
    assert main(["runs", "list", *there]) == 0
    assert "mail" in capsys.readouterr().out
    assert main(["export", "all.shike", *there]) == 0
    assert "as of one instant of the store" in capsys.readouterr().out
    assert main(["import", "all.shike", *there]) == 2
    assert "holds what came from" in capsys.readouterr().err
    assert main(["move", redis, "sqlite:///new.db", "--namespace", namespace, "--to-namespace", "shike"]) == 0
    assert main(["runs", "list", "--store", "sqlite:///new.db"]) == 0
    assert "mail" in capsys.readouterr().out
    assert main(["queues", "pause", "default", "--reason", "late", *there]) == 3
    assert "this store was moved to sqlite:////" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["move", "sqlite:///old.db"], "say where to"),
        (["move", "sqlite:///old.db", "sqlite:///old.db"], "the same store"),
        (["move", "sqlite:///old.db", "memory://"], "memory:// ends with its process"),
        (["move", "sqlite:///none.db", "sqlite:///new.db"], "there is no store at"),
        (["move", "sqlite:///old.db", "sqlite:///new.db", "--grace", "soon"], "soon"),
        (["import", "none.shike"], "cannot be read"),
        (["import", "old.db"], "is no export of Shike (at byte 0)"),
        (["export", "no/such/folder"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_said(
    old: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIKE_STORE", old)
    assert main(words) in (2, 3)
    assert said in capsys.readouterr().err


def test_nothing_to_give_up_is_said(old: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move", old, "--cancel"]) == 1
    assert "no move is under way" in capsys.readouterr().out


def test_an_address_hides_what_is_secret_and_says_whether_it_may_be_opened() -> None:
    shown = address("postgresql://me:secret@db/shike?sslpassword=hush&search_path=a", "mine")
    assert shown == "postgresql://me:***@db/shike?sslpassword=***&search_path=a (namespace mine)"
    assert not may_be_opened(shown)
    assert may_be_opened(address("postgresql://me@db/shike?virtual_buckets=64"))
