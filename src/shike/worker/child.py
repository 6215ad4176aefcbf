"""A child process: `python -m shike.worker.child FD`. Imports the app, then runs one handler at a time.

Runs handlers of any kind except commands, on its main thread; `async def` ones on one event loop that stays. A
second thread listens to the worker: when the worker is gone, it kills this process and all that its handler started.
(The parent-death signal of Linux would kill only this process, and before that thread could see to the others.)
"""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import inspect
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import msgspec

from shike.attempts import NO_TAIL, Tail, UserStep
from shike.bounds import KILL_GRACE_SECONDS, LOG_LIVE_BYTES, LOG_TOLD_SECONDS
from shike.errors import BadInput, ImportFailed
from shike.ids.forks import FORKS, end_stray
from shike.model import OUTSIDE
from shike.payload import to_json
from shike.task import NO_RESULT, Definition
from shike.worker import frames, lines
from shike.worker.context import Context, running
from shike.worker.executor import HandlerFailed
from shike.worker.failure import describe
from shike.worker.load import load_app, tasks_of
from shike.worker.outcome import Cancel, Retry, Snooze
from shike.worker.recycle import rss_bytes

STOPPED_STATUS = 128 + signal.SIGTERM


class _Stopped(BaseException):
    """Raised on the main thread when the worker asks for the end. Not an `Exception`: handlers let it pass."""


class TellingContext(Context):
    """A context whose progress goes to the worker. Each call is one message: it waits when the worker is behind."""

    __slots__ = ("_tell", "_told_at")

    def __init__(self, ask: frames.Ask, tell: Callable[[frames.FromChild], None]) -> None:
        super().__init__(ask.run, ask.token, ask.attempt, ask.claimed_at, ask.started_at, traces=ask.traces)
        self._tell = tell
        self._told_at = 0.0

    def progress(self, value: Any) -> None:
        super().progress(value)
        self._tell(frames.Progress(to_json(value, "progress")))

    def logged(self) -> None:
        notes, now = self.noted(), time.monotonic()
        if notes is not None and now - self._told_at >= LOG_TOLD_SECONDS:
            self._told_at = now
            with suppress(OSError):  # the worker is gone: a log line is not where to say so
                self._tell(frames.Logged(notes.tail(LOG_LIVE_BYTES)))

    def last_words(self) -> tuple[tuple[UserStep, ...], int, Tail, int]:
        """What each ending tells."""
        notes, rss = self.noted(), rss_bytes()
        if notes is None:
            return (), rss, NO_TAIL, 0
        return notes.steps(self.until()), rss, notes.tail(), notes.lost


