"""Real programs: their output, their failures, and how they are made to stop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shike.bounds import COMMAND_TAIL_BYTES, COMMANDS_MAX, RESULT_BYTES_MAX
from shike.errors import BadArguments, BadSetting, CommandFailed, UnsupportedExecutor
from shike.model import Executor
from shike.payload import to_json
from shike.worker.command import Command
from shike.worker.commands import CommandPool
from shike.worker.executor import Call
from tests import bounded
from tests.fault.processes import PATIENCE, Brood, gone, importing, is_alive, written
from tests.unit.worker.calls import call

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run programs as somebody else")


def command(*argv: str, **options: Any) -> Call:
    return call(lambda: Command(argv=argv, **options), executor=Executor.COMMAND)


def python(source: str, **options: Any) -> Call:
    return command(sys.executable, "-c", source, **options)


def with_pool(body: Callable[[CommandPool], Awaitable[Any]], *, size: int = 2, grace: float = 5.0) -> Any:
    async def main() -> Any:
        pool = CommandPool(size, True, grace_seconds=grace)
        try:
            return await asyncio.wait_for(body(pool), PATIENCE)
        finally:
            await pool.close()

    return bounded.run(main())


def outcome(work: Call) -> Any:
    return with_pool(lambda pool: pool.run(work))


async def cancel_once_begun(pool: CommandPool, work: Call, note: Path) -> int:
    task = asyncio.ensure_future(pool.run(work))
    pid = await written(note)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return pid


def test_a_worker_that_does_not_allow_commands_refuses_them() -> None:
    async def main() -> None:
        pool = CommandPool(1, False)
        with pytest.raises(UnsupportedExecutor, match="does not allow"):
            await pool.run(command("true"))
        await pool.close()

    bounded.run(main())


def test_what_a_program_prints_is_the_value() -> None:
    assert outcome(command("/bin/sh", "-c", "echo out; echo err >&2")) == {
        "status": 0,
        "stdout": "out\n",
        "stderr": "err\n",
    }


def test_arguments_reach_the_program_whole_and_no_shell_sees_them() -> None:
    def show(name: str) -> None: ...

    work = call(show, "a b; $(touch x) `id` *", executor=Executor.COMMAND, argv=("printf", "%s|", "{name}", "end"))
    assert outcome(work)["stdout"] == "a b; $(touch x) `id` *|end|"


def test_a_program_gets_its_run_its_environment_its_folder_and_its_input(tmp_path: Path) -> None:
    source = "import os, sys; print(os.environ['SHIKE_TOKEN'], os.environ['LANG'], os.getcwd(), sys.stdin.read())"
    value = outcome(python(source, env={"LANG": "C"}, cwd=str(tmp_path), stdin_text="dear program"))
    assert value["stdout"] == f"5 C {tmp_path} dear program\n"


def test_without_input_there_is_an_empty_one() -> None:
    assert outcome(command("cat"))["stdout"] == ""


@root_only
def test_a_program_can_run_as_another_user() -> None:
    value = outcome(command("/bin/sh", "-c", "id -un; id -Gn; echo $HOME", user="nobody", cwd="/"))
    name, groups, home = value["stdout"].splitlines()
    assert (name, "root" in groups.split(), home) == ("nobody", False, os.path.expanduser("~nobody"))


def test_a_status_other_than_zero_is_a_failure_with_the_last_line_of_stderr() -> None:
    with pytest.raises(CommandFailed, match="exit status 3: no space left") as caught:
        outcome(command("/bin/sh", "-c", "echo begun; echo first >&2; echo no space left >&2; exit 3"))
    assert (caught.value.status, caught.value.stderr) == (3, "first\nno space left\n")
    assert caught.value.stdout == "begun\n"


def test_a_program_killed_by_a_signal_names_it() -> None:
    with pytest.raises(CommandFailed, match="SIGKILL") as caught:
        outcome(command("/bin/sh", "-c", "kill -9 $$"))
    assert caught.value.status == -9


@pytest.mark.parametrize(
    ("work", "status"),
    [
        (command("no-such-program-anywhere"), 127),
        (command(os.devnull), 126),
        (command("true", cwd="/no/such/folder"), 127),
    ],
)
def test_a_program_that_cannot_be_started_is_a_failure(work: Call, status: int) -> None:
    with pytest.raises(CommandFailed, match="cannot be started") as caught:
        outcome(work)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "work", [command("true", env={"A": "b\0c"}), command("true", user="no-such-user"), command("tr\0ue")]
)
def test_a_command_that_makes_no_sense_is_refused(work: Call) -> None:
    with pytest.raises(BadArguments):
        outcome(work)


def test_of_a_flood_of_output_the_end_is_kept_and_the_result_fits() -> None:
    source = "import os\nfor n in range(64): os.write(1, b'\\x00' * 65536); os.write(2, b'\\xff' * 1000)\nprint('end')"
    value = outcome(python(source))
    assert value["stdout"].startswith("…") and value["stdout"].endswith("\0end\n")
    assert len(value["stdout"]) == COMMAND_TAIL_BYTES + 1
    assert len(to_json(value, "result")) <= RESULT_BYTES_MAX


def test_a_cut_never_leaves_half_a_sign_at_the_front() -> None:
    value = outcome(python(f"import os; os.write(1, '时刻'.encode() * {COMMAND_TAIL_BYTES} + b'!')"))
    assert "\ufffd" not in value["stdout"]


def test_a_daemon_that_a_program_leaves_behind_neither_delays_it_nor_dies_with_it(tmp_path: Path) -> None:
    note = tmp_path / "note"
    pid = 0
    try:
        outcome(command("/bin/sh", "-c", f"sleep 60 & echo $! > {note}; echo started"))
        pid = int(note.read_text())
        assert is_alive(pid)
    finally:
        if pid:
            os.kill(pid, 9)


def test_a_cancelled_program_gets_sigterm_and_time_to_clean_up(tmp_path: Path) -> None:
    note, cleaned = tmp_path / "note", tmp_path / "cleaned"
    script = f"trap 'sleep 0.1; echo yes > {cleaned}; exit 0' TERM; echo $$ > {note}; while :; do sleep 0.01; done"

    async def body(pool: CommandPool) -> None:
        pid = await cancel_once_begun(pool, command("/bin/sh", "-c", script), note)
        assert not is_alive(pid)

    with_pool(body)
    assert cleaned.read_text() == "yes\n"


def test_a_program_cancelled_as_soon_as_it_runs_can_still_print_its_farewell(tmp_path: Path) -> None:
    brood = Brood()
    note, cleaned = tmp_path / "note", tmp_path / "cleaned"
    source = (
        "import os, signal, sys, time\n"
        "def farewell(*_): os.write(2, b'x' * 200_000); open(sys.argv[2], 'w').close(); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, farewell)\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "while True: time.sleep(1)\n"
    )

    async def body(pool: CommandPool) -> None:
        task = asyncio.ensure_future(pool.run(command(sys.executable, "-c", source, str(note), str(cleaned))))
        while len(brood.pids()) < 2:  # the guardian, and the program in the same step
            await asyncio.sleep(0)
        end = time.monotonic() + PATIENCE
        while not (note.exists() and note.read_text()):
            assert time.monotonic() < end, "the program does not run"
            time.sleep(0.001)  # without a turn for the event loop: the pool is as it was right after the start
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_pool(body)
    assert cleaned.exists()


def test_the_rest_of_a_group_has_the_same_grace_as_its_leader(tmp_path: Path) -> None:
    note, cleaned = tmp_path / "note", tmp_path / "cleaned"
    inner = f"trap 'sleep 0.2; echo yes > {cleaned}; exit 0' TERM; echo $$ > {note}; while :; do sleep 0.01; done"

    async def body(pool: CommandPool) -> None:
        await gone(await cancel_once_begun(pool, command("/bin/sh", "-c", f"({inner}) & wait"), note))

    with_pool(body)
    assert cleaned.read_text() == "yes\n"


def test_a_program_that_ignores_sigterm_is_killed_with_its_group(tmp_path: Path) -> None:
    note = tmp_path / "note"
    script = f"trap '' TERM; sleep 60 & echo $! > {note}; while :; do sleep 0.01; done"

    async def body(pool: CommandPool) -> None:
        await gone(await cancel_once_begun(pool, command("/bin/sh", "-c", script), note))

    with_pool(body, grace=0.1)


def test_programs_beyond_the_size_wait_for_their_turn(tmp_path: Path) -> None:
    script = f"mkdir {tmp_path}/busy && sleep 0.02 && rmdir {tmp_path}/busy"

    async def body(pool: CommandPool) -> list[Any]:
        return list(await asyncio.gather(*(pool.run(command("/bin/sh", "-c", script)) for _ in range(4))))

    assert [value["status"] for value in with_pool(body, size=1)] == [0] * 4


def test_closing_stops_what_runs_and_leaves_no_process(tmp_path: Path) -> None:
    brood, note = Brood(), tmp_path / "note"

    async def main() -> tuple[bool, list[str]]:
        pool = CommandPool(1, True, grace_seconds=0.1)
        task = asyncio.ensure_future(pool.run(command("/bin/sh", "-c", f"trap '' TERM; echo $$ > {note}; sleep 60")))
        await written(note)
        await asyncio.wait_for(pool.close(), PATIENCE)
        await pool.close()
        with pytest.raises(RuntimeError, match="closed"):
            await pool.run(command("true"))
        await asyncio.wait([task])
        return task.cancelled(), brood.pids()

    assert bounded.run(main()) == (True, [])


def test_no_program_outlives_a_killed_worker(tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = (
        "import asyncio, sys\n"
        "from tests.fault.test_commands import CommandPool, command\n"
        f"work = command('/bin/sh', '-c', 'sleep 0.1; echo $$ > {note}; sleep 60')\n"
        "async def main(): await CommandPool(1, True).run(work)\n"
        "asyncio.run(main())\n"
    )

    async def main() -> None:
        worker = subprocess.Popen([sys.executable, "-c", program], env=importing())
        try:
            pid = await written(note)
        finally:
            bounded.killed(worker)
        await gone(pid)

    bounded.run(main(), PATIENCE)


@pytest.mark.parametrize("size", [0, COMMANDS_MAX + 1])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(BadSetting):
        CommandPool(size, True)
