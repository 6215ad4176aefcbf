"""Reading crontab files as cron does: user files, and system files with a user column.

A line is blank, a comment, a variable (`NAME = value`, for the lines below it), or an entry: five fields or an
`@nickname`, in system files a user, and the rest of the line for a shell. In the rest the first `%` ends the command
and begins its stdin, where each further `%` is a new line; `\\%` is a plain `%`. Nothing is run here.

The grammar is that of Vixie cron as Debian ships it, with `CRON_TZ` from cronie and its `-` before the minute.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from shike.bounds import NAME_CHARS_MAX
from shike.errors import CrontabError, TriggerError
from shike.task import is_text
from shike.trigger import DST, Cron, cron
from shike.trigger.cron_parse import NICKNAMES

FILE_BYTES_MAX: Final = 1024 * 1024  # cron's own limit is 1,000 lines a user; a larger file is something else
LINE_CHARS_MAX: Final = 10_000
REBOOT: Final = "@reboot"
SHELL: Final = "/bin/sh"  # what cron uses where the file does not say
PATH: Final = "/usr/bin:/bin"
TZ_VARIABLE: Final = "CRON_TZ"
FIELDS: Final = 5
_VARIABLE = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*|"[^"]*"|'[^']*')\s*=\s*(.*)""", re.DOTALL)
_SYSTEM_FILE = re.compile(
    r"[A-Za-z0-9_-]+"
)  # the names that cron reads in a folder: no backups, no packages' leftovers
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*[$]?")
_NOT_IN_SLUG = re.compile(r"[^A-Za-z0-9._-]+")
_SLUG_CHARS = 40


class CronEntry(Struct, frozen=True, kw_only=True):
    """One entry. `trigger` is None for `@reboot`; `user` is empty in a user's own file."""

    file: str
    line: int
    when: str  # as it is written
    trigger: Cron | None
    command: str
    stdin: str = ""
    user: str = ""
    tz: str = "UTC"
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def shell(self) -> str:
        return self.variables.get("SHELL", SHELL)

    @property
    def argv(self) -> tuple[str, ...]:
        """What a crontab line means: the whole rest of the line is the shell's to read."""
        return (self.shell, "-c", self.command)

    @property
    def name(self) -> str:
        """What it is called from one reading to the next: the file, the command, and a hash of command and user. An
        edit of the time keeps it, so it is an edit of the schedule; an edit of the command makes another one."""
        digest = hashlib.sha256(f"{self.user}\0{self.command}\0{self.stdin}".encode()).hexdigest()[:8]
        words = self.command.split()
        slug = _NOT_IN_SLUG.sub("-", words[0].rpartition("/")[2] if words else "")[:_SLUG_CHARS].strip("-")
        stem = _NOT_IN_SLUG.sub("-", Path(self.file).name)[:_SLUG_CHARS]
        return f"{stem}:{slug or 'line'}-{digest}"[:NAME_CHARS_MAX]


class Crontab(Struct, frozen=True, kw_only=True):
    """What was read, and what could not be read, each with its file and line."""

    entries: list[CronEntry]
    problems: list[CrontabError]


def read(path: Path, *, system: bool, tz: str = "UTC", dst: DST = DST.VIXIE) -> Crontab:
    """Read a file, or the files of a folder that cron would read. Raises `CrontabError` for one that cannot be read;
    in a folder it spoils only itself."""
    if path.is_dir():
        parts = [_part(file, system=system, tz=tz, dst=dst) for file in sorted(path.iterdir()) if _is_read(file)]
        entries = [entry for part in parts for entry in part.entries]
        return Crontab(entries=entries, problems=[problem for part in parts for problem in part.problems])
    try:
        body = path.read_bytes()
        if len(body) > FILE_BYTES_MAX:
            raise CrontabError(f"{len(body):,} bytes are more than a crontab has", file=str(path), line=1)
        return parse(body.decode(errors="surrogateescape"), str(path), system=system, tz=tz, dst=dst)
    except OSError as error:
        raise CrontabError(f"{path} cannot be read: {error.strerror}") from error


def _part(file: Path, *, system: bool, tz: str, dst: DST) -> Crontab:
    try:
        return read(file, system=system, tz=tz, dst=dst)
    except CrontabError as problem:
        return Crontab(entries=[], problems=[problem])


def _is_read(file: Path) -> bool:
    return file.is_file() and _SYSTEM_FILE.fullmatch(file.name) is not None


def parse(text: str, file: str, *, system: bool, tz: str = "UTC", dst: DST = DST.VIXIE) -> Crontab:
    """Read the text of a crontab. `tz`: the zone of lines before any `CRON_TZ`. A bad line spoils only itself."""
    reader = _Reader(file, system, tz, dst)
    for number, line in enumerate(text.split("\n"), start=1):
        reader.take(number, line)
    return Crontab(entries=reader.entries, problems=reader.problems)


