"""docs/operations.md: its YAML is some, and names metrics, paths and commands that there are (R2.13)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from shike.cli.root import COMMANDS
from shike.server.table import TABLE
from tests.api.house import House, visit

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
BLOCKS: list[Any] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_every_metric_that_it_names_is_told() -> None:
    async def story(house: House) -> None:
        await house.submit()
        told = set(re.findall(r"^# TYPE (\w+) ", (await house.ask("GET", "/metrics")).body, re.M))
        named = set(re.findall(r"\b(shike_[a-z_]+)\b", PAGE))
        assert {"shike_backlog_seconds", "shike_alarms"} <= named <= told

    visit(story)


def test_its_autoscalers_scale_by_the_backlog() -> None:
    kinds = {block["kind"]: block["spec"] for block in BLOCKS if "kind" in block}
    assert kinds.keys() == {"ScaledObject", "HorizontalPodAutoscaler"}
    (trigger,) = kinds["ScaledObject"]["triggers"]
    assert trigger["type"] == "prometheus" and float(trigger["metadata"]["threshold"]) > 0
    assert kinds["ScaledObject"]["minReplicaCount"] == kinds["HorizontalPodAutoscaler"]["minReplicas"] == 2


def test_every_path_and_command_that_it_names_is_there() -> None:
    paths = {route.path for route in TABLE}
    assert set(re.findall(r"\| `(/\w+)` \|", PAGE)) == {"/livez", "/readyz", "/metrics"} <= paths
    for command in re.findall(r"`shike (\w+)", PAGE):
        assert command in COMMANDS
    for file in re.findall(r"deploy/[\w./-]*\w", PAGE):
        assert (ROOT / file).exists() or file == "deploy/.env", file
