"""A stand-in for `docker` and `podman`: the few commands and options that Shike uses, over plain processes.

What it does as they do: a container is no child of whoever asked for it, so killing that leaves it running. It has a
name that only one can have, and labels; there are `--env-file`, `--rm`, exit statuses 125 and 127. What it does not:
images, mounts, networks and limits are written down and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PLACE = Path(os.environ["FAKE_ENGINE"])
VALUED = {
    "--name",
    "--label",
    "--env-file",
    "--network",
    "--security-opt",
    "--mount",
    "--user",
    "--workdir",
    "--memory",
}


def main(argv: list[str]) -> int:
    with (PLACE / "calls").open("a") as calls:
        calls.write(json.dumps(argv) + "\n")
    if (PLACE / "down").exists():
        print("Cannot connect to the engine", file=sys.stderr)
        return 1
    return {"run": run, "ps": ps, "stop": stop, "rm": rm}[argv[0]](argv[1:])


def parsed(argv: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    options: dict[str, list[str]] = {}
    while argv and argv[0].startswith("-"):
        option = argv.pop(0)
        options.setdefault(option, []).append(argv.pop(0) if option in VALUED else "")
    return options, argv


def run(argv: list[str]) -> int:
    options, (image, *command) = parsed(argv)
    (name,) = options["--name"]
    file = PLACE / f"{name}.json"
    if image == "example/none":
        print(f"Unable to find image {image}", file=sys.stderr)
        return 125
    if file.exists():
        print(f"the name {name} is already in use", file=sys.stderr)
        return 125
    lines = Path(options["--env-file"][0]).read_text().splitlines()
    inside = {"PATH": os.environ["PATH"], **dict(line.split("=", 1) for line in lines)}
    mode = Path(options["--env-file"][0]).stat().st_mode & 0o777
    told = {"image": image, "mode": mode, "labels": options["--label"], "options": options, "env": inside}
    try:
        process = subprocess.Popen(command, env=inside, start_new_session=True)
    except FileNotFoundError as error:
        print(f"exec: {error}", file=sys.stderr)
        return 127
    file.write_text(json.dumps(told | {"pid": process.pid}))
    (PLACE / "last.json").write_text(file.read_text())
    status = process.wait()
    if "--rm" in options:
        file.unlink(missing_ok=True)
    return status if status >= 0 else 128 - status


def ps(argv: list[str]) -> int:
    wanted = [argv[at + 1].removeprefix("label=") for at, word in enumerate(argv) if word == "--filter"]
    for file in sorted(PLACE.glob("shike-*.json")):
        if set(wanted) <= set(json.loads(file.read_text())["labels"]):
            print(file.stem)
    return 0


def stop(argv: list[str]) -> int:
    _, grace, name = argv
    return end(name, float(grace))


def rm(argv: list[str]) -> int:
    return max([end(name, 0) for name in argv[1:]], default=0)


def end(name: str, grace: float) -> int:
    file = PLACE / f"{name}.json"
    if not file.exists():
        print(f"No such container: {name}", file=sys.stderr)
        return 1
    pid = json.loads(file.read_text())["pid"]
    until = time.monotonic() + grace
    if grace:
        send(pid, signal.SIGTERM)
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    send(pid, signal.SIGKILL)
    file.unlink(missing_ok=True)
    return 0


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


sys.exit(main(sys.argv[1:]))
