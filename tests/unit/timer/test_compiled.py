"""What only C can get wrong: references, memory that runs out, strange arguments, undefined behaviour (R0.4)."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.unit.timer.builds import COMPILED, WHY_NOT

from shike.timer.calendar import CalendarQueue
from shike.timer.native import compile as compiling

pytestmark = pytest.mark.skipif(COMPILED is None, reason=WHY_NOT)


def queue(*sizes: int, **crowd: int) -> Any:
    assert COMPILED is not None
    return COMPILED(*sizes, **crowd)


class Item:
    """Something that can be watched being let go of."""


class TestReferences:
    def test_each_way_out_gives_back_one_reference(self) -> None:
        item = Item()
        before = sys.getrefcount(item)
        timers, rng = queue(64, crowd=8), Random(1)
        for turn in range(30):
            whens = [turn * 1_000 + rng.randrange(5_000) for _ in range(200)]
            tokens = timers.insert_many(whens, [item] * 200)
            tokens += [timers.insert(when, item) for when in (2**70, -(2**70), 2**62, turn)]
            moved = [timers.move(token, rng.choice([7, 2**65, 9_000_000])) for token in tokens[::5]]
            timers.cancel(tokens[1])
            timers.cancel_many([*tokens[2::3], *moved[:10]])
            popped = timers.pop_due(turn * 1_000, limit=150)
            assert sys.getrefcount(item) == before + len(timers) + len(popped)
            del popped
        drained = timers.drain()
        gc.collect()  # the far ones are in Python, and that leaves cycles
        assert sys.getrefcount(item) == before + len(drained)
        del drained
        assert sys.getrefcount(item) == before

    def test_a_queue_that_goes_lets_go_of_all_it_holds(self) -> None:
        item = Item()
        before = sys.getrefcount(item)
        timers = queue(64, crowd=8)
        timers.insert_many(range(3_000), [item] * 3_000)
        timers.insert(2**70, item)
        timers.pop_due(100)
        timers.insert(50, item)
        del timers
        gc.collect()
        assert sys.getrefcount(item) == before

    def test_the_collector_sees_through_it(self) -> None:
        timers, item = queue(), Item()
        item.timers = timers  # type: ignore[attr-defined]
        timers.insert_many([5, 2**40, 2**70], [item, item, item])
        watch = weakref.ref(item)
        del timers, item
        gc.collect()
        assert watch() is None

    def test_a_finaliser_may_come_back_while_a_cycle_is_cleared(self) -> None:
        timers = queue(1, crowd=2)

        class Phoenix:
            def __init__(self, timers: Any) -> None:
                self.timers = timers

            def __del__(self) -> None:
                self.timers.insert(9, "reborn")
                self.timers.pop_due(3)

        timers.insert_many(range(300), [Phoenix(timers) for _ in range(300)])
        del timers
        gc.collect()

    def test_nothing_leaks(self) -> None:
        def lives() -> None:
            timers, rng = queue(64, crowd=8), Random(2)
            for now in range(0, 20_000, 500):
                tokens = timers.insert_many([now + rng.randrange(4_000) for _ in range(100)], range(100))
                tokens.append(timers.insert(2**66, 1))
                timers.cancel_many(tokens[::2])
                timers.move(tokens[1], now + 2**40)
                timers.next_due()
                timers.maintain(50)
                timers.pop_due(now)
            timers.drain()

        tracemalloc.start()
        try:
            for _ in range(30):
                lives()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20):
                lives()
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 20_000  # one int for each timer would be 2 million
        finally:
            tracemalloc.stop()


class TestStrangeArguments:
    @pytest.mark.parametrize(
        ("call", "arguments"),
        [
            ("insert", ("soon", 1)),
            ("insert", (1.5, 1)),
            ("insert", (1,)),
            ("insert", (1, 2, 3)),
            ("insert_many", ([1, "two"], [1, 2])),
            ("insert_many", (iter([1]), [1])),
            ("insert_many", ([1], [1], True)),
            ("cancel", ("token",)),
            ("cancel", ()),
            ("cancel_many", ([1, None],)),
            ("cancel_many", (5,)),
            ("move", (0, "later")),
            ("move", (None, 5)),
            ("pop_due", (None,)),
            ("pop_due", (5, "all")),
            ("maintain", ("much",)),
        ],
    )
    def test_what_is_no_number_is_refused_and_nothing_changes(self, call: str, arguments: tuple[Any, ...]) -> None:
        timers = queue()
        token = timers.insert(5, "five")
        assert token == 0
        with pytest.raises(TypeError):
            getattr(timers, call)(*arguments)
        assert timers.drain() == [(5, "five")]

    def test_arguments_have_the_names_of_the_protocol(self) -> None:
        timers = queue(bucket_ticks=64, crowd=8)
        token = timers.insert(when=5, item="a")
        timers.insert_many(whens=[6, 7], items=("b", "c"), ascending=True)
        assert timers.move(token=token, when=8) is not None
        assert timers.cancel(token=token) is False
        assert timers.cancel_many(tokens=()) == 0
        assert timers.maintain(budget=100) is False
        assert timers.pop_due(now=9, limit=1) == ["b"]
        for words in ({"now": 9, "never": 1}, {"limit": 2}):
            with pytest.raises(TypeError, match="argument"):
                timers.pop_due(**words)
        with pytest.raises(TypeError, match="or has it twice"):
            timers.pop_due(9, now=9)

    def test_any_int_and_what_stands_for_one_is_a_time(self) -> None:
        class Number:
            def __index__(self) -> int:
                return 7

        timers = queue()
        timers.insert(Number(), "number")
        timers.insert_many([True, Number()], ["true", "number"])
        assert timers.drain() == [(1, "true"), (7, "number"), (7, "number")]
        assert timers.pop_due(2**200, limit=2**200) == timers.pop_due(-(2**200), limit=-(2**200)) == []

    def test_items_that_vanish_while_garbage_is_collected_are_missed(self) -> None:
        """Making the list of tokens may start the collector, and that a finaliser."""
        items = [Item() for _ in range(50)]

        class Thief:
            def __del__(self) -> None:
                items.clear()

        timers, thresholds = queue(), gc.get_threshold()
        for _ in range(200):
            items[:] = [Item() for _ in range(50)]
            thief = Thief()
            thief.itself = thief  # type: ignore[attr-defined]
            del thief
            gc.set_threshold(1)
            try:
                tokens = timers.insert_many(list(range(50)), items)
            except (RuntimeError, ValueError):
                tokens = []
            finally:
                gc.set_threshold(*thresholds)
            assert len(timers) == len(tokens)
            timers.drain()


class TestTokens:
    def test_a_number_is_given_out_again_under_another_age(self) -> None:
        timers, seen = queue(), set()
        for _ in range(10_000):
            token = timers.insert(5, None)
            assert token not in seen
            seen.add(token)
            assert timers.cancel(token)
        assert {token & (1 << 35) - 1 for token in seen} == {0}

    def test_made_up_tokens_name_nothing(self) -> None:
        timers, rng = queue(), Random(3)
        tokens = set(timers.insert_many(range(1_000), range(1_000)))
        made_up = [rng.getrandbits(rng.randrange(1, 70)) for _ in range(20_000)]
        made_up += [token ^ 1 << bit for token in list(tokens)[:50] for bit in range(7, 64)]
        assert timers.cancel_many([-token for token in made_up if token]) == 0
        assert timers.cancel_many(token for token in made_up if token not in tokens) == 0
        assert len(timers) == 1_000


def nomemory() -> Any:
    """CPython's own way to let allocations fail."""
    return pytest.importorskip("_testcapi", reason="this Python came without its tests")


