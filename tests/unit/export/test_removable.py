"""Removing the file of an exporter, or of a route, removes the feature, and nothing else breaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import shike
from shike import export
from shike.errors import BadSetting
from tests import bounded

WORK = """
import asyncio
from shike import Route, Shike, step
from shike.errors import BadSetting, UnknownRoute
from shike.export import make, names
from shike.route import registry

app = Shike("memory://")

@app.task(name="t")
async def work() -> int:
    with step("s"):
        return 7

async def story() -> int:
    async with app.running(pools={}):
        return await (await work.submit()).wait(60)

assert asyncio.run(story()) == 7
print(*names(), *(name for name in registry.names() if name == "round_robin"))
try:
    make("otel")
except BadSetting as error:
    print(error)
try:
    registry.check("round_robin")
except UnknownRoute as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("export/otel.py", "there is no exporter 'otel'; there are: prometheus"),
        ("export/prometheus.py", "otel round_robin"),
        ("route/strategies/round_robin.py", "there is no route 'round_robin'"),
    ],
)
def test_without_its_file_a_feature_is_gone_and_the_rest_works(file: str, says: str, tmp_path: Path) -> None:
    package = Path(shike.__file__).parent
    copy = tmp_path / "shike"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / file).unlink()
    done = subprocess.run(
        [sys.executable, "-c", WORK], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=bounded.CROWD_SECONDS, env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


def test_an_unknown_exporter_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadSetting, match=r"did you mean otel\? There are: otel, prometheus"):
        export.make("otle")
