"""Container tasks, by a stand-in for the engine (`fake_engine`): no docker and no podman was at hand (R2.11)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shike import Shike
from shike.bounds import COMMANDS_MAX
from shike.errors import BadArguments, BadSetting, ContainerFailed, ContainerRefused, EngineMissing
from shike.model import Executor, State
from shike.worker.container import Container, Mount
from shike.worker.containers import ContainerPool
from shike.worker.executor import Call
from shike.worker.pools import pools_for
from tests import bounded
from tests.fault.processes import PATIENCE, gone, importing, is_alive, written
from tests.unit.worker.calls import RUN, call, context

FAKE = Path(__file__).with_name("fake_engine.py")


class Engine:
    """The stand-in, installed in a folder."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "engine"
        self.place.mkdir()
        self.program = folder / "docker"
        self.program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        self.program.chmod(0o755)

    @property
    def last(self) -> dict[str, Any]:
        """The container that was started last."""
        return json.loads((self.place / "last.json").read_text())  # type: ignore[no-any-return]

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.place / "calls").read_text().splitlines()]

    @property
    def containers(self) -> list[str]:
        return sorted(file.stem for file in self.place.glob("shike-*.json"))


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(tmp_path)
    monkeypatch.setenv("FAKE_ENGINE", str(made.place))
    monkeypatch.setenv("SHIKE_STORE", "postgresql://user:password@host/db")
    return made


def python(source: str, *words: str, **options: Any) -> Call:
    argv = [sys.executable, "-c", source, *words]
    return call(lambda: Container("example/python:3", argv, **options), executor=Executor.CONTAINER)


def with_pool(engine: Engine, body: Callable[[ContainerPool], Awaitable[Any]], *, grace: float = 5.0) -> Any:
    async def main() -> Any:
        pool = ContainerPool(2, str(engine.program), grace_seconds=grace)
        try:
            return await asyncio.wait_for(body(pool), PATIENCE)
        finally:
            await pool.close()

    return bounded.run(main())


def outcome(engine: Engine, work: Call) -> Any:
    return with_pool(engine, lambda pool: pool.run(work))


def test_what_it_prints_is_its_value_and_its_runs_log(engine: Engine) -> None:
    work = python("import sys; print('one'); print('twö', flush=True); print('oh', file=sys.stderr)")
    assert outcome(engine, work) == {"status": 0, "stdout": "one\ntwö\n", "stderr": "oh\n"}
    notes = work.context.notes()
    assert notes is not None and sorted(line.text for line in notes.tail().lines) == ["oh", "one", "twö"]
    assert engine.containers == []


def test_nothing_goes_through_a_shell_and_nothing_secret_through_a_command_line(engine: Engine) -> None:
    words = ["$(id)", "`id`", "; rm -rf /", "--privileged", "two words"]
    work = python(
        "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['TOKEN'], os.environ['SHIKE_TOKEN']]))",
        *words, env={"TOKEN": "s3cret $HOME"}, mounts=[Mount("/srv/a", "/in"), Mount("/srv/b", "/out", writable=True)],
        user="1000:1000", workdir="/in", memory_bytes=2**26,
    )  # fmt: skip
    assert json.loads(outcome(engine, work)["stdout"]) == [words, "s3cret $HOME", "5"]
    assert "s3cret" not in json.dumps(engine.calls) and "SHIKE_STORE" not in engine.last["env"]
    assert engine.last["mode"] == 0o600
    options = engine.last["options"]
    assert options["--mount"] == [
        "type=bind,source=/srv/a,target=/in,readonly", "type=bind,source=/srv/b,target=/out",
    ]  # fmt: skip
    assert (options["--network"], options["--user"], options["--memory"]) == (["none"], ["1000:1000"], ["67108864b"])
    assert options["--security-opt"] == ["no-new-privileges"]
    assert options["--name"] == ["shike-0-77-2-5"], "of the run, the attempt and the token"


@pytest.mark.parametrize(
    ("status", "never_again", "kind"),
    [(3, [], ContainerFailed), (3, [3], ContainerRefused), (126, [], ContainerRefused), (1, [2], ContainerFailed)],
)
def test_an_exit_status_says_whether_it_is_tried_again(
    engine: Engine, status: int, never_again: list[int], kind: type[ContainerFailed]
) -> None:
    work = python(f"import sys; print('why', file=sys.stderr); sys.exit({status})", never_again=never_again)
    with pytest.raises(ContainerFailed, match=f"example/python:3 ended with exit status {status}: why") as failed:
        outcome(engine, work)
    assert type(failed.value) is kind and failed.value.status == status and failed.value.stderr == "why\n"


def test_what_the_engine_cannot_start_says_so(engine: Engine) -> None:
    work = call(lambda: Container("example/none"), executor=Executor.CONTAINER)
    with pytest.raises(ContainerFailed, match="125: Unable to find image") as failed:
        outcome(engine, work)
    assert type(failed.value) is ContainerFailed, "somebody may push it yet"
    missing = call(lambda: Container("example/python:3", ["/no/such/program"]), executor=Executor.CONTAINER)
    with pytest.raises(ContainerRefused, match="127"):
        outcome(engine, missing)
    (engine.place / "down").touch()
    with pytest.raises(ContainerFailed, match="does not answer: Cannot connect"):
        outcome(engine, python("print()"))


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        pool = ContainerPool(1, "no-such-engine")
        with pytest.raises(EngineMissing, match="'no-such-engine', and there is no such program: install it") as error:
            await pool.run(python("print()"))
        assert error.value.engine == "no-such-engine"
        await pool.close()

    bounded.run(story())


