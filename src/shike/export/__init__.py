"""Where traces and metrics go: a file per exporter, each found under its own name. Removing one removes the feature.

An exporter is a `Watcher` that knows how to be attached: `app.export(shike.export.otel.OpenTelemetry())`, or by name,
as the setting `exporters` has it.
"""

from __future__ import annotations

import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from shike.client import Client
from shike.errors import BadSetting
from shike.worker.watcher import Watcher


class Exporter(Watcher, Protocol):
    """A watcher with a beginning."""

    def attach(self, client: Client) -> None:
        """An app will export through this: see to what its submits have to carry."""
        ...


@cache
def names() -> tuple[str, ...]:
    """All exporters that are here."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def make(name: str, **options: Any) -> Exporter:
    """The exporter of that name, as its module's `exporter(…)` makes it. Raises `BadSetting` where there is none, or
    where what it stands on is not installed."""
    if name not in names():
        near = get_close_matches(name, names(), n=1)
        meant = f"did you mean {near[0]}? There are" if near else "there are"
        raise BadSetting(f"there is no exporter {name!r}; {meant}: {', '.join(names()) or 'none'}")
    try:
        made: Exporter = import_module(f"{__name__}.{name}").exporter(**options)
    except ModuleNotFoundError as missing:
        raise BadSetting(
            f"the exporter {name!r} needs the extra of that name: pip install 'shike[{name}]'"
        ) from missing
    return made
