"""`python -m shike.timer.native.compile`: compile the calendar queue for this interpreter, beside its sources.

It needs a C compiler (`CC`, else `cc`) and the interpreter's headers, nothing else. Without them Shike runs as it is.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shike.timer.build import NATIVE, SOURCES, checksum

FLAGS: Final = ("-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-DNDEBUG", "-Wall", "-Wextra", "-Werror=implicit")
LINK: Final = {"darwin": ("-bundle", "-undefined", "dynamic_lookup")}
COMPILE_SECONDS: Final = 300.0


class NotCompiled(Exception):
    """Why, in a sentence."""


def compiler() -> list[str]:
    """The command. Raises `NotCompiled` where there is none."""
    words = shlex.split(os.environ.get("CC", "cc"))
    if not words or shutil.which(words[0]) is None:
        raise NotCompiled(f"there is no C compiler {' '.join(words)!r}; install one, or name it in CC")
    return words


def compile_calendar(folder: Path = NATIVE, flags: Sequence[str] = FLAGS, sources: Path = NATIVE) -> Path:
    """Compile into `folder`; the file. Raises `NotCompiled`; then what was there is still there."""
    headers = sysconfig.get_paths()["include"]
    if not Path(headers, "Python.h").exists():
        raise NotCompiled(f"{headers} has no Python.h; install the headers of this Python (python3-dev or the like)")
    target = folder / f"_calendar{sysconfig.get_config_var('EXT_SUFFIX')}"
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    words = [*compiler(), *flags, *LINK.get(sys.platform, ("-shared",)), f"-DSHIKE_SOURCES={checksum()}L"]
    words += [f"-I{headers}", *(str(sources / name) for name in SOURCES if name.endswith(".c")), "-o", str(fresh)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)  # noqa: S603 - ours
        if done.returncode:
            raise NotCompiled(f"{shlex.join(words)}\n{done.stderr.strip()}")
        fresh.replace(target)  # whole or not at all; who has the old one loaded keeps it
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiled(str(error)) from error
    finally:
        fresh.unlink(missing_ok=True)
    return target


def main() -> int:
    """Exit code 1 if nothing was compiled."""
    try:
        print(compile_calendar())
    except NotCompiled as error:
        print(f"not compiled: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
