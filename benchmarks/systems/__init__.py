"""Who is measured, by name. A `System` is one library with one configuration, hidden behind a few verbs."""

from __future__ import annotations

from benchmarks.systems.brokered import BROKERED
from benchmarks.systems.designs import DESIGNS
from benchmarks.systems.embedded import EMBEDDED
from benchmarks.systems.spec import Spec, System

__all__ = ["SYSTEMS", "Spec", "System"]

SYSTEMS: dict[str, Spec] = {**EMBEDDED, **BROKERED, **DESIGNS}
