"""Settings: file < environment < flag, in one table, each value with where it came from.

The file is `shike.toml`, or the table `[tool.shike]` of `pyproject.toml`, in the current folder; the first that is
there counts, as a whole. An environment variable is called `SHIKE_` and the setting's name in capitals.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_type_hints
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from shike.bounds import BEAT_SECONDS, LEASE_SECONDS, PROCESSES_MAX, THREADS_MAX
from shike.errors import BadSetting

PREFIX: Final = "SHIKE_"
CONFIG_VARIABLE: Final = "SHIKE_CONFIG"
FILE: Final = "shike.toml"
PROJECT_FILE: Final = "pyproject.toml"
TABLES: Final = ("tool", "shike")  # who writes one of them in shike.toml means `[tool.shike]` of pyproject.toml
TABLE_ADVICE: Final = "the whole file is about Shike; write its settings without a table, as in `slots = 10`"
DEFAULT: Final = "default"
SLOTS_MAX: Final = 10_000  # handlers that wait cost memory each; more than this wants more workers
HISTORY_DAYS_MAX: Final = 3_650.0
LEASE_SECONDS_MIN: Final = 2 * BEAT_SECONDS  # one beat may be late without harm
LEASE_SECONDS_MAX: Final = 3_600.0
PORT_MAX: Final = 65_535
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
LOG_FORMATS: Final = ("text", "json")
LANGUAGES: Final = ("en", "zh")
NO_PORT: Final = -1
PRESETS: Final = ("classic", "simple", "precise")
SYNCHRONOUS: Final = ("full", "normal", "off")
LISTS: Final = ("queues", "tags", "allow_http", "exporters", "alarms", "alarms_to")  # with commas in a variable or flag


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting with its default. `MEANING` says what each one does."""

    store: str = "sqlite:///shike.db"
    namespace: str = "shike"
    app: str = ""
    slots: int = 100
    queues: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    threads: int = 0
    processes: int = 8  # started when they are needed: after a crash so many rescued runs go on at once
    lease_seconds: float = LEASE_SECONDS
    allow_commands: bool = False
    allow_http: tuple[str, ...] = ()
    containers: str = ""
    server: bool = True
    host: str = "127.0.0.1"
    port: int = 8787
    intakes: bool = True
    log_level: str = "info"
    log_format: str = "text"
    trace: bool = True
    exporters: tuple[str, ...] = ()
    metrics_port: int = -1
    history_success_days: float = 7.0
    history_dead_days: float = 90.0
    history_log_days: float = 0.0
    history_url: str = ""
    synchronous: str = "full"
    preset: str = "classic"
    waker: str = ""
    alarms: tuple[str, ...] = ()
    alarms_to: tuple[str, ...] = ()
    alarms_language: str = "en"
    values: dict[str, str] = field(default_factory=dict)