CALLS = {
    "insert": lambda timers, _: timers.insert(5_000, "new"),
    "insert late": lambda timers, _: timers.insert(-5, "new"),
    "insert_many": lambda timers, _: timers.insert_many(range(200, 500), [1] * 300),
    "move": lambda timers, tokens: timers.move(tokens[700], 6_000),
    "cancel_many": lambda timers, tokens: timers.cancel_many(tokens[600:700]),
    "pop_due": lambda timers, _: timers.pop_due(5_000),
    "next_due": lambda timers, _: timers.next_due(),
    "maintain": lambda timers, _: timers.maintain(10_000),
    "drain": lambda timers, _: drained(timers),
}


def drained(timers: Any) -> Any:
    """By the part in C alone: interpreters do not bear it well when their own code finds no memory."""
    return timers.drain() if isinstance(timers, CalendarQueue) else timers._drain_near()


@pytest.mark.parametrize("name", CALLS)
def test_when_memory_runs_out_nothing_is_lost(name: str) -> None:
    """Let the first allocation of a call fail, then the second …: it is done whole, or not at all."""
    testcapi, call, done = nomemory(), CALLS[name], False
    for failing in (*range(1, 60), *range(60, 900, 23), 5_000):
        timers, model = queue(64, crowd=8), CalendarQueue[Any](64, crowd=8)
        whens = [place * 37 % 5_000 for place in range(1_000)]
        tokens, twins = timers.insert_many(whens, whens), model.insert_many(whens, whens)
        assert timers.pop_due(100) == model.pop_due(100)
        before, answer = len(timers), None
        testcapi.set_nomemory(failing, failing + 1)
        try:
            answer = call(timers, tokens)
            done = True
        except MemoryError:
            done = False
        finally:
            testcapi.remove_mem_hooks()
        if done:
            expected = call(model, twins)
            if name == "pop_due":
                assert answer == expected[: len(answer)]
                assert expected[len(answer) :] == timers.pop_due(5_000)
            elif name == "drain":
                assert answer == expected
        else:
            assert len(timers) == before
        assert timers.drain() == model.drain()
    assert done