@pytest.mark.parametrize(
    "bad",
    [
        {"image": "--privileged"}, {"image": ""}, {"image": "a b"}, {"argv": "ls -l"}, {"argv": ["a\0"]},
        {"env": {"A-B": "x"}}, {"env": {"A": "x\ny"}}, {"mounts": [Mount("relative", "/a")]},
        {"mounts": [Mount("/a,readonly=false", "/b")]}, {"mounts": [Mount("/srv/../etc", "/b")]},
        {"network": "--privileged"}, {"user": "-x"}, {"workdir": "in"}, {"memory_bytes": -1}, {"memory_bytes": True},
    ],
    ids=repr,
)  # fmt: skip
def test_what_an_engine_would_take_for_something_else_never_gets_there(engine: Engine, bad: dict[str, Any]) -> None:
    words: dict[str, Any] = {"image": "example/python:3"} | bad
    with pytest.raises(BadArguments):
        outcome(engine, call(lambda: Container(**words), executor=Executor.CONTAINER))
    with pytest.raises(BadArguments, match="needs a handler that returns a Container"):
        outcome(engine, call(lambda: None, executor=Executor.CONTAINER))
    assert not (engine.place / "calls").exists()


@pytest.mark.parametrize("politely", [True, False], ids=["it ends at SIGTERM", "it ignores SIGTERM"])
def test_what_is_cancelled_is_stopped_killed_and_removed(engine: Engine, tmp_path: Path, politely: bool) -> None:
    note = tmp_path / "pid"
    ignore = "" if politely else "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    begin = f"import os, pathlib, signal, time; {ignore} pathlib.Path({str(note)!r}).write_text(str(os.getpid()))"
    source = f"{begin}; time.sleep(600)"

    async def body(pool: ContainerPool) -> None:
        running = asyncio.ensure_future(pool.run(python(source)))
        pid = await written(note)
        running.cancel()
        await asyncio.sleep(0.1)
        running.cancel()  # whoever asks again does not cut it short
        with pytest.raises(asyncio.CancelledError):
            await running
        await gone(pid)

    with_pool(engine, body, grace=1.0)
    assert engine.containers == []
    assert [one[0] for one in engine.calls if one[0] in ("stop", "rm")][:1] == ["stop"]


def test_closing_the_pool_ends_what_runs(engine: Engine, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(600)"

    async def body(pool: ContainerPool) -> None:
        running = asyncio.ensure_future(pool.run(python(source)))
        pid = await written(note)
        await pool.close()
        with pytest.raises(asyncio.CancelledError):
            await running
        await gone(pid)
        with pytest.raises(RuntimeError, match="closed"):
            await pool.run(python("print()"))

    with_pool(engine, body, grace=1.0)


def test_a_container_that_an_earlier_lease_left_is_ended_before_the_next_and_no_other(engine: Engine) -> None:
    """A worker that was killed leaves its container: the run is rescued, under a higher token."""
    left = {name: start_sleeping(engine, name, run) for name, run in LEFT.items()}
    assert outcome(engine, python("print('mine')"))["stdout"] == "mine\n"
    alive = {name for name, process in left.items() if is_alive(process.pid)}
    for process in left.values():
        process.kill()
        process.wait()
    assert alive == LEFT.keys() - {"shike-0-77-1-4"}


LEFT = {
    "shike-0-77-1-4": "77",  # an earlier lease of this run
    "shike-0-77-3-9": "77",  # a later one: we are the one that is late
    "shike-0-78-1-4": "78",  # another run
    "shike-1-77-1-4": "77",  # of another store, by its name
}


def start_sleeping(engine: Engine, name: str, run: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    labels = [f"shike.run={run}", "shike.place=0"]
    (engine.place / f"{name}.json").write_text(json.dumps({"pid": process.pid, "labels": labels}))
    return process


def test_a_worker_runs_it_from_submit_to_result_and_a_time_out_ends_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHIKE_STORE")
    app = Shike("memory://")
    note = tmp_path / "pid"

    @app.task(name="add", executor="container")
    def add(a: int, b: int) -> Container:
        return Container("example/python:3", [sys.executable, "-c", f"print({a} + {b})"])

    @app.task(name="hang", executor="container", timeout="3s")
    def hang() -> Container:
        source = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(600)"
        return Container("example/python:3", [sys.executable, "-c", source])

    @app.task(name="refused", executor="container", retry=5)
    def refused() -> Container:
        return Container("example/python:3", [sys.executable, "-c", "raise SystemExit(9)"], never_again=[9])

    async def story() -> None:
        pools = pools_for(4, containers=str(engine.program))
        async with app.running(pools=pools):
            done = await (await add.submit(1, 2)).wait()
            assert done == {"status": 0, "stdout": "3\n", "stderr": ""}
            store = await app.client.store()
            ends = {}
            for task in (hang, refused):
                handle = await task.submit()
                while (over := await store.ended(int(handle.id))) is None:
                    await asyncio.sleep(0.02)
                ends[task.name] = over
            assert ends["hang"].state is State.DEAD and "ran longer than 3 s" in ends["hang"].reason
            assert (ends["refused"].state, ends["refused"].attempts) == (State.DEAD, 1)
            await gone(int(note.read_text()))
        assert engine.containers == []
        assert {one[0] for one in engine.calls} >= {"run", "ps", "stop", "rm"}
        place = engine.last["options"]["--label"][1]
        assert place.startswith("shike.place=") and place != "shike.place=0"

    bounded.run(story())


def test_a_pool_has_a_sensible_size() -> None:
    for size in (0, COMMANDS_MAX + 1):
        with pytest.raises(BadSetting, match="containers at once"):
            ContainerPool(size, "docker")
    assert Executor.CONTAINER not in pools_for(4) and context().run == RUN
    assert importing()
