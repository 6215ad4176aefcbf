"""Settings: file < environment < flag; what is wrong is refused where it was written (R3.11)."""

from __future__ import annotations

from pathlib import Path

import pytest

from shike import Shike
from shike.errors import BadSetting
from shike.settings import MEANING, Settings, load, markdown, store_url
from shike.store.opening import address
from shike.store.redis.options import parse

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_without_any_source_every_setting_has_its_default(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "shike.toml").write_text('slots = 1\nthreads = 1\nprocesses = 2\nlog_level = "debug"')
    loaded = load(tmp_path, {"SHIKE_SLOTS": "2", "SHIKE_THREADS": "2"}, {"slots": 3, "threads": None})
    assert (loaded.settings.slots, loaded.settings.threads, loaded.settings.processes) == (3, 2, 2)
    assert loaded.origins["slots"] == "--slots"
    assert loaded.origins["threads"] == "SHIKE_THREADS"
    assert loaded.origins["log_level"].endswith("shike.toml")
    assert loaded.origins["store"] == "default"


def test_the_project_file_is_read_where_there_is_no_file_of_our_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.shike]\nslots = 7\n[tool.other]\nslots = 8")
    assert load(tmp_path).settings.slots == 7
    (tmp_path / "shike.toml").write_text("threads = 1")
    assert load(tmp_path).settings.slots == Settings().slots


def test_a_variable_may_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("slots = 9")
    assert load(Path(), {"SHIKE_CONFIG": str(tmp_path / "other.toml")}).settings.slots == 9
    with pytest.raises(BadSetting, match="no such file"):
        load(Path(), {"SHIKE_CONFIG": str(tmp_path / "gone.toml")})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slots = 0", "slots = 0: it must lie between 1 and"),
        ('slots = "many"', "slots = many: expected `int`, got `str`"),
        ("slotz = 5", "did you mean 'slots'"),
        ('log_level = "loud"', "it is one of debug, info"),
        ('queues = ["mail:many"]', "queue 'mail:many'"),
        ('synchronous = "maybe"', "it is one of full, normal, off"),
        ("lease_seconds = nan", "it must lie between"),
        ("allow_commands = 3", "allow_commands = 3"),
        ("[values]\nNAME = [1]", "values"),
        ("slots = ", "is not TOML"),
    ],
)
def test_a_bad_value_names_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "shike.toml").write_text(text)
    with pytest.raises(BadSetting, match=r"shike\.toml") as caught:
        load(tmp_path)
    assert words in str(caught.value)


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="SHIKE_SLOTS: slots = x"):
        load(tmp_path, {"SHIKE_SLOTS": "x"})


def test_a_variable_that_looks_like_a_slip_is_refused_and_a_strangers_is_not(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="SHIKE_STROE"):
        load(tmp_path, {"SHIKE_STROE": "sqlite:///x.db"})
    facts_of_a_run = {"SHIKE_RUN_ID": "5", "SHIKE_TOKEN": "1", "SHIKE_ATTEMPT": "1", "SHIKE_MOMENT": ""}
    assert load(tmp_path, {**facts_of_a_run, "SHIKE_SERVICE_HOST": "x"}).settings == Settings()


def test_lists_switches_and_numbers_can_be_written_as_text(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"SHIKE_QUEUES": "mail:10, gpu", "SHIKE_ALLOW_COMMANDS": "yes", "SHIKE_LEASE_SECONDS": "5"})
    assert loaded.settings.queues == ("mail:10", "gpu")
    assert loaded.settings.allow_commands is True
    assert loaded.settings.lease_seconds == 5.0


def test_values_of_ones_own_are_texts(tmp_path: Path) -> None:
    (tmp_path / "shike.toml").write_text('[values]\nCRON = "0 6 * * *"\nMINUTES = 5')
    assert load(tmp_path).settings.values == {"CRON": "0 6 * * *", "MINUTES": "5"}


def test_the_stores_url_carries_synchronous_unless_it_says_so_itself(tmp_path: Path) -> None:
    given = {"SHIKE_SYNCHRONOUS": "normal"}
    assert store_url(load(tmp_path)) == "sqlite:///shike.db"
    assert store_url(load(tmp_path, given)) == "sqlite:///shike.db?synchronous=normal"
    chosen = {**given, "SHIKE_STORE": "sqlite:///a.db?synchronous=full"}
    assert store_url(load(tmp_path, chosen)) == "sqlite:///a.db?synchronous=full"
    assert store_url(load(tmp_path, {**given, "SHIKE_STORE": "memory://"})) == "memory://"


def test_an_archive_belongs_to_redis(tmp_path: Path) -> None:
    given = {"SHIKE_HISTORY_URL": "postgresql://me:p@db/old?search_path=a"}
    assert store_url(load(tmp_path, given)) == "sqlite:///shike.db"
    url = store_url(load(tmp_path, {**given, "SHIKE_STORE": "redis://host/0?wait=1"}))
    assert url == "redis://host/0?wait=1&history_url=postgresql%3A%2F%2Fme%3Ap%40db%2Fold%3Fsearch_path%3Da"
    assert parse(url).history_url == given["SHIKE_HISTORY_URL"]
    assert address(url) == "redis://host/0?wait=1&history_url=***", "it may hold a password"
    chosen = {**given, "SHIKE_STORE": "redis://host/0?history_url="}
    assert store_url(load(tmp_path, chosen)) == "redis://host/0?history_url="


def test_every_setting_has_its_meaning_and_stands_in_the_docs() -> None:
    assert tuple(MEANING) == Settings.__struct_fields__
    assert markdown() in DOCS.read_text()


@pytest.mark.parametrize("table", ["[tool.shike]", "[shike]"])
def test_a_table_in_a_file_of_our_own_is_told_to_go(tmp_path: Path, table: str) -> None:
    (tmp_path / "shike.toml").write_text(f"{table}\nslots = 7")
    with pytest.raises(BadSetting, match=r"shike\.toml: the whole file is about Shike; .* without a table"):
        load(tmp_path)


def test_the_presets_that_can_be_set_are_those_that_there_are() -> None:
    from shike.scheduler.preset import PRESETS
    from shike.settings import PRESETS as SETTABLE

    assert tuple(PRESETS) == SETTABLE


def test_without_a_store_it_is_the_one_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R0.1: a program that submits and `shike up` mean the same store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHIKE_NAMESPACE", "shop")
    (tmp_path / "shike.toml").write_text('store = "sqlite:///from-file.db"\n')
    assert (Shike().store_url, Shike().namespace) == ("sqlite:///from-file.db", "shop")
    monkeypatch.setenv("SHIKE_STORE", "sqlite:///from-environment.db")
    assert Shike().store_url == "sqlite:///from-environment.db"
    assert Shike(namespace="mine").namespace == "mine"
    assert (Shike("memory://").store_url, Shike("memory://").namespace) == ("memory://", "shike")
