"""deploy/systemd: units that systemd itself finds nothing wrong with, confined as far as it can say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shike.bounds import STOP_GRACE_SECONDS
from shike.cli.root import COMMANDS
from tests import bounded

UNITS = Path(__file__).parents[2] / "deploy/systemd"
SERVICES = sorted(UNITS.glob("*.service"))
EXPOSURE_MAX = 20  # of 100, by `systemd-analyze security`: "OK" ends at 50
HARDENING = (
    "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
    "RestrictNamespaces=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes", "CapabilityBoundingSet=",
    "SystemCallFilter=@system-service", "UMask=0027", "User=shike",
)  # fmt: skip
analyze = shutil.which("systemd-analyze")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_says_what_it_runs_as_whom_and_how_it_ends(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert [word for word in HARDENING if word not in lines] == []
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    program, command, *_ = start.removeprefix("ExecStart=").split()
    assert program == "/opt/shike/bin/shike" and command in COMMANDS
    (stop,) = [line for line in lines if line.startswith("TimeoutStopSec=")]
    assert int(stop.removeprefix("TimeoutStopSec=")) > (STOP_GRACE_SECONDS if command == "worker" else 10)
    assert not [line for line in lines if re.match(r"Environment=.*(PASSWORD|SECRET|KEY)", line)], "in the file of 0600"


def test_all_three_are_there() -> None:
    assert [unit.name for unit in SERVICES] == [
        "shike-scheduler.service",
        "shike-server.service",
        "shike-worker@.service",
    ]


@pytest.mark.skipif(analyze is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """With a program that is there: the installed one is not, on this machine."""
    for unit in UNITS.iterdir():
        if unit.suffix in (".service", ".target"):
            text = unit.read_text().replace("/opt/shike/bin/shike", "/bin/true").replace("User=shike", "User=daemon")
            name = unit.name.replace("@.", "@1.")
            (tmp_path / name).write_text(text.replace("Group=shike", "Group=daemon"))
    for unit in sorted(tmp_path.iterdir()):
        done = run("verify", "--man=no", str(unit), folder=tmp_path)
        assert done.returncode == 0 and unit.name not in done.stderr, done.stderr


@pytest.mark.skipif(analyze is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_finds_them_confined(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@.", "@1.")
    copy.write_text(unit.read_text())
    done = run("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX}", str(copy), folder=tmp_path)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    assert analyze is not None
    return subprocess.run(
        [analyze, *words], capture_output=True, text=True, timeout=bounded.SECONDS, check=False, cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:/usr/lib/systemd/system:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
