"""What a container task runs: an image and its arguments, for an engine (`docker`, `podman`) that is a program here.

    @app.task(name="render", executor="container", timeout="10m", retry=3)
    def render(book: str) -> Container:
        return Container("example/render:1.4", ["render", "--", book], mounts=[Mount("/srv/books", "/books")])

Nothing goes through a shell. What the container may know goes neither through the engine's command line, which every
user of the machine may read, nor through the engine's own environment: it is in a file that only this user may read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from shike.errors import BadArguments
from shike.worker.context import Context

IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")  # so none is taken for an option
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
NETWORK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}")
UNFIT: Final = re.compile(r"[,\"\0\n\r]")  # of a path: the engine takes mounts apart at commas
PREFIX: Final = "shike"
LABEL_RUN: Final = "shike.run"
LABEL_PLACE: Final = "shike.place"


class Mount(Struct, frozen=True):
    """A folder or file of this machine, seen in the container under `target`: read-only, unless `writable`."""

    source: str
    target: str
    writable: bool = False


class Container(Struct, frozen=True):
    """What a container task's handler returns. It is called on the event loop, so it only puts together what it was
    given.

    `argv`: what follows the image; none: what the image does by itself. `env`: without line breaks. `network`: `none`
    unless another is named. `never_again`: exit statuses of which a repeat would change nothing.
    """

    image: str
    argv: Sequence[str] = ()
    env: Mapping[str, str] = {}
    mounts: Sequence[Mount] = ()
    network: str = "none"
    user: str = ""
    workdir: str = ""
    memory_bytes: int = 0
    never_again: Sequence[int] = ()


def check(wanted: Container) -> Container:
    """Raises `BadArguments` for what an engine would take for something else."""
    _fits("image", wanted.image, IMAGE)
    _fits("network", wanted.network, NETWORK)
    if wanted.user:
        _fits("user", wanted.user, USER)
    if isinstance(wanted.argv, str) or not all(isinstance(word, str) and "\0" not in word for word in wanted.argv):
        raise BadArguments("argv of a container is a list of texts without NUL, as in ['ls', '-l']")
    for name, value in wanted.env.items():
        _fits("name of a variable", name, NAME)
        if not isinstance(value, str) or any(sign in value for sign in "\0\n\r"):
            raise BadArguments(f"the variable {name} of a container is a text without line breaks and NUL")
    paths = [path for mount in wanted.mounts for path in (mount.source, mount.target)]
    for path in [*paths, *([wanted.workdir] if wanted.workdir else [])]:
        if not isinstance(path, str) or not path.startswith("/") or UNFIT.search(path) or "/../" in f"{path}/":
            raise BadArguments(
                f"{path!r:.80} is no absolute path without commas, quotes and line breaks, and without .."
            )
    if isinstance(wanted.memory_bytes, bool) or not isinstance(wanted.memory_bytes, int) or wanted.memory_bytes < 0:
        raise BadArguments(f"memory_bytes={wanted.memory_bytes!r}: a number of bytes; 0: as much as there is")
    return wanted


def name_of(place: str, context: Context) -> str:
    """Of one attempt under one lease, on one machine: whoever has a later lease of the run knows what is older."""
    return f"{PREFIX}-{place}-{context.id}-{context.attempt}-{context.token}"


def older(names: Sequence[str], place: str, context: Context) -> list[str]:
    """Those of earlier leases of the same run."""
    found = re.compile(rf"{PREFIX}-{re.escape(place)}-{context.id}-[0-9]+-([0-9]+)")
    matches = [(name, found.fullmatch(name)) for name in names]
    return [name for name, match in matches if match is not None and int(match[1]) < context.token]


def argv_of(engine: str, name: str, place: str, wanted: Container, context: Context, env_file: str) -> list[str]:
    """How the engine is called."""
    argv = [engine, "run", "--rm", "--name", name, "--label", f"{LABEL_RUN}={context.id}"]
    argv += ["--label", f"{LABEL_PLACE}={place}", "--env-file", env_file, "--network", wanted.network]
    argv += ["--security-opt", "no-new-privileges"]
    for mount in wanted.mounts:
        readonly = "" if mount.writable else ",readonly"
        argv += ["--mount", f"type=bind,source={mount.source},target={mount.target}{readonly}"]
    for option, value in (("--user", wanted.user), ("--workdir", wanted.workdir)):
        argv += [option, value] if value else []
    argv += ["--memory", f"{wanted.memory_bytes}b"] if wanted.memory_bytes else []
    return [*argv, wanted.image, *wanted.argv]


def variables(wanted: Container, context: Context) -> str:
    """What the container may know, a line each."""
    moment = context.moment
    known = {
        **wanted.env,
        "SHIKE_RUN_ID": context.id,
        "SHIKE_TOKEN": str(context.token),
        "SHIKE_ATTEMPT": str(context.attempt),
        "SHIKE_MOMENT": moment.isoformat() if moment is not None else "",
        "SHIKE_IDEMPOTENCY_KEY": " ".join(context.idempotency_key.splitlines()),
    }
    return "".join(f"{name}={value}\n" for name, value in known.items())


def _fits(what: str, value: object, pattern: re.Pattern[str]) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadArguments(f"{value!r:.80} is no {what} of a container")
