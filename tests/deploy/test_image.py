"""deploy/Dockerfile, read line by line: what hadolint would say, and what would make a bad image."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
WORDS = {"ARG", "FROM", "WORKDIR", "RUN", "COPY", "LABEL", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL",
         "HEALTHCHECK", "ENTRYPOINT", "CMD"}  # fmt: skip


def steps() -> list[tuple[str, str]]:
    """(instruction, words), with continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", TEXT)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    found = [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]
    assert {word for word, _ in found} <= WORDS
    return found


def of(word: str) -> list[str]:
    return [rest for each, rest in steps() if each == word]


def test_it_starts_from_a_slim_base_of_a_fixed_release() -> None:
    (base,) = [rest for rest in of("ARG") if rest.startswith("PYTHON=")]
    assert re.fullmatch(r"PYTHON=3\.\d+-slim-[a-z]+", base), "a release, and no `latest`"
    assert [rest.split(" AS ")[0] for rest in of("FROM")] == ["python:${PYTHON}"] * 2
    python = re.search(r"3\.\d+", base)
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert python is not None and f"Programming Language :: Python :: {python[0]}" in metadata["classifiers"]


def test_nobody_is_root_in_it_and_the_number_is_what_kubernetes_can_check() -> None:
    (user,) = of("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    order = [word for word, _ in steps()]
    assert order.index("USER") > max(n for n, word in enumerate(order) if word == "RUN"), (
        "nothing is done as root after"
    )
    assert "sudo" not in TEXT and "chmod 777" not in TEXT


def test_it_holds_no_secret_and_caches_nothing() -> None:
    for name in re.findall(r"[A-Z_]+=", " ".join(of("ENV") + of("ARG"))):
        assert not re.search("PASSWORD|SECRET|TOKEN|KEY", name)
    assert all("--no-cache-dir" in rest for rest in of("RUN") if "pip install" in rest)
    assert not of("ADD") if "ADD" in WORDS else True
    assert "apt-get" not in TEXT, "nothing to pin, nothing to clean up"


def test_commands_are_lists_so_that_signals_reach_shike() -> None:
    for word in ("ENTRYPOINT", "CMD"):
        (rest,) = of(word)
        assert rest.startswith("[") and rest.endswith("]")
    (check,) = of("HEALTHCHECK")
    assert check.endswith('CMD ["shike", "alive"]') and "--timeout=" in check and "--start-period=" in check
    assert of("STOPSIGNAL") == ["SIGTERM"]


def test_what_it_copies_is_there_and_let_through() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for rest in of("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {metadata["project"]["readme"], *metadata["project"]["license-files"]} <= copied
    extras = set(re.findall(r"\[([a-z,]+)\]", next(rest for rest in of("RUN") if "pip install" in rest))[0].split(","))
    assert extras <= metadata["project"]["optional-dependencies"].keys()
