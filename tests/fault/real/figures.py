"""What the scenarios counted, kept for `docs/faults.md`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def record(scenario: str, store: str, **figures: Any) -> None:
    """Write down one scenario's figures, where SHIKE_FAULT_FIGURES names a file for them."""
    where = os.environ.get("SHIKE_FAULT_FIGURES")
    line = json.dumps({"scenario": scenario, "store": store, **figures})
    print(line)
    if where:
        with Path(where).open("a") as file:
            file.write(line + "\n")
