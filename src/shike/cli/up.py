"""`shike up`, `scheduler`, `worker`: one process at work until it is told to stop."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from shike.cli.where import Where, load_app


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Serving(Where):
    """Options of the commands that go on until they are stopped."""

    lease_seconds: Annotated[float | None, Parameter(help="How long others wait for a silent process.")] = None
    log_level: Annotated[str | None, Parameter(help="debug, info, warning, error or critical.")] = None
    log_format: Annotated[str | None, Parameter(help="text, or json: one object a line.")] = None
    metrics_port: Annotated[
        int | None, Parameter(help="Answer /metrics for Prometheus on this port of this machine; 0: any free one.")
    ] = None
    plain: Annotated[bool, Parameter(help="Log lines, also on a terminal.", negative="")] = False
    drain: Annotated[bool, Parameter(help="Stop when nothing is left that is due.", negative="")] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Working(Serving):
    """Options of the commands that work."""

    slots: Annotated[int | None, Parameter(help="Runs worked on at once.")] = None
    queues: Annotated[
        str | None, Parameter(help="mail,gpu:1,bulk:10*0.5 (name:limit*weight); else all of the app.")
    ] = None
    tags: Annotated[str | None, Parameter(help="gpu,eu-west: what routes may ask for.")] = None
    weight: Annotated[float | None, Parameter(help="Against other workers, where routes weigh them.")] = None
    threads: Annotated[int | None, Parameter(help="Threads for handlers that are not async.")] = None
    processes: Annotated[int | None, Parameter(help="Child processes for handlers that ask for one.")] = None
    allow_commands: Annotated[bool | None, Parameter(help="Allow command tasks to start programs.")] = None
    allow_http: Annotated[str | None, Parameter(help="Allow HTTP tasks to call these: public,executor.local:8080.")] = (
        None
    )
    reload: Annotated[bool, Parameter(help="Start anew when the app's files change.", negative="")] = False
    max_runs: Annotated[int, Parameter(help="Start anew after so many runs; 0: never.")] = 0
    max_rss: Annotated[str, Parameter(help="Start anew above so much memory, such as 500M.")] = ""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Everything(Working):
    """Options of `up`."""

    server: Annotated[bool | None, Parameter(help="Answer HTTP as well, where the extra is installed.")] = None
    host: Annotated[str | None, Parameter(help="Address of the server.")] = None
    port: Annotated[int | None, Parameter(help="Port of the server; 0: any that is free.")] = None


def up(app: str | None = None, /, *, options: Everything | None = None) -> int:
    """Schedule, work and answer HTTP, in this one process, until SIGTERM or Ctrl-C; a second one stops at once.

    APP is module:attribute or file.py; else the setting `app`. The API (where `shike[server]` is installed) is for this
    machine alone, unless told otherwise; the first start makes an access key and shows it.
    """
    return _serve(options or Everything(), app, scheduler=True, worker=True)


def scheduler(app: str | None = None, /, *, options: Serving | None = None) -> int:
    """Plan, wake and rescue, until SIGTERM or Ctrl-C. Any number may run on one store."""
    return _serve(options or Serving(), app, scheduler=True, worker=False)


def worker(app: str | None = None, /, *, options: Working | None = None) -> int:
    """Work, until SIGTERM or Ctrl-C. Any number may run on one store."""
    return _serve(options or Working(), app, scheduler=False, worker=True)


def _serve(options: Serving, app_path: str | None, *, scheduler: bool, worker: bool) -> int:
    from shike.cli.serve import Service, load_or_wait, serve
    from shike.cli.size import parse_size
    from shike.worker.recycle import Limits

    shared = ("lease_seconds", "log_level", "log_format", "metrics_port")
    flags: dict[str, object] = {name: getattr(options, name) for name in shared}
    limits, reload = Limits(), False
    if isinstance(options, Working):
        names = ("slots", "queues", "tags", "weight", "threads", "processes", "allow_commands", "allow_http")
        flags |= {name: getattr(options, name) for name in names}
        limits = Limits(max_runs=options.max_runs, max_rss_bytes=parse_size(options.max_rss))
        reload = options.reload
    if isinstance(options, Everything):
        flags |= {"server": options.server, "host": options.host, "port": options.port}
    loaded = options.settings(**flags, **({"app": app_path} if app_path else {}))
    service = Service(
        load_or_wait(loaded) if reload else load_app(loaded),
        loaded,
        scheduler=scheduler,
        worker=worker,
        limits=limits,
        reload=reload,
        plain=options.plain or options.json,
        drain=options.drain,
        as_json=options.json,
    )
    serve(service)
    return os.EX_OK
