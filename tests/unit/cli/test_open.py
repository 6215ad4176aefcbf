"""`shike open`: a link that signs in to the console of a running server, once."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests import bounded
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_http import URL, process, told

ONCE = r"(http://127\.0\.0\.1:\d+)/console/sign-in#once=([0-9a-f]{64})"


def sign_in(url: str, once: str) -> str:
    """The cookie that a link becomes."""
    form = urllib.parse.urlencode({"once": once}).encode()
    request = urllib.request.Request(f"{url}/console/sign-in", form, {"Origin": url})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=bounded.SECONDS) as answer:  # noqa: S310
        return str(answer.headers["set-cookie"]).partition(";")[0]


def test_a_link_of_the_command_line_and_that_of_the_first_start_let_in_once(shop: Path, shell: Shell) -> None:
    with process(shop, "up", "--plain", "--port", "0") as up:
        url, first = told(up, URL, r"signed in once: (\S+)")
        link = shell("open", "--role", "viewer", "--url", url).out.strip()
        for text, role in ((link, "viewer"), (first, "admin")):
            found = re.fullmatch(ONCE, text)
            assert found is not None and found[1] == url
            page = urllib.request.Request(f"{url}/console", headers={"Cookie": sign_in(url, found[2])})  # noqa: S310
            with urllib.request.urlopen(page, timeout=bounded.SECONDS) as answer:  # noqa: S310
                assert f"· {role}" in answer.read().decode()
            with pytest.raises(urllib.error.HTTPError, match="401"):
                sign_in(url, found[2])


def test_machines_get_no_link_and_nor_do_stores_that_are_not_there(shop: Path, shell: Shell) -> None:
    assert shell("open", "--role", "worker").code == 2
    assert shell("open").code == 3
    shell("submit", "pay", "order=1")
    assert re.fullmatch(ONCE, shell("open", "--json").json["link"])