MEANING: Final[dict[str, str]] = {
    "store": "where the truth is: `sqlite:///relative.db`, `sqlite:////absolute.db`, "
    "`postgresql://user@host/database`, `mysql://user@host/database`, `redis://host:6379/0` or `memory://`",
    "namespace": "keeps several Shikes in one store apart",
    "app": "what commands load that need your tasks: `module:attribute` or `file.py`",
    "slots": f"runs that one worker works on at once, 1 to {SLOTS_MAX:,}",
    "queues": "what a worker serves: `mail`, `mail:10` (at most ten at once), `mail:10*3` (three times the share); "
    "none: every queue that the app's tasks and schedules name",
    "tags": "what routes may ask of a worker: `gpu`, `eu-west`",
    "weight": "of a worker, where routes weigh them: 2 is worth two others",
    "threads": f"threads for handlers that are not async, up to {THREADS_MAX}; 0: as many as there are slots",
    "processes": f"child processes, up to {PROCESSES_MAX}, for handlers that ask for one and runs whose last worker "
    "died; started when first needed, 0: none",
    "lease_seconds": "how long a silent process keeps its runs before others take them over",
    "allow_commands": "whether this worker may start programs (command tasks)",
    "allow_http": "which executors this worker may call (HTTP tasks): `public` for any public address on ports 80 and "
    "443, `executor.local:8080` for one that is named, wherever it is; none: no calls",
    "containers": "the engine by which this worker runs container tasks: `docker`, `podman`, or a path; none: it runs "
    "none",
    "server": "whether `shike up` answers HTTP as well (console and API), where the extra `server` is installed",
    "host": "address that the server listens on; beyond this machine only where there is an access key",
    "port": "port that the server listens on; 0: any that is free",
    "intakes": "whether `shike up` and `shike server` read the messages of the intakes that the app declares",
    "log_level": ", ".join(f"`{level}`" for level in LOG_LEVELS),
    "log_format": "`text` for people, or `json`: an object a line, with run, attempt and task where a handler logs",
    "trace": "whether the steps and the last log lines of handlers are kept with each attempt",
    "exporters": "where traces and metrics go: `otel` (its SDK is your app's to set up); none: nowhere",
    "metrics_port": "port of this machine on which `up`, `scheduler` and `worker` answer `/metrics` for Prometheus; 0: "
    "any that is free; -1: none",
    "history_success_days": "how long runs that went well are remembered",
    "history_dead_days": "how long dead letters and the timetable are remembered",
    "history_log_days": "how long the log of deeds is remembered: a server drops what is older, and the chain tells of "
    "it; 0: for ever",
    "history_url": "Redis: a store of its own, SQLite or SQL, that keeps the history for as long as the settings above "
    "say; none: Redis keeps a day of it",
    "synchronous": "SQLite: `full` survives a power loss, `normal` may lose the last commits at one, `off` the file",
    "preset": "how the timetable is cut and read: `classic` (one bucket, 5 s ahead), `simple` (one bucket, 1 s "
    "ahead), `precise` (64 virtual buckets, shared by nodes, split where they are late; minute slices); a store keeps "
    "the number of virtual buckets that it was made with",
    "waker": "a delay broker that wakes the scheduler, whose own timer waits for its word a little: `amqp://…` "
    "(RabbitMQ), `nats://…`, `redis://…` or `redis+expiry://…`; none: the timer alone",
    "alarms": "what schedulers watch for, besides what the app declares: `dead`, `poison:pay.*`, `failures:pay>5`, "
    "`late:mail>30s`, `no_success:default/report>26h`, `no_worker>2m`, `backlog:mail>10m`",
    "alarms_to": "who is told of these; each part names an environment variable: `slack:URL`, `wecom:URL`, "
    "`dingtalk:URL:SECRET`, `feishu:URL:SECRET`, `webhook:URL:SECRET`, `mail:SMTP_URL:ops@example.com`",
    "alarms_language": "of what they are told: `en` or `zh`",
    "values": "a table of your own: what `${NAME}` in a schedule stands for",
}


class Loaded(Struct, frozen=True, kw_only=True):
    """Settings and, for each of them, where its value came from: `default`, a file, a variable, or a flag."""

    settings: Settings
    origins: dict[str, str]

    def given(self, name: str) -> bool:
        """Whether somebody set it."""
        return self.origins[name] != DEFAULT


def load(
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """Read all sources. A flag that is None was not given. Raises `BadSetting`, which names the source and the key."""
    environ = environ or {}
    found: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.__struct_fields__, DEFAULT)
    for origin, name, value in (
        *_from_file(folder or Path(), environ.get(CONFIG_VARIABLE, "")),
        *_from_environment(environ),
        *((f"--{name.replace('_', '-')}", name, value) for name, value in (flags or {}).items() if value is not None),
    ):
        found[name] = _value(origin, name, value)
        origins[name] = origin
    return Loaded(settings=Settings(**found), origins=origins)


def store_url(loaded: Loaded) -> str:
    """The store's URL with the settings that belong into it."""
    return with_settings(loaded.settings.store, loaded)


def with_settings(url: str, loaded: Loaded) -> str:
    """A store's URL with the settings that belong into it; what the URL says itself wins."""
    settings = loaded.settings
    if url.startswith("sqlite:") and loaded.given("synchronous"):
        return _with_option(url, "synchronous", settings.synchronous)
    if url.startswith("redis") and settings.history_url:
        return _with_option(url, "history_url", quote(settings.history_url, safe=""))
    return url


def _with_option(url: str, name: str, value: str) -> str:
    return url if f"{name}=" in url else f"{url}{'&' if '?' in url else '?'}{name}={value}"


def place(namespace: str) -> tuple[str, str]:
    """The store's URL and the namespace (the given one, if there is one), as the file and the environment have them."""
    loaded = load(environ=os.environ)
    return store_url(loaded), namespace or loaded.settings.namespace


def markdown() -> str:
    """The table of docs/settings.md."""
    lines = ["| setting | variable | default | meaning |", "|---|---|---|---|"]
    for name, meaning in MEANING.items():
        variable = "" if name == "values" else f"`{PREFIX}{name.upper()}`"
        lines.append(f"| `{name}` | {variable} | `{shown(getattr(Settings(), name))}` | {meaning} |")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- where values come from