ANOTHER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("shike.timer.native._calendar", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules[spec.name] = module
from tests.unit.timer import differential
assert differential.BUILDS["compiled"].__mro__[1] is module.Calendar
print(differential.compare(20_000, 5, differential.BUILDS_ALONE, 10_000))
"""


def differs(made: Path, **environ: str) -> str:
    """What the comparison with pure Python and a heap says of another build; empty: no difference."""
    environ = os.environ | environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, "-c", ANOTHER, str(made)]
    done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False, timeout=280)
    assert done.returncode or int(done.stdout) > 10_000
    return done.stderr[-3_000:] if done.returncode else ""


needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["undefined", "address"])
def test_sanitizers_find_nothing(kind: str, tmp_path: Path) -> None:
    """Its own assertions hold, too: they are compiled in here."""
    flags = [flag for flag in compiling.FLAGS if flag != "-DNDEBUG"]
    made = compiling.compile_calendar(tmp_path, [*flags, "-g", f"-fsanitize={kind}", "-fno-sanitize-recover=all"])
    short = {"undefined": "ubsan", "address": "asan"}[kind]
    preload = subprocess.run(["gcc", f"-print-file-name=lib{short}.so"], capture_output=True, text=True, check=True)
    preloaded = {"LD_PRELOAD": preload.stdout.strip(), "PYTHONMALLOC": "malloc"}
    assert differs(made, **preloaded, ASAN_OPTIONS="detect_leaks=0") == ""


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("serve.c", "from[left].when <= from[right].when", "from[left].when < from[right].when"),
        ("serve.c", "queue->late[0].when < entry->when", "queue->late[0].when <= entry->when"),
        ("serve.c", "one->order < other->order", "one->order > other->order"),
        ("column.c", "column->kept ? column->kept[place] : place", "place"),
        ("serve.c", "bucket->first ? bucket->start :", "true ? bucket->start :"),
    ],
)
def test_a_planted_bug_is_seen(file: str, right: str, wrong: str, tmp_path: Path) -> None:
    sources, built = tmp_path / "sources", tmp_path / "built"
    shutil.copytree(compiling.NATIVE, sources, ignore=shutil.ignore_patterns("*.so", "*.py", "__pycache__"))
    built.mkdir()
    text = (sources / file).read_text(encoding="utf-8")
    assert text.count(right) == 1
    (sources / file).write_text(text.replace(right, wrong), encoding="utf-8")
    made = compiling.compile_calendar(built, sources=sources)
    assert "AssertionError" in differs(made)
