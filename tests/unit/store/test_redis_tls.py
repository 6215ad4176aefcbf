"""Redis by TLS, with an authority of the test's own; another's certificate is refused, and said so."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shike.errors import BadSetting, StoreError, StoreUnavailable
from shike.store.redis import RedisStore
from tests import bounded, servers
from tests.unit.store.redis_world import entry, private


def openssl(*words: str) -> None:
    command = [servers.program("openssl"), *words]
    subprocess.run(command, check=True, capture_output=True, timeout=bounded.SECONDS)


def authority(folder: Path, name: str) -> Path:
    """A certificate that may sign others."""
    key, made = folder / f"{name}.key", folder / f"{name}.crt"
    words = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}")
    openssl("req", "-x509", *words, "-keyout", str(key), "-out", str(made))
    return made


def certificate(folder: Path, signer: Path, address: str) -> tuple[Path, Path]:
    """A server's, for one address; with its key."""
    key, asked, made, more = (folder / f"server.{end}" for end in ("key", "csr", "crt", "ext"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=redis", "-keyout", str(key), "-out", str(asked))
    more.write_text(f"subjectAltName=IP:{address}\n")
    words = ("-CA", str(signer), "-CAkey", str(signer.with_suffix(".key")), "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", str(asked), *words, "-extfile", str(more), "-out", str(made))
    return made, key


class RedisByTls(servers.PrivateRedis):
    """Listens to nobody without it."""

    def command(self) -> list[str]:
        plain = list(super().command())
        plain[plain.index("--port")] = "--tls-port"
        return [*plain, "--port", "0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RedisByTls]:
    signer = authority(folder, "ours")
    made, key = certificate(folder, signer, "127.0.0.1")
    files = ("--tls-cert-file", str(made), "--tls-key-file", str(key), "--tls-ca-cert-file", str(signer))
    one = RedisByTls(folder, *files, "--tls-auth-clients", "no")
    one.start()
    yield one
    one.kill()


async def use(url: str) -> int:
    store = RedisStore(url)
    await store.open()
    try:
        await store.submit([entry(1)])
        return (await store.counts()).eligible
    finally:
        await store.close()


def test_who_knows_the_authority_is_let_in(server: RedisByTls, folder: Path) -> None:
    assert bounded.run(use(f"rediss://127.0.0.1:{server.port}/?tls_ca={folder}/ours.crt")) == 1


def test_a_certificate_of_another_authority_is_refused(server: RedisByTls, folder: Path) -> None:
    authority(folder, "theirs")
    with pytest.raises(StoreError, match=r"certificate.*tls_ca"):
        bounded.run(use(f"rediss://127.0.0.1:{server.port}/?tls_ca={folder}/theirs.crt"))
    with pytest.raises(StoreError, match=r"certificate.*tls_ca"):
        bounded.run(use(f"rediss://127.0.0.1:{server.port}/"))


def test_a_certificate_for_another_name_is_refused(server: RedisByTls, folder: Path) -> None:
    with pytest.raises(StoreError, match=r"(mismatch|not valid).*the host as the certificate does"):
        bounded.run(use(f"rediss://localhost:{server.port}/?tls_ca={folder}/ours.crt"))


def test_who_forgets_the_second_s_is_told(server: RedisByTls) -> None:
    with pytest.raises(StoreUnavailable, match="rediss://"):
        bounded.run(use(f"redis://127.0.0.1:{server.port}/"))


def test_a_file_that_is_not_there_is_named(server: RedisByTls, folder: Path) -> None:
    with pytest.raises(BadSetting, match=r"missing\.crt"):
        bounded.run(use(f"rediss://127.0.0.1:{server.port}/?tls_ca={folder}/missing.crt"))


def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    for one in private(tmp_path / "plain"):
        with pytest.raises(StoreUnavailable, match=r"no answer within 1 s.*does it speak TLS"):
            bounded.run(use(f"rediss://127.0.0.1:{one.port}/?timeout_seconds=1"))
