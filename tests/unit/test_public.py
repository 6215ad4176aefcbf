"""`import shike`: the names that are promised, what they cost, and that each says what it is for."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shike
from shike.call import Handles
from shike.testing import Harness
from shike.worker.outcome import Cancel, Retry, Snooze
from tests import bounded

HEAVY = {
    "aio_pika",
    "asyncmy",
    "asyncpg",
    "cyclopts",
    "email",
    "http",
    "litestar",
    "multiprocessing",
    "nats",
    "numpy",
    "psycopg",
    "pydantic",
}
HEAVY |= {"redis", "rich", "sqlite3", "tomllib", "unittest", "uvicorn", "xml"}
FACE = [shike.Shike, shike.Task, shike.Handle, Handles, shike.Call, shike.Context, Harness, Snooze, Retry, Cancel]


def loaded_by(program: str) -> set[str]:
    """The top-level modules that a program loads, beyond those of an empty one."""
    tell = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"

    def run(text: str) -> set[str]:
        words = [sys.executable, "-c", f"{text}\n{tell}"]
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=bounded.SECONDS)
        return set(told.stdout.split())

    return run(program) - run("")


def test_importing_shike_loads_next_to_nothing() -> None:
    """The time it takes is measured in `benchmarks`; what it loads is a fact."""
    loaded = loaded_by("import shike")
    assert loaded - loaded_by("import asyncio, msgspec") == {"shike"}
    assert loaded & {"asyncio", "msgspec", "logging", "datetime"} == set()


def test_an_app_loads_no_driver_no_server_and_no_command_line() -> None:
    assert loaded_by("import shike; shike.Shike('memory://')") & HEAVY == set()


def test_the_room_of_brokers_loads_no_driver() -> None:
    program = "import shike.connect; shike.connect.open_delays('redis://localhost/', 'x')"
    assert loaded_by(program) & {"aio_pika", "nats", "redis", "paho", "aiokafka", "asyncpg"} == set()


def test_a_railway_over_one_file_needs_no_redis() -> None:
    assert loaded_by("import shike.rail.web.serving") & {"hiredis", "redis"} == set()


def test_the_promised_names_are_those_that_the_type_checker_sees() -> None:
    tree = ast.parse(Path(inspect.getfile(shike)).read_text(encoding="utf-8"))
    (checking,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {
        alias.name: node.module for node in checking.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == shike._HOME
    assert sorted(shike.__all__) == sorted([*seen, "__version__"])
    assert dir(shike) == sorted(shike.__all__)


@pytest.mark.parametrize("name", shike.__all__)
def test_a_promised_name_is_there_and_says_what_it_is_for(name: str) -> None:
    value: Any = getattr(shike, name)
    assert name == "__version__" or inspect.getdoc(value)


def test_a_name_that_is_not_promised_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Job'"):
        shike.Job  # type: ignore[attr-defined]


def public_parts() -> Iterator[Any]:
    for kind in FACE:
        for name, part in vars(kind).items():
            if not name.startswith("_") and (callable(part) or isinstance(part, property | classmethod)):
                yield pytest.param(kind, name, id=f"{kind.__name__}.{name}")


@pytest.mark.parametrize(("kind", "name"), list(public_parts()))
def test_every_method_of_the_face_is_documented(kind: type, name: str) -> None:
    assert inspect.getdoc(inspect.getattr_static(kind, name)), f"{kind.__name__}.{name} has no docstring"
