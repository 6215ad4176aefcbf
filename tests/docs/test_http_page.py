"""docs/http-tasks.md: its program is one, and its table is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shike.egress.exchange import Heard
from shike.errors import CallFailed, CallRefused
from shike.model import Executor
from shike.worker.http import HttpCall, judged
from shike.worker.outcome import Retry

PAGE = (Path(__file__).parents[2] / "docs" / "http-tasks.md").read_text(encoding="utf-8")


def test_its_program_says_what_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(program, "http-tasks.md", "exec"), names)  # noqa: S102 - it is our own page
    assert names["charge"].definition.executor is Executor.HTTP
    call = names["charge"](7, 100)
    assert isinstance(call, HttpCall) and call.body == {"order": 7, "cents": 100} and call.signed_by == "PAY_KEY"
    later = names["render"]("heat")
    assert later.report_to.startswith("https://") and later.report_seconds == 7200


def test_each_status_means_what_the_table_says() -> None:
    for status in (200, 201, 204, 299):
        assert judged(Heard(status, {}, b'{"a":1}')) == {"a": 1}
    for status in (408, 425, 429, 500, 502, 503, 599):
        with pytest.raises(CallFailed):
            judged(Heard(status, {}, b""))
        assert judged(Heard(status, {"retry-after": "9"}, b"")) == Retry(
            9, reason=f"the executor answered {status}: nothing"
        )
    for status in (300, 301, 307, 400, 401, 404, 409, 422):
        with pytest.raises(CallRefused):
            judged(Heard(status, {"retry-after": "9"}, b""))
