"""The command line. Nothing heavy loads before it is known what is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 well, 1 something found, 2 bad usage or input, 3 store trouble."""
    words = list(sys.argv[1:] if tokens is None else tokens)
    if words in (["--version"], ["-V"]):
        from shike import __version__

        print(f"shike {__version__}")
        return 0
    try:
        import cyclopts  # noqa: F401
    except ImportError:
        print("shike: the command line needs two more packages: pip install 'shike[cli]'", file=sys.stderr)
        return 2
    from shike.cli.root import run

    return run(words)
