"""Real input: the cron files that Debian's packages install, fetched by `make cronfiles`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shike.crontab import read
from shike.trigger.line import Line

FOLDER = Path(__file__).parents[2] / "out/cron"
FILES = sorted(FOLDER.glob("*/etc/cron.d/*"))
NOW = 1_767_225_600_000_000

if not FILES and not os.environ.get("CI"):
    pytest.skip("no cron files of Debian packages here: run `make cronfiles` where apt is", allow_module_level=True)


def job_lines(file: Path) -> list[int]:
    """Which lines are jobs, read without our parser: not empty, no comment, no NAME=value."""
    found = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        text = line.strip()
        first = text.split()[0] if text else ""
        if text and not text.startswith("#") and ("=" not in first or first[0] in "*0123456789"):
            found.append(number)
    return found


def test_several_packages_were_fetched() -> None:
    assert len({file.parts[-4] for file in FILES}) >= 5, "run `make cronfiles`"


@pytest.mark.parametrize("file", FILES, ids=[file.parts[-4] for file in FILES])
def test_every_job_of_a_package_is_read_and_has_its_next_moments(file: Path) -> None:
    crontab = read(file, system=True)
    assert not crontab.problems
    assert [entry.line for entry in crontab.entries] == job_lines(file)
    for entry in crontab.entries:
        assert entry.user and entry.command and entry.trigger is not None
        line = Line(trigger=entry.trigger, spread="x")
        moments = line.after(NOW, limit=3)
        assert len(moments) == 3
        assert all(moment.at > NOW and moment.at % 60_000_000 == 0 for moment in moments)
