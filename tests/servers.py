"""The servers that tests talk to: those of this machine, which no test may stop, and private ones, which any may kill.

`SHIKE_TEST_REDIS_URL`, `SHIKE_TEST_POSTGRES_URL`, `SHIKE_TEST_MYSQL_URL`, `SHIKE_TEST_RABBITMQ_URL`,
`SHIKE_TEST_NATS_URL` and `SHIKE_TEST_MQTT_URL` say where the machine's are; without them the standard ports on loopback
are tried. One that does not answer is skipped, loudly, and fails the run where `CI=true` or `SHIKE_REQUIRE_SERVICES=1`
says that nothing may be missing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import pytest

DEFAULTS: Final = {
    "redis": "redis://127.0.0.1:6379/0",
    "postgres": "postgresql://postgres@127.0.0.1:5432/test",
    "mysql": "mysql://root@127.0.0.1:3306/test",
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672/",
    "nats": "nats://127.0.0.1:4222",
    "mqtt": "mqtt://127.0.0.1:1883",
}
PORTS: Final = {"redis": 6379, "postgres": 5432, "mysql": 3306, "rabbitmq": 5672, "nats": 4222, "mqtt": 1883}
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
MAKE_SECONDS: Final = 120.0  # its first files
LOOK_SECONDS: Final = 0.02


def url(service: str) -> str:
    """Where the machine's server is, by one of the names above. Skips the test, or fails it, where none answers."""
    where = os.environ.get(f"SHIKE_TEST_{service.upper()}_URL", DEFAULTS[service])
    if not _answers(where, PORTS[service]):
        missing(f"no {service} answers at {where}; name another with SHIKE_TEST_{service.upper()}_URL")
    return where


def missing(what: str) -> NoReturn:
    """A test cannot be run for want of something: say so, or fail where nothing may be missing."""
    if os.environ.get("CI") == "true" or os.environ.get("SHIKE_REQUIRE_SERVICES") == "1":
        pytest.fail(what)
    pytest.skip(what)


@lru_cache
def _answers(where: str, port: int) -> bool:
    parts = urlsplit(where)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or port), timeout=2.0):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Private:
    """A server of the test's own, in its own folder and on its own port, to be killed and started again."""

    start_seconds = START_SECONDS

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.env: dict[str, str] = {}  # beside this process's own
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def user(self) -> str | None:
        """Whom the server runs as, where it refuses to be root."""
        return None

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user(),
                cwd=self.folder,
                env={**os.environ, **self.env},
            )
        end = time.monotonic() + self.start_seconds
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the server did not start:\n{self.log()}")
            time.sleep(LOOK_SECONDS)

    def log(self) -> str:
        """The end of what it said."""
        return (self.folder / "server.log").read_text(errors="replace")[-2_000:]

    def kill(self) -> None:
        """As a crash would: no good-bye, nothing flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In good order."""
        self._end(signal.SIGTERM)

    def alive(self) -> bool:
        """Whether it was started, and neither was ended nor ended itself."""
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        self._process_id(signal.SIGSTOP)

    def resume(self) -> None:
        self._process_id(signal.SIGCONT)

    def _process_id(self, number: signal.Signals) -> None:
        assert self._process is not None, "start it first"
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise RuntimeError(f"the server did not end on {number.name}:\n{self.log()}") from None

    def _made(self, *command: str) -> None:
        """Its first files, by the program that makes them."""
        words: dict[str, Any] = {"user": self.user(), "cwd": self.folder, "timeout": MAKE_SECONDS}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, **words)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr).decode()[-1000:]}")

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5):
                return True
        except OSError:
            return False


