"""`shike keys`, `shike server`, and the API beside `shike up`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import bounded
from tests.unit.cli.conftest import Shell


def test_a_key_is_made_shown_once_listed_rotated_and_revoked(shop: Path, shell: Shell) -> None:
    made = shell("keys", "create", "ci", "--role", "operator", "--queue", "mail", "--days", "7")
    assert made.code == 0 and re.match(r"shike_[0-9a-f]{8}_[0-9a-f]{64}\n", made.out)
    (one,) = shell("keys", "list", "--json").json["keys"]
    assert (one["name"], one["role"], one["queues"]) == ("ci", "operator", ["mail"])
    assert made.out.split("_")[2].split()[0] not in shell("keys", "list").out
    rotated = shell("keys", "rotate", one["id"], "--grace", "1h", "--json").json
    assert rotated["key"] not in made.out and rotated["facts"]["rotating_until"]
    assert "is revoked" in shell("keys", "revoke", one["id"]).out
    assert shell("keys", "rotate", one["id"]).code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "x", "--role", "boss"), "no Role"),
        (("create", "a b", "--role", "admin"), "spaces"),
        (("create", "x", "--role", "admin", "--days", "-1"), "days"),
        (("revoke", "12345678"), "no access key"),
    ],
)
def test_what_is_no_key_is_refused(shop: Path, shell: Shell, words: tuple[str, ...], told: str) -> None:
    shell("submit", "pay", "order=1")
    answer = shell("keys", *words)
    assert answer.code == 2 and told in answer.err


@contextmanager
def process(folder: Path, *words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the command line, stopped at the end."""
    started = subprocess.Popen(
        [sys.executable, "-m", "shike.cli", *words],
        cwd=folder,
        env={**os.environ, "SHIKE_SERVER": "yes", **environ},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(bounded.SECONDS)
        finally:
            started.kill()
            assert started.stdout is not None
            started.stdout.close()


def told(started: subprocess.Popen[str], *patterns: str) -> list[str]:
    """What these patterns find in what it prints."""
    found: dict[str, str] = {}
    assert started.stdout is not None
    for line in started.stdout:
        found |= {pattern: match[1] for pattern in patterns if (match := re.search(pattern, line))}
        if len(found) == len(patterns):
            break
    return [found[pattern] for pattern in patterns]


def ask(url: str, key: str, body: Any = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - our own
        url, None if body is None else json.dumps(body).encode(), {"Authorization": f"Bearer {key}"}
    )
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=bounded.SECONDS) as answer:  # noqa: S310
        return json.load(answer)


URL, KEY = r"answers on (http://127\.0\.0\.1:\d+)", r"shown this once: (shike_\w+)"


def test_shike_up_answers_http_and_shows_the_first_key(shop: Path) -> None:
    with process(shop, "up", "--plain", "--port", "0") as up:
        url, key = told(up, URL, KEY)
        run = ask(f"{url}/api/v1/runs", key, {"task": "pay", "arguments": {"order": 7}})["run"]
        assert ask(f"{url}/api/v1/runs/{run}?wait_seconds=20", key)["run"]["result"] == "7"
    assert up.returncode == 0


@pytest.mark.slow
def test_shike_server_answers_alone_and_keeps_the_key_of_before(shop: Path, shell: Shell) -> None:
    key = shell("keys", "create", "me", "--role", "admin", "--json").json["key"]
    with process(shop, "server", "--port", "0") as server:
        (url,) = told(server, URL)
        ask(f"{url}/api/v1/runs", key, {"task": "pay", "arguments": {"order": 7}})
        assert ask(f"{url}/api/v1/queues", key)["queues"][0]["live"] == 1
    assert server.returncode == 0
    assert shell("runs", "list", "--json").json["runs"][0]["task"] == "pay"


@pytest.mark.slow
def test_beyond_this_machine_the_server_does_not_start_without_a_key(shop: Path, shell: Shell) -> None:
    for words in (("server",), ("up", "--server")):
        with process(shop, *words, "--host", "0.0.0.0", "--port", "0") as started:  # noqa: S104 - to be refused
            assert started.wait(bounded.SECONDS) == 2
            assert started.stdout is not None and "no access key yet" in started.stdout.read()


@pytest.mark.slow
def test_a_port_that_is_taken_stops_a_server_and_not_the_work(shop: Path) -> None:
    with process(shop, "up", "--plain", "--port", "0") as first:
        (url,) = told(first, URL)
        port = url.rpartition(":")[2]
        with process(shop, "server", "--port", port) as second:
            assert second.wait(bounded.SECONDS) == 2
        (shop / "shike.toml").write_text(f"port = {port}\n")
        with process(shop, "server") as third:
            assert third.wait(bounded.SECONDS) == 2
