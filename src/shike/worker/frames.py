"""What a worker and its child processes say to each other: MessagePack behind a length of four bytes, big-endian.

The worker says `Start` once, then one `Ask` per run, and `Stop` in the middle of one that must end. The child says
`Ready` or `Failed` to the first; to an `Ask` any number of `Progress` and `Logged`, then one `Done`, `Refused` or
`Failed`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from shike.attempts import Failure, Tail, UserStep
from shike.bounds import FRAME_BYTES_MAX
from shike.errors import BadInput, TooLarge
from shike.model import Run
from shike.worker.outcome import Cancel, Retry, Snooze

HEAD_BYTES = 4
OUTCOMES: dict[str, type[Snooze | Cancel | Retry]] = {"snooze": Snooze, "cancel": Cancel, "retry": Retry}


class Start(msgspec.Struct, tag="start", array_like=True, frozen=True):
    """Become a child of this app."""

    app: str
    import_path: list[str]


class Ask(msgspec.Struct, tag="ask", array_like=True, frozen=True):
    """Run this; `args` is JSON as `Definition.encode` writes it."""

    task: str
    args: bytes
    run: Run
    token: int
    attempt: int
    claimed_at: int
    started_at: int
    traces: bool = True


class Stop(msgspec.Struct, tag="stop", array_like=True, frozen=True):
    """End, and the handler with you. A SIGTERM follows for what the handler started. Without this the child ignores
    SIGTERM: a service manager sends it to every process while the worker still lets handlers finish."""


class Ready(msgspec.Struct, tag="ready", array_like=True, frozen=True):
    """The app is imported."""


class Progress(msgspec.Struct, tag="progress", array_like=True, frozen=True):
    """How far the run is, as JSON."""

    value: bytes


class Logged(msgspec.Struct, tag="logged", array_like=True, frozen=True):
    """The end of what the handler has logged so far."""

    tail: Tail


class Report(msgspec.Struct, array_like=True, frozen=True):
    """What each ending tells: the steps of the attempt, and the child's memory after it."""

    steps: tuple[UserStep, ...]
    rss_bytes: int
    tail: Tail
    lost: int  # steps and lines that were too many


class Done(Report, tag="done", array_like=True, frozen=True):
    """The handler returned a value, or an outcome: `kind` is the outcome's name, `payload` either as JSON."""

    payload: bytes
    kind: str = ""


class Refused(Report, tag="refused", array_like=True, frozen=True):
    """The arguments do not fit, or the value cannot be kept; `size` over `limit` where it is too large."""

    error: str
    size: int = 0
    limit: int = 0


class Failed(Report, tag="failed", array_like=True, frozen=True):
    """The handler raised, or the app does not import."""

    error: str
    traceback: str = ""
    failure: Failure | None = None


ToChild = Start | Ask | Stop
Ending = Done | Refused | Failed
FromChild = Ready | Progress | Logged | Done | Refused | Failed
T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)


def pack(message: ToChild | FromChild) -> bytes:
    """A frame; raises `TooLarge` over FRAME_BYTES_MAX."""
    body = _encoder.encode(message)
    if len(body) > FRAME_BYTES_MAX:
        raise TooLarge(
            f"a message of {len(body):,} bytes to or from a child process is over the limit of {FRAME_BYTES_MAX:,}",
            size=len(body),
            limit=FRAME_BYTES_MAX,
        )
    return len(body).to_bytes(HEAD_BYTES) + body


def body_bytes(head: bytes) -> int:
    """How long the body behind this head is; raises `TooLarge` when nobody would have sent that."""
    size = int.from_bytes(head)
    if size > FRAME_BYTES_MAX:
        raise TooLarge("what came over the socket is not a frame", size=size, limit=FRAME_BYTES_MAX)
    return size


def read_to_child(body: bytes) -> ToChild:
    """What a worker sent; raises `BadInput` if it is no such message."""
    return _read(_to_child, body)


def read_from_child(body: bytes) -> FromChild:
    """What a child sent; raises `BadInput` if it is no such message."""
    return _read(_from_child, body)


def _read(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"a child process and its worker do not understand each other: {error}") from error
