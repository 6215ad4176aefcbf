"""What alarms are made of: a rule looks and finds, a channel tells. A rule is a file of `rules/`, a channel one of
`channels/`; whoever writes another of either needs nothing but this page.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import Struct

from shike.clock import MICROS
from shike.connect.alarms.bounds import QUIET_SECONDS, RECOVER_SECONDS, REPEAT_SECONDS
from shike.connect.alarms.sayings import ENGLISH, About, sentence
from shike.errors import BadInput
from shike.track.alarm import Alarm, Notice
from shike.trigger.duration import Duration, parse_duration

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.connect.alarms.sight import Sight


class Finding(Struct, frozen=True, kw_only=True):
    """That a rule's condition holds for a subject. `count`: how much of it there is; twice as much is told at once.

    `words` are all that a rule needs; one whose words are to be told in other languages, too, names a sentence.
    """

    subject: str
    words: str
    count: float = 1.0
    owner: str = ""
    saying: str = ""  # of `shike.connect.alarms.sayings`; empty: the words as they are
    about: About = {}


def found(saying: str, subject: str, *, amount: float = 1.0, owner: str = "", **about: str | float) -> Finding:
    """What is said by a sentence."""
    return Finding(
        subject=subject, words=sentence(saying, about), count=amount, owner=owner, saying=saying, about=about
    )


class Rule(Struct, frozen=True):
    """What is looked for. Its `name` is its identity: an alarm belongs to the rule of that name, over restarts."""

    kind: ClassVar[str] = ""
    after_seconds: ClassVar[float] = 0.0  # how long the condition has to hold, unless `app.alarm` says otherwise

    @property
    def name(self) -> str:
        """As it is written in settings: `kind:subject>threshold`."""
        raise NotImplementedError

    @classmethod
    def read(cls, subject: str, threshold: str) -> Rule:
        """The rule of that text, the other way round. Raises `BadInput`."""
        raise NotImplementedError

    def eyes(self) -> Eyes:
        """What looks for it. Made once by each process that watches."""
        raise NotImplementedError

    def watch(self, app: Shike, channels: Sequence[Channel], **pace: Duration) -> None:
        """Have the app's schedulers watch for it: what `app.alarm` calls."""
        from shike.connect.alarms.watch import watch_of

        watch_of(app).declare(self, channels, Pace.of(**pace))


class Eyes(Protocol):
    """Looks for what a rule is about. May remember; what it remembers is gone with the process."""

    async def look(self, sight: Sight) -> list[Finding]:
        """Everything that is wrong now, by subject. Raises `StoreError` where it cannot be told."""
        ...


class Pace(Struct, frozen=True, kw_only=True):
    """How soon, and how often, people are told: all in seconds."""

    after: float | None = None  # the condition holds for so long; None: as the rule says
    repeat: float = REPEAT_SECONDS  # a reminder while nobody has taken it over; 0: none
    quiet: float = QUIET_SECONDS  # between two notices, however often it comes and goes
    recover: float = RECOVER_SECONDS  # the condition is gone for so long

    @classmethod
    def of(cls, **lengths: Duration) -> Pace:
        """Of lengths as people write them: `after="5m"`. Raises `BadInput` for other words."""
        if unknown := lengths.keys() - set(cls.__struct_fields__):
            words = ", ".join(cls.__struct_fields__)
            raise BadInput(f"an alarm has no {', '.join(sorted(unknown))}; there are: {words}")
        return cls(**{name: seconds_of(length) for name, length in lengths.items()})


class Told(Struct, frozen=True):
    """An alarm, and what is told of it."""

    alarm: Alarm
    notice: Notice


class Letter(Struct, frozen=True, kw_only=True):
    """One message: all that one channel is to be told now. `identity` is another one in each try."""

    identity: str
    at: int  # UTC µs
    source: str  # which Shike: its namespace
    told: tuple[Told, ...]
    language: str = ENGLISH


class Channel(Protocol):
    """Where alarms are told. One channel must not disturb another, nor tell anybody its secret: its `name` is shown."""

    name: str

    async def send(self, letter: Letter) -> None:
        """Tell it, within SEND_SECONDS. Raises `CallFailed` for what may go well next time, `CallRefused` or
        `BadInput` for what will not."""
        ...


def seconds_of(length: Duration) -> float:
    """A length of time as people write it; raises `BadInput`, `BadTime`."""
    return parse_duration(length) / MICROS


def is_meant(name: str, wanted: str) -> bool:
    """Whether a name is the wanted one, or fits it as a pattern (`pay.*`); nothing wanted: every name does."""
    return not wanted or fnmatchcase(name, wanted)


def check_threshold(kind: str, value: Any, least: float, what: str) -> None:
    """Raises `BadInput` for what is no number, or too small."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise BadInput(f"{kind}: {what} is a number of at least {least:g}, not {value!r}")
