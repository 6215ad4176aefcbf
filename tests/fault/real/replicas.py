"""Two servers: one that is written to, and a replica of it that can lag and be made primary in its place."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import servers
from tests.fault.real.grounds import PATIENCE, Ground
from tests.fault.real.proxy import Proxy

SECONDS_MAX = 60.0
LAG_SECONDS = 1  # by which a replica of PostgreSQL shows things later than they are


class PostgresReplica(servers.PrivatePostgres):
    """A streaming replica, made from its primary's files: it has at once what is committed, and shows it later."""

    def __init__(self, folder: Path, primary: servers.PrivatePostgres) -> None:
        self._primary = primary
        super().__init__(folder, "-c", f"recovery_min_apply_delay={LAG_SECONDS}s")

    def _make_files(self) -> None:
        words = ("-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "postgres", "-D", str(self._data))
        self._made(str(self._bin / "pg_basebackup"), *words, "-R", "-X", "stream", "-c", "fast", "--no-sync")


class PostgresPair(Ground):
    """A primary that calls nothing committed that its replica has not on disk, and a URL that names both."""

    def __init__(self) -> None:
        super().__init__("postgres", Path(tempfile.mkdtemp(prefix="shike-pair-")))
        assert isinstance(self.server, servers.PrivatePostgres)
        self.primary: servers.PrivatePostgres = self.server
        self.primary.start()
        until(lambda: self._answers(self.primary), "the primary does not answer")
        self._spare = Path(tempfile.mkdtemp(prefix="shike-pair-"))
        self.replica = PostgresReplica(self._spare, self.primary)
        self.replica.start()
        until(lambda: self._answers(self.replica), "the replica does not answer")
        self.tell(self.primary, "alter system set synchronous_standby_names = '*'")
        self.tell(self.primary, "select pg_reload_conf()")
        until(lambda: self.tell(self.primary, "select sync_state from pg_stat_replication") == "sync", "no replica")

    def url(self, folder: Path, port: int = 0) -> str:
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.replica.port}"
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=primary&{PATIENCE['postgres']}"

    def fail_over(self) -> None:
        """The primary is no more, the replica takes its place: with all that it was sent."""
        self.primary.kill()
        self.tell(self.replica, "alter system set synchronous_standby_names = ''")
        self.tell(self.replica, "select pg_promote(wait => false)")  # a statement that waits holds up what it waits for
        until(lambda: self.tell(self.replica, "select pg_is_in_recovery()") == "f", "it does not become primary")

    def _answers(self, server: servers.PrivatePostgres) -> bool:
        words = [str(server._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(server.port)]
        return subprocess.run(words, timeout=SECONDS_MAX, check=False).returncode == 0

    def tell(self, server: servers.PrivatePostgres, statement: str) -> str:
        words = ("-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-At", "-c", statement)
        done = subprocess.run(["psql", *words], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        assert done.returncode == 0, f"{statement}: {done.stderr}{server.log()}"
        return done.stdout.strip()

    def close(self) -> None:
        self.replica.kill()
        shutil.rmtree(self._spare, ignore_errors=True)
        super().close()


class RedisPair(Ground):
    """A primary, and a replica that each answer waits for; whoever follows `port` follows a failover."""

    def __init__(self) -> None:
        super().__init__("redis", Path(tempfile.mkdtemp(prefix="shike-pair-")), "--repl-diskless-sync-delay", "0")
        assert self.server is not None
        self.primary = self.server
        self.primary.start()
        self._replicas: list[servers.PrivateRedis] = []
        self.replica = self._start_replica(self.primary)

    def url(self, folder: Path, port: int = 0) -> str:
        return f"{super().url(folder, port)}&wait=1&wait_ms=500"

    def fail_over(self, proxy: Proxy) -> None:
        """The primary is no more, the replica takes its place behind the proxy, and has a replica of its own."""
        self.primary.kill()
        self.ask(self.replica, "REPLICAOF", "NO", "ONE")
        proxy.aim(self.replica.port)
        self._start_replica(self.replica)

    def _start_replica(self, primary: servers.Private) -> servers.PrivateRedis:
        folder = Path(tempfile.mkdtemp(prefix="shike-pair-"))
        replica = servers.PrivateRedis(
            folder, "--replicaof", "127.0.0.1", str(primary.port), "--repl-diskless-sync-delay", "0"
        )
        self._replicas.append(replica)
        replica.start()
        until(lambda: self.ask(replica, "INFO", "replication")["master_link_status"] == "up", "no replica")
        return replica

    def ask(self, server: servers.Private, *words: str) -> Any:
        import redis

        with redis.Redis(port=server.port, socket_timeout=SECONDS_MAX, decode_responses=True) as client:
            return client.execute_command(*words)

    def close(self) -> None:
        for replica in self._replicas:
            replica.kill()
            shutil.rmtree(replica.folder, ignore_errors=True)
        super().close()


def until(what: Callable[[], object], why: str) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.05)