class _Reader:
    """Goes down a file; variables hold for the lines below them."""

    def __init__(self, file: str, system: bool, tz: str, dst: DST) -> None:
        self._file = file
        self._system = system
        self._tz = tz
        self._dst = dst
        self._variables: dict[str, str] = {}
        self.entries: list[CronEntry] = []
        self.problems: list[CrontabError] = []

    def take(self, number: int, line: str) -> None:
        try:
            self._take(number, line.lstrip(" \t"))
        except (CrontabError, TriggerError) as error:
            self.problems.append(CrontabError(str(error), file=self._file, line=number))

    def _take(self, number: int, line: str) -> None:
        if not line.strip() or line.startswith("#"):
            return
        if len(line) > LINE_CHARS_MAX:
            raise CrontabError(f"the line has {len(line):,} characters; {LINE_CHARS_MAX:,} is the limit")
        if "\0" in line or line.endswith("\r"):
            raise CrontabError("the line holds a NUL or ends as on Windows (CR LF); cron would hand that to the shell")
        if not is_text(line):
            raise CrontabError("the line is not UTF-8 text")
        variable = _VARIABLE.fullmatch(line)
        if variable:
            self._variable(*variable.groups())
        else:
            self.entries.append(self._entry(number, line.rstrip()))

    def _variable(self, name: str, value: str) -> None:
        name, value = _unquoted(name), _unquoted(value.strip())
        if name == TZ_VARIABLE:
            cron("0 0 * * *", tz=value)  # refuses a zone that is not there
            self._tz = value
        self._variables = {**self._variables, name: value}

    def _entry(self, number: int, line: str) -> CronEntry:
        when, rest = _split_when(line)
        user = ""
        if self._system:
            user, rest = _split_user(rest)
        command, stdin = _command(rest)
        if not command.strip():
            raise CrontabError("there is no command" + (" after the user" if self._system else ""))
        return CronEntry(
            file=self._file,
            line=number,
            when=when,
            trigger=self._trigger(when),
            command=command,
            stdin=stdin,
            user=user,
            tz=self._tz,
            variables=dict(self._variables),
        )

    def _trigger(self, when: str) -> Cron | None:
        if when.startswith("@"):
            if when == REBOOT:
                return None
            if when not in NICKNAMES:
                raise CrontabError(f"{when} is not known; there are {REBOOT}, {', '.join(NICKNAMES)}")
        found = cron(when.removeprefix("-"), tz=self._tz, dst=self._dst)
        assert isinstance(found, Cron)
        return found


def _split_when(line: str) -> tuple[str, str]:
    """The time and the rest of the line."""
    count = 1 if line.startswith("@") else FIELDS
    parts = line.split(None, count)
    if len(parts) <= count:
        fields = f"{len(parts)} words" if len(parts) > 1 else "one word"
        raise CrontabError(
            f"{fields} cannot be an entry: it has a nickname such as @daily or {FIELDS} fields, then the command"
        )
    return " ".join(parts[:count]).lower() if count == 1 else " ".join(parts[:count]), parts[count]


def _split_user(rest: str) -> tuple[str, str]:
    """The user of a system file (without a BSD group or login class), and the command."""
    word, *command = rest.split(None, 1)
    user = word.partition(":")[0]
    if not _USER.fullmatch(user):
        raise CrontabError(f"{word[:40]!r} is no user name; system files have one between the time and the command")
    return user, "".join(command)


def _command(rest: str) -> tuple[str, str]:
    """The command and its stdin. A backslash before `%` goes; any other stays for the shell."""
    parts = [part.replace("\0", "%") for part in rest.replace("\\%", "\0").split("%")]
    if len(parts) == 1:
        return parts[0], ""
    return parts[0], "\n".join(parts[1:]) + "\n"


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def names(entries: list[CronEntry]) -> Iterator[tuple[str, CronEntry]]:
    """Each entry with a name that no other has: the same command at two times gets a number."""
    seen: dict[str, int] = {}
    for entry in entries:
        count = seen[entry.name] = seen.get(entry.name, 0) + 1
        yield (entry.name if count == 1 else f"{entry.name}-{count}"), entry


def environment(entry: CronEntry, home: str, user: str) -> Mapping[str, str]:
    """What the command finds in its environment, as cron sets it: a few facts, then the file's variables. LOGNAME and
    USER are not the file's to change."""
    given = {"HOME": home, "SHELL": SHELL, "PATH": PATH, **entry.variables}
    return {**given, "LOGNAME": user, "USER": user}
