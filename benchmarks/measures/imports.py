"""What `import` costs, as a multiple of `import asyncio` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.measure import Column, Measure, Row, Size

PAIRS = {Size.QUICK: 3, Size.STANDARD: 9, Size.FULL: 15}
MODULES = {
    "shike": "shike",
    "shike-face": "shike; shike.Shike",
    "huey": "huey",
    "apscheduler": "apscheduler.schedulers.background",
    "asyncio": "asyncio",
}
_CODE = "import time, sys; began = time.perf_counter_ns(); import {}; print(time.perf_counter_ns() - began)"


def _import_ms(module: str) -> float:
    code = _CODE.format(module)
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) / 1e6


def _imports(name: str, folder: Path, size: Size) -> dict[str, float]:
    pairs = [(_import_ms(MODULES[name]), _import_ms("asyncio")) for _ in range(PAIRS[size])]
    return {"import_ms": median(ours for ours, _ in pairs), "ratio": median(ours / base for ours, base in pairs)}


MEASURE = Measure(
    name="imports",
    title="Import",
    about="""The statement alone, without the start of the interpreter; each beside an `import asyncio` of the same
    moment.""",
    rows=(
        Row("shike", "`import shike`", "import", ours=True),
        Row("shike-face", "`import shike; shike.Shike`", "import", ours=True),
        Row("huey", "`import huey`", "import"),
        Row("apscheduler", "`import apscheduler.schedulers.background`", "import"),
        Row("asyncio", "`import asyncio`", "floor"),
    ),
    columns=(Column("ratio", "× `import asyncio`", 2), Column("import_ms", "ms", 1)),
    run=_imports,
    repeats=1,
)
