"""docs/rest.md is a session with curl: every command is run, and every answer is what the page says."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import Annotated

import pytest

from shike import Concurrency, Key, Shike
from shike.server.roles import Role
from shike.server.serving import Front, bound
from shike.server.table import markdown
from shike.server.web import build
from tests import bounded
from tests.api.house import House, shop, visit

PAGE = Path(__file__).parents[2] / "docs" / "rest.md"
MARK = "--8<-- "
ANY = "…"


def session() -> list[tuple[str, list[str]]]:
    """(command, answer) of all console blocks, in order; without the line that names your own server and key."""
    steps: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    assert steps[0][0].startswith("export SHIKE_URL=http://127.0.0.1:8787 SHIKE_KEY=")
    return steps[1:]


def fits(said: str, told: str) -> bool:
    pattern = ".*".join(map(re.escape, told.split(ANY)))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def limited() -> Shike:
    """The shop, and a task with a limit."""
    app = shop()

    @app.task(name="send", limits=[Concurrency(2)])
    async def send(tenant: Annotated[str, Key]) -> None: ...

    return app


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_every_command_of_the_page_answers_as_it_says(tmp_path: Path) -> None:
    steps = session()
    script = "\n".join([f"{command}\necho; echo '{MARK}'" for command, _ in steps])

    async def story(house: House) -> None:
        async def leave() -> None: ...

        front = Front(build(house.opening), bound("127.0.0.1", 0), leave)
        front.start()
        environ = {**os.environ, "SHIKE_URL": front.url, "SHIKE_KEY": await house.key(Role.ADMIN)}
        try:
            async with house.app.running():
                process = await asyncio.create_subprocess_exec(
                    "bash", "-c", script, cwd=tmp_path, env=environ,
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                )  # fmt: skip
                async with asyncio.timeout(bounded.SECONDS):
                    out, _ = await process.communicate()
        finally:
            await front.stop()
        said = out.decode().split(MARK)
        wrong = [
            f"$ {command}\n{answer.strip()}\n≠ {told}"
            for (command, told), answer in zip(steps, said, strict=False)
            if not fits(answer, "\n".join(told).strip())
        ]
        assert wrong == [] and len(said) == len(steps) + 1

    visit(story, limited())


def test_the_table_of_the_page_is_that_of_the_server() -> None:
    assert markdown() in PAGE.read_text(encoding="utf-8"), "print(shike.server.table.markdown())"
