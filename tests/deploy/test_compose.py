"""deploy/compose.yaml, parsed: each service is confined, watched, bounded; no password is made up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shike.cli.root import COMMANDS
from shike.settings import MEANING

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = [name for name, service in SERVICES.items() if "shike" in str(service["image"])]
SERVICE_KEYS = {
    "image",
    "build",
    "restart",
    "init",
    "read_only",
    "tmpfs",
    "cap_drop",
    "cap_add",
    "security_opt",
    "environment",
    "stop_grace_period",
    "volumes",
    "depends_on",
    "logging",
    "command",
    "deploy",
    "ports",
    "healthcheck",
    "profiles",
    "shm_size",
}  # fmt: skip - of the compose specification: those that are used here


def test_it_is_of_the_compose_specification() -> None:
    assert {key for key in FILE if not key.startswith("x-")} == {"name", "services", "volumes"}
    assert OURS == ["scheduler", "worker", "server"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_bounded_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service.keys() <= SERVICE_KEYS
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert re.search(r":[\w${-]", service["image"]) and not service["image"].endswith(":latest")
    if name not in OURS:
        assert service["healthcheck"]["test"][0] == "CMD", "ours have that of the image"


@pytest.mark.parametrize("name", OURS)
def test_ours_have_a_command_that_exists_and_a_file_system_that_is_not_written(name: str) -> None:
    service = SERVICES[name]
    assert service["command"][0] in COMMANDS
    assert service["read_only"] is True and service["tmpfs"] == ["/tmp"]  # noqa: S108
    assert int(service["stop_grace_period"].removesuffix("s")) > 30
    for variable in service["environment"]:
        assert variable.removeprefix("SHIKE_").lower() in MEANING
    assert (DEPLOY / "app/work.py").exists() and service["volumes"] == ["./app:/app:ro"]


def test_the_server_is_for_this_machine_until_a_proxy_stands_before_it() -> None:
    assert SERVICES["server"]["ports"] == ["127.0.0.1:8787:8787"]
    assert not [name for name, service in SERVICES.items() if name != "server" and "ports" in service]


def test_volumes_are_declared() -> None:
    named = {text.split(":")[0] for service in SERVICES.values() for text in service.get("volumes", ())}
    assert {name for name in named if not name.startswith(".")} == FILE["volumes"].keys()


def test_no_password_is_made_up() -> None:
    assert "PASSWORD:-}" in TEXT, "empty: the image refuses to start"
    assert not re.search(r"PASSWORD\}?:-[^}]", TEXT)
    example = (DEPLOY / ".env.example").read_text()
    assert re.search(r"^POSTGRES_PASSWORD=$", example, re.M)
    needed = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert needed and all(re.search(rf"^{name}=", example, re.M) for name in needed)


def test_redis_keeps_what_shike_would_refuse_to_start_without() -> None:
    words = SERVICES["redis"]["command"]
    assert words[words.index("--appendonly") + 1] == "yes"
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


def test_its_app_is_one() -> None:
    space: dict[str, Any] = {"__name__": "work"}
    exec(compile((DEPLOY / "app/work.py").read_text(), "work.py", "exec"), space)  # noqa: S102 - our own
    assert list(space["app"].tasks) == ["hello"] and len(space["app"].duties) == 1