def _from_file(folder: Path, named: str) -> list[tuple[str, str, Any]]:
    file, table = _table(folder, named)
    for name in table:
        if name not in MEANING:
            raise BadSetting(f"{file}: {_unknown(name) if name not in TABLES else TABLE_ADVICE}")
    return [(str(file), name, value) for name, value in table.items()]


def _table(folder: Path, named: str) -> tuple[Path, dict[str, Any]]:
    file = Path(named) if named else folder / FILE
    if named and not file.is_file():
        raise BadSetting(f"{CONFIG_VARIABLE}={named}: there is no such file")
    if file.is_file():
        table = _read(file)
        return file, table["tool"].get("shike", {}) if file.name == PROJECT_FILE and "tool" in table else table
    project = folder / PROJECT_FILE
    tool = _read(project).get("tool", {}) if project.is_file() else {}
    return project, tool.get("shike", {}) if isinstance(tool, dict) else {}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{file} is not TOML: {error}") from error
    except OSError as error:
        raise BadSetting(f"{file} cannot be read: {error.strerror}") from error


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    """Variables that only look like a slip of the pen are refused; others may belong to somebody else."""
    found = []
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or name == "values":
            continue
        if name in MEANING:
            found.append((variable, name, environ[variable]))
        elif variable != CONFIG_VARIABLE and get_close_matches(name, MEANING, n=1, cutoff=0.75):
            raise BadSetting(f"environment: {variable}: {_unknown(name)}")
    return found


def _unknown(name: str) -> str:
    near = get_close_matches(name, MEANING, n=1)
    return f"there is no setting {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"{', '.join(MEANING)} exist")


# ---------------------------------------------------------------- what values may be


def _value(origin: str, name: str, value: Any) -> Any:
    if name in LISTS and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if name == "values" and isinstance(value, dict):
        value = {key: str(one) if isinstance(one, int | float) else one for key, one in value.items()}
    if _TYPES[name] is bool and isinstance(value, str):
        value = _SWITCH.get(value.lower(), value)
    try:
        value = msgspec.convert(value, _TYPES[name], strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise BadSetting(f"{origin}: {name} = {shown(value)}: {_lower(str(error))}") from None
    wrong = _CHECKS[name](value) if name in _CHECKS else ""
    if wrong:
        raise BadSetting(f"{origin}: {name} = {shown(value)}: {wrong}")
    return value


def _between(low: float, high: float) -> Callable[[Any], str]:
    return lambda value: "" if low <= value <= high else f"it must lie between {low:g} and {high:g}"


def _one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    return lambda value: "" if value in words else f"it is one of {', '.join(words)}"


def _queues(value: tuple[str, ...]) -> str:
    from shike.errors import BadInput
    from shike.worker.claims import QueueShare

    try:
        for text in value:
            QueueShare.parse(text)
    except BadInput as error:
        return str(error)
    return ""


def _tags(value: tuple[str, ...]) -> str:
    from shike.errors import BadInput
    from shike.route.tags import check_tags

    try:
        check_tags(value)
    except BadInput as error:
        return str(error)
    return ""


def _allow_http(value: tuple[str, ...]) -> str:
    from shike.egress.rules import Rules

    try:
        Rules.parse(value)
    except BadSetting as error:
        return str(error)
    return ""


_TYPES: Final = get_type_hints(Settings)
_SWITCH: Final = {"yes": True, "on": True, "no": False, "off": False}
_CHECKS: Final[dict[str, Callable[[Any], str]]] = {
    "store": lambda value: "" if value else "it cannot be empty",
    "slots": _between(1, SLOTS_MAX),
    "queues": _queues,
    "tags": _tags,
    "weight": _between(0.01, 100.0),
    "allow_http": _allow_http,
    "threads": _between(0, THREADS_MAX),
    "processes": _between(0, PROCESSES_MAX),
    "lease_seconds": _between(LEASE_SECONDS_MIN, LEASE_SECONDS_MAX),
    "host": lambda value: "" if value else "it cannot be empty",
    "port": _between(0, PORT_MAX),
    "log_level": _one_of(LOG_LEVELS),
    "log_format": _one_of(LOG_FORMATS),
    "alarms_language": _one_of(LANGUAGES),
    "metrics_port": _between(NO_PORT, PORT_MAX),
    "history_success_days": _between(0, HISTORY_DAYS_MAX),
    "history_dead_days": _between(0, HISTORY_DAYS_MAX),
    "history_log_days": _between(0, HISTORY_DAYS_MAX),
    "synchronous": _one_of(SYNCHRONOUS),
    "preset": _one_of(PRESETS),
}


def shown(value: Any) -> str:
    """A value as it is written in a file or a variable."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