class PrivateRedis(Private):
    """Keeps an append-only file, flushed every second, unless told otherwise by `options`."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        self._options = options

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        fixed = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        return (program("redis-server"), *fixed, "--appendonly", "yes", "--appendfsync", "everysec", *self._options)


class PrivateNats(Private):
    """With JetStream, in its folder, unless told otherwise by `options`."""

    def __init__(self, folder: Path, *options: str, jetstream: bool = True) -> None:
        super().__init__(folder)
        self._options = (*options, *(("-js", "-sd", str(folder / "js")) if jetstream else ()))

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return (program("nats-server"), "-a", "127.0.0.1", "-p", str(self.port), *self._options)


class PrivateRabbit(Private):
    """A node of its own, with the user guest on loopback. Starts within ten seconds, or a minute beside much work."""

    start_seconds = 4 * START_SECONDS

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        program("rabbitmq-server")
        (folder / "plugins").write_text("[].")
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{self.port}\n")
        self.env = {
            "HOME": str(folder),
            "RUNNING_UNDER_SYSTEMD": "1",  # its script becomes the server, so that signals reach that
            "RABBITMQ_NODENAME": f"shike{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def command(self) -> Sequence[str]:
        """Not Debian's wrapper, which changes the user and the folder."""
        own = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return (str(own) if own.exists() else program("rabbitmq-server"),)


class PrivateMosquitto(Private):
    """Lets everybody in on loopback, and writes each change to its file, so that a kill loses nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        words = (
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            *(["user root"] if os.geteuid() == 0 else []),
        )
        (folder / "mosquitto.conf").write_text("\n".join(words) + "\n")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return (program("mosquitto"), "-c", str(self.folder / "mosquitto.conf"))


class PrivatePostgres(Private):
    """A cluster of its own, open to anybody on loopback. `data`: where its tables lie, if not in its folder."""

    def __init__(self, folder: Path, *options: str, data: Path | None = None) -> None:
        super().__init__(folder)
        self._options = options
        self._bin = _postgres_programs()
        self._data = data or folder / "data"
        self._make()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def user(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None

    def command(self) -> Sequence[str]:
        fixed = (
            "-D",
            str(self._data),
            "-p",
            str(self.port),
            "-k",
            str(self.folder),
            "-c",
            "listen_addresses=127.0.0.1",
        )
        return (str(self._bin / "postgres"), *fixed, *self._options)

    def stop(self) -> None:
        """SIGINT: do not wait for those who are connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """The whole tree, as a machine that fails would: its children notice that their parent is gone."""
        super().kill()
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        time.sleep(0.2)

    def _make(self) -> None:
        _open_folder(self.folder)
        self._data.mkdir(mode=0o700)
        if self.user() is not None:
            shutil.chown(self._data, "postgres")
            shutil.chown(self.folder, "postgres")
        self._make_files()

    def _make_files(self) -> None:
        words = ("-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        self._made(str(self._bin / "initdb"), *words, "--waldir", str(self.folder / "wal"))


class PrivateMariaDB(Private):
    """A server of its own with the database `test` and a root without a password, on loopback only. `data`: where its
    tables lie, if not in its folder."""

    def __init__(self, folder: Path, *options: str, data: Path | None = None) -> None:
        super().__init__(folder)
        self.options = options
        self._data = data or folder / "data"
        self._log = (f"--innodb-log-group-home-dir={folder}", "--innodb-log-file-size=8M")
        self._make()

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/test"

    def user(self) -> str | None:
        return "mysql" if os.geteuid() == 0 else None

    def command(self) -> Sequence[str]:
        fixed = ("--no-defaults", f"--datadir={self._data}", f"--port={self.port}", "--bind-address=127.0.0.1")
        own = (f"--socket={self.folder / 'my.sock'}", f"--pid-file={self.folder / 'my.pid'}", "--skip-name-resolve")
        return (program("mariadbd"), *fixed, *own, *self._log, *self.options)

    def _make(self) -> None:
        _open_folder(self.folder)
        if self.user() is not None:
            shutil.chown(self.folder, "mysql")
        words = (
            "--no-defaults",
            f"--datadir={self._data}",
            "--auth-root-authentication-method=normal",
            "--skip-name-resolve",
        )
        self._made(program("mariadb-install-db"), *words, *self._log)


def program(name: str) -> str:
    """Where a server's program lies. Skips the test, or fails it, where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        missing(f"{name} is not installed")
    return found


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    return Path(program("postgres")).parent


def _open_folder(folder: Path) -> None:
    """Let the server's own user through to its folder: pytest's are closed to others."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