class Child:
    """The two threads of a child process, and the socket to its worker."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._sending = threading.Lock()  # handlers may report progress from threads of their own
        self._inbox: SimpleQueue[frames.Start | frames.Ask | None] = SimpleQueue()
        self._tasks: Mapping[str, Definition] = {}
        self._context: Context | None = None  # of the handler under way
        self._task: asyncio.Task[Any] | None = None  # of an async handler under way
        self._runner = asyncio.Runner()
        self._stopping = False  # the worker said so
        self._stopped = False  # and the handler was told

    def serve(self) -> None:
        """Answer until the worker closes the socket or says `Stop`. To be called on the main thread."""
        signal.signal(signal.SIGTERM, self._on_terminate)
        lines.listen()
        threading.Thread(target=self._listen, name="shike:listen", daemon=True).start()
        try:
            start = self._inbox.get()
            if isinstance(start, frames.Start) and self._begin(start):
                while isinstance(ask := self._inbox.get(), frames.Ask):
                    self._answer(ask)
                    if self._stopping:
                        break
        except _Stopped:
            sys.exit(STOPPED_STATUS)
        self._runner.close()

    def _begin(self, start: frames.Start) -> bool:
        sys.path[:] = start.import_path
        try:
            self._tasks = tasks_of(load_app(start.app), start.app)
        except ImportFailed as error:
            self._tell(self._failed(error.__cause__ or error, str(error)))
            return False
        self._tell(frames.Ready())
        return True

    def _answer(self, ask: frames.Ask) -> None:
        self._context = context = TellingContext(ask, self._tell)
        try:
            ending = self._attempt(ask, context)
        finally:
            self._context = None
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed, broken, or none at all
                stream.flush()
        self._tell(ending)

    def _attempt(self, ask: frames.Ask, context: TellingContext) -> frames.Ending:
        definition = self._tasks.get(ask.task)
        if definition is None or definition.executor in OUTSIDE:
            return self._failed(None, f"UnknownTask: {ask.task!r} is no task that a child process of this app runs")
        try:
            args, kwargs = definition.decode(ask.args)
        except BadInput as error:
            return self._refused(error, context)
        try:
            value = self._call(definition, context, args, kwargs)
        except _Stopped:
            raise
        except BaseException as error:
            return self._failed(error, context=context)
        try:
            return self._done(definition, value, context)
        except BadInput as error:
            return self._refused(error, context)

    def _call(self, definition: Definition, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert definition.handler is not None
        forks, error = FORKS.count, None
        try:
            return self._called(definition.handler, context, args, kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if FORKS.count != forks:
                end_stray(error)

    def _called(
        self, handler: Callable[..., Any], context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        home = contextvars.Context()
        home.run(running.set, context)
        value = home.run(handler, *args, **kwargs)
        if not inspect.iscoroutine(value):
            return value
        try:
            return self._runner.run(self._await(value), context=home)
        finally:
            self._task = None

    async def _await(self, coroutine: Any) -> Any:
        self._task = asyncio.current_task()
        return await coroutine

    def _done(self, definition: Definition, value: Any, context: TellingContext) -> frames.Done:
        kind = ""
        if isinstance(value, Snooze | Cancel | Retry):
            kind, payload = type(value).__name__.lower(), msgspec.json.encode(value)
        else:
            payload = definition.encode_result(value) if definition.keep_result else NO_RESULT
        return frames.Done(*context.last_words(), payload, kind)

    def _refused(self, error: BadInput, context: TellingContext) -> frames.Refused:
        size, limit = getattr(error, "size", 0), getattr(error, "limit", 0)
        return frames.Refused(*context.last_words(), str(error), size, limit)

    def _failed(
        self, error: BaseException | None, text: str = "", context: TellingContext | None = None
    ) -> frames.Failed:
        told = HandlerFailed("", "") if error is None else describe(error)
        words = context.last_words() if context is not None else ((), rss_bytes(), NO_TAIL, 0)
        return frames.Failed(*words, text or told.error, told.traceback, told.failure)

    def _tell(self, message: frames.FromChild) -> None:
        with self._sending:
            self._worker.sendall(frames.pack(message))

    def _on_terminate(self, number: int, frame: object) -> None:
        if not self._stopping or self._stopped:  # not from the worker, or heard before: the handler cleans up
            return
        self._stopped = True
        context, task = self._context, self._task
        if context is not None:
            context.cancelled = context.cancelled or "stopped by the worker"
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)
        else:
            raise _Stopped

    # On the listening thread.

    def _listen(self) -> None:
        try:
            with self._worker.makefile("rb") as stream:
                while head := stream.read(frames.HEAD_BYTES):
                    self._hear(frames.read_to_child(stream.read(frames.body_bytes(head))))
        except (OSError, BadInput):  # broken or nonsense: as good as gone
            pass
        self._orphaned()

    def _hear(self, message: frames.ToChild) -> None:
        if not isinstance(message, frames.Stop):
            self._inbox.put(message)
            return
        self._stopping = True
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)  # wakes it from whatever it waits for

    def _orphaned(self) -> None:
        if self._context is not None:
            _kill_group()
        faulthandler.dump_traceback_later(KILL_GRACE_SECONDS, exit=True)  # should an exit function hang
        self._inbox.put(None)


def _kill_group() -> None:
    if os.getpgrp() == os.getpid():  # started by a worker, not by hand from a shell
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """The entry point; the argument is the number of an open socket."""
    faulthandler.enable()
    os.set_inheritable(int(sys.argv[1]), False)
    Child(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    main()
