"""Ids are unique, grow, and mean the same in every process; a receiver takes each number once (R0.13)."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import KEY_CHARS_MAX
from shike.clock import ManualClock
from shike.errors import BadInput, ClockError, DayForgotten, DuplicateMachine, IdsUsedUp, TooLarge
from shike.ids import (
    MachineLock,
    RunIds,
    SeenToday,
    Snowflake,
    SystemEntropy,
    bucket_of,
    day_of,
    fresh_identity,
    key_second,
    machine_of,
    session_number_of,
    virtual_bucket,
)
from tests import bounded

BUCKETS = st.integers(0, 255)
LAST_SESSION = 2**27 - 1


def python(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


class TestRunIds:
    @given(sessions=st.sets(st.integers(1, LAST_SESSION), min_size=1, max_size=4), buckets=st.lists(BUCKETS))
    def test_ids_are_unique_grow_and_say_where_they_belong(self, sessions: set[int], buckets: list[int]) -> None:
        made: list[int] = []
        for session in sessions:
            ids = RunIds(session)
            mine = [ids.next(bucket) for bucket in buckets] + ids.take(buckets) + ids.spread(3, 64)
            assert mine == sorted(mine)
            assert {session_number_of(run_id) for run_id in mine} == {session}
            assert [bucket_of(run_id) for run_id in mine[: 2 * len(buckets)]] == buckets * 2
            made += mine
        assert len(set(made)) == len(made)
        assert all(0 < run_id < 2**63 for run_id in made)

    @given(buckets=st.lists(BUCKETS, max_size=50))
    def test_a_batch_is_its_ids_one_by_one(self, buckets: list[int]) -> None:
        singles = RunIds(7)
        assert RunIds(7).take(buckets) == [singles.next(bucket) for bucket in buckets]

    def test_the_layout_is_for_ever(self) -> None:
        ids = RunIds(5)
        assert [ids.next(9), ids.next(255)] == [(5 << 36) | 9, (5 << 36) | (1 << 8) | 255]
        assert ids.take([0, 1]) == [(5 << 36) | (2 << 8), (5 << 36) | (3 << 8) | 1]

    @given(virtual_buckets=st.integers(1, 256), count=st.integers(0, 600))
    def test_spread_deals_evenly(self, virtual_buckets: int, count: int) -> None:
        dealt = Counter(map(bucket_of, RunIds(1).spread(count, virtual_buckets)))
        shares = [dealt[bucket] for bucket in range(virtual_buckets)]
        assert sum(shares) == count
        assert max(shares) - min(shares) <= 1

    def test_a_used_up_session_gives_out_nothing_and_asks_for_another(self) -> None:
        ids = RunIds(LAST_SESSION)
        ids.spread(0, 1)
        ids._reserve(2**28 - 2)
        with pytest.raises(IdsUsedUp, match="open a new session"):
            ids.take([0, 0, 0])
        assert ids.take([1, 255])[-1] == 2**63 - 1
        with pytest.raises(IdsUsedUp):
            ids.next(0)
        assert ids.take([]) == []

    @pytest.mark.parametrize("number", [-1, 0, 2**27])
    def test_a_session_number_that_does_not_fit_is_refused(self, number: int) -> None:
        with pytest.raises(BadInput, match="session number"):
            RunIds(number)

    @pytest.mark.parametrize("bucket", [-1, 256])
    def test_a_bucket_that_is_none_is_refused_and_costs_no_id(self, bucket: int) -> None:
        ids = RunIds(1)
        with pytest.raises(BadInput, match=f"no virtual bucket {bucket}"):
            ids.next(bucket)
        with pytest.raises(BadInput, match=f"no virtual bucket {bucket}"):
            ids.take([3, bucket])
        with pytest.raises(BadInput, match="-1 run ids"):
            ids.spread(-1, 8)
        assert ids.next(0) == 1 << 36

    def test_a_forked_child_gives_out_none_of_its_parents_ids(self) -> None:
        script = """if True:
            import os
            from shike.errors import DuplicateMachine, IdsUsedUp
            from shike.clock import ManualClock
            from shike.ids import RunIds, Snowflake
            ids, flakes = RunIds(3), Snowflake(3, ManualClock())
            child = os.fork()
            refused = 0
            try: ids.next(0)
            except IdsUsedUp: refused += 1
            try: flakes.next()
            except DuplicateMachine: refused += 1
            if child == 0:
                RunIds(4).next(0)
                os._exit(refused)
            print(refused, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        assert python(script) == "0 2"


class TestKeys:
    def test_a_keys_bucket_is_for_ever(self) -> None:
        keys = ["", "a", "order-17", "报表", "x" * 400, "\ud800"]
        assert [virtual_bucket(key, 256) for key in keys] == GOLDEN_256
        assert [virtual_bucket(key, 64) for key in keys] == [bucket % 64 for bucket in GOLDEN_256]
        assert {virtual_bucket(key, 1) for key in keys} == {0}

    def test_a_keys_bucket_is_the_same_whatever_the_hash_seed(self) -> None:
        assert python("from shike.ids import virtual_bucket as b; print(b('order-17', 256))") == str(
            virtual_bucket("order-17", 256)
        )

    @pytest.mark.parametrize("shape", ["{}", "order-{}", "user:{:08}:mail", "2026-01-01T00:00:{}"])
    def test_keys_spread_over_the_buckets(self, shape: str) -> None:
        shares = Counter(virtual_bucket(shape.format(number), 64) for number in range(6_400))
        assert len(shares) == 64
        assert 50 <= min(shares.values()) <= max(shares.values()) <= 150

    @pytest.mark.parametrize("count", [0, -1, 257])
    def test_impossible_counts_of_buckets_are_refused(self, count: int) -> None:
        with pytest.raises(BadInput, match="virtual buckets"):
            virtual_bucket("a", count)

    def test_a_business_key_stands_for_its_second(self) -> None:
        assert key_second("invoice-17", 1_767_225_600_999_999) == "invoice-17@1767225600"
        assert key_second("invoice-17", 1_767_225_601_000_000) == "invoice-17@1767225601"
        assert key_second("a@1", 0) != key_second("a", 1_000_000)

    def test_empty_and_endless_keys_are_refused(self) -> None:
        with pytest.raises(BadInput, match="empty"):
            key_second("", 0)
        assert len(key_second("k" * (KEY_CHARS_MAX - 2), 0)) == KEY_CHARS_MAX
        with pytest.raises(TooLarge) as caught:
            key_second("k" * (KEY_CHARS_MAX - 1), 0)
        assert (caught.value.size, caught.value.limit) == (KEY_CHARS_MAX + 1, KEY_CHARS_MAX)


GOLDEN_256 = [0, 67, 20, 82, 114, 40]


class TestSnowflake:
    def test_the_layout_is_for_ever(self) -> None:
        flakes = Snowflake(5, ManualClock(1_735_689_600_000_000 + 7_000))
        assert flakes.next() == (7 << 22) | (5 << 12)
        assert flakes.next() == (7 << 22) | (5 << 12) | 1
        assert machine_of(flakes.next()) == 5

    @given(steps=st.lists(st.sampled_from([0.0, 0.0, 0.0004, 0.001, 3.0, -0.001, -0.9]), max_size=40))
    def test_ids_grow_whatever_the_clock_does_within_the_bound(self, steps: list[float]) -> None:
        clock = ManualClock()
        flakes = Snowflake(1, clock)
        made = [flakes.next()]
        deepest = 0.0
        for step in steps:
            deepest = deepest + step if step < 0 else 0.0
            clock.step(step if deepest > -4.0 else 10.0)
            deepest = deepest if deepest > -4.0 else 0.0
            try:
                made.append(flakes.next())
            except ClockError:
                clock.step(60.0)
        assert made == sorted(set(made))

    def test_one_millisecond_has_more_than_4096_ids(self) -> None:
        flakes = Snowflake(1, ManualClock())
        made = [flakes.next() for _ in range(10_000)]
        assert made == sorted(set(made))
        assert (made[-1] >> 22) - (made[0] >> 22) == 2

    def test_a_clock_set_back_a_little_is_run_ahead_of_and_much_is_refused(self) -> None:
        clock = ManualClock()
        flakes = Snowflake(1, clock)
        first = flakes.next()
        clock.step(-5.0)
        assert flakes.next() > first
        clock.step(-0.001)
        with pytest.raises(ClockError, match=r"5\.001 s behind"):
            flakes.next()
        clock.step(5.0)
        assert flakes.next() > first

    def test_times_that_41_bits_cannot_hold_are_refused(self) -> None:
        for wall in (0, (1_735_689_600_000 + 2**41) * 1_000):
            with pytest.raises(ClockError, match="69 years"):
                Snowflake(1, ManualClock(wall)).next()

    def test_machines_never_meet(self) -> None:
        clock = ManualClock()
        made = [flakes.next() for flakes in (Snowflake(machine, clock) for machine in range(1_024))]
        assert len(set(made)) == 1_024

    def test_threads_share_one(self) -> None:
        flakes = Snowflake(1, ManualClock())
        made: list[int] = []
        threads = [
            threading.Thread(target=lambda: made.extend([flakes.next() for _ in range(2_000)])) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        bounded.joined(*threads)
        assert len(set(made)) == 8_000

    @pytest.mark.parametrize("machine", [-1, 1_024])
    def test_a_machine_number_that_does_not_fit_is_refused(self, machine: int, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=f"no machine {machine}"):
            Snowflake(machine, ManualClock())
        with pytest.raises(BadInput, match=f"no machine {machine}"):
            MachineLock(tmp_path, machine)


class TestMachineLock:
    def test_a_number_has_one_holder(self, tmp_path: Path) -> None:
        lock = MachineLock(tmp_path / "new", 7)
        with lock:
            with pytest.raises(DuplicateMachine, match="machine 7 is in use by process"):
                MachineLock(tmp_path / "new", 7)
            assert MachineLock(tmp_path / "new", 8).held
        assert not lock.held
        lock.release()  # once more does nothing
        again = MachineLock(tmp_path / "new", 7)
        assert again.held
        again.release()

    def test_another_process_is_told_who_has_it(self, tmp_path: Path) -> None:
        script = """if True:
            import os, sys
            from shike.errors import DuplicateMachine
            from shike.ids import MachineLock
            try: MachineLock(sys.argv[1], 7)
            except DuplicateMachine as error: print(f"process {os.getppid()} " in str(error))
            else: print("free")
        """
        with MachineLock(tmp_path, 7):
            assert python(script, str(tmp_path)) == "True"
        assert python(script, str(tmp_path)) == "free"

    def test_a_killed_process_lets_go_and_its_forked_child_does_not_hold_on(self, tmp_path: Path) -> None:
        script = """if True:
            import os, signal, sys, time
            from shike.ids import MachineLock
            lock = MachineLock(sys.argv[1], 7)
            if os.fork() == 0:
                assert not lock.held
                print(os.getpid(), flush=True)
                sys.stdin.read()
                os._exit(0)
            time.sleep(60)
        """
        parent = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with parent:
            assert bounded.line(parent).strip().isdigit()  # the child lives, and knows that it is one
            with pytest.raises(DuplicateMachine):
                MachineLock(tmp_path, 7)
            bounded.killed(parent)
            with MachineLock(tmp_path, 7) as lock:  # while the child still lives
                assert lock.held


class TestSeenToday:
    @given(
        calls=st.lists(
            st.tuples(
                st.integers(0, 20) | st.sampled_from([2**19 - 1, 2**19, 2**40, 2**64 - 1]),
                st.integers(0, 4),
                st.sampled_from(["come", "come", "forget", "reload"]),
            )
        )
    )
    def test_it_answers_as_a_set_does(self, calls: list[tuple[int, int, str]]) -> None:
        seen, model, newest = SeenToday(days=2), set[tuple[int, int]](), 0
        known_days: set[int] = set()
        for number, day, what in calls:
            if what == "reload":
                seen = SeenToday.load(seen.save())
            elif what == "forget":
                seen.forget(number, day)
                model.discard((number, day))
            elif known_days and day < newest - 1:
                with pytest.raises(DayForgotten) as caught:
                    seen.first_time(number, day)
                assert (caught.value.day, caught.value.oldest_day) == (day, newest - 1)
            else:
                newest = max(newest, day) if known_days else day
                known_days.add(day)
                model = {pair for pair in model if pair[1] >= newest - 1}
                assert seen.first_time(number, day) == ((number, day) not in model)
                model.add((number, day))

    def test_a_million_dense_numbers_cost_two_pages(self) -> None:
        seen = SeenToday(pages_max=2)
        for number in range(0, 2**20, 97):
            assert seen.first_time(number, 20_454)
        with pytest.raises(TooLarge, match="2 pages are in use"):
            seen.first_time(2**20, 20_454)
        assert not seen.first_time(97, 20_454)
        assert seen.first_time(98, 20_454)

    def test_a_new_day_gives_back_the_pages_of_the_forgotten_one(self) -> None:
        seen = SeenToday(days=1, pages_max=1)
        assert all(seen.first_time(5, day) for day in range(100))

    def test_a_number_is_forgotten_without_its_neighbours(self) -> None:
        seen = SeenToday()
        for number in (8, 9, 10, 2**19):
            seen.first_time(number, 1)
        seen.forget(9, 1)
        seen.forget(9, 7)
        assert [seen.first_time(number, 1) for number in (8, 9, 10)] == [False, True, False]

    def test_what_was_all_forgotten_can_be_saved(self) -> None:
        seen = SeenToday()
        for number in (8, 2**19):
            seen.first_time(number, 1)
        seen.forget(8, 1)
        loaded = SeenToday.load(seen.save())
        assert loaded.first_time(8, 1)
        assert not loaded.first_time(2**19, 1)

    def test_the_same_contents_give_the_same_bytes_whatever_the_order(self) -> None:
        marks = [(1, 8), (2**19, 8), (5, 9), (2**40, 9), (7, 10)]
        forth, back = SeenToday(), SeenToday()
        assert all(forth.first_time(number, day) for number, day in marks)
        assert all(back.first_time(number, day) for number, day in reversed(marks))
        assert forth.save() == back.save()

    def test_a_day_refused_is_not_opened(self) -> None:
        seen = SeenToday(days=1)
        seen.first_time(1, 10)
        before = seen.save()
        with pytest.raises(DayForgotten, match="oldest kept is 10"):
            seen.first_time(1, 9)
        for number, day in [(-1, 10), (2**64, 10), (1, 2**31), (1, -(2**31) - 1)]:
            with pytest.raises(BadInput):
                seen.first_time(number, day)
        assert seen.save() == before

    def test_saved_bytes_are_for_ever(self) -> None:
        seen = SeenToday(days=3)
        for number, day in [(0, 20_454), (9, 20_454), (2**19 + 1, 20_455)]:
            seen.first_time(number, day)
        golden = bytes.fromhex(GOLDEN_SEEN)
        assert seen.save() == golden
        assert SeenToday.load(golden).save() == golden
        assert not SeenToday.load(golden).first_time(9, 20_454)

    def test_damaged_bytes_are_refused(self) -> None:
        seen = SeenToday()
        seen.first_time(7, 1)
        saved, rng = seen.save(), random.Random(5)
        for broken in [b"", b"SKD1", saved[:-1], saved + b"\0", b"XXXX" + saved[4:]]:
            with pytest.raises(BadInput, match="damaged"):
                SeenToday.load(broken)
        for _ in range(50):
            place = rng.randrange(len(saved))
            flipped = bytes([*saved[:place], saved[place] ^ 1 << rng.randrange(8), *saved[place + 1 :]])
            with pytest.raises(BadInput):
                SeenToday.load(flipped)

    @pytest.mark.parametrize("body", [b"SKD1", b"SKD1\0\3\0\0\0\1", b"SKD1\0\3\0\0\0\0more"])
    def test_forged_lengths_are_refused(self, body: bytes) -> None:
        with pytest.raises(BadInput, match=r"not written by SeenToday\.save"):
            SeenToday.load(body + zlib.crc32(body).to_bytes(4, "big"))

    def test_loading_keeps_to_the_bound(self) -> None:
        seen = SeenToday()
        for number in (0, 2**19):
            seen.first_time(number, 1)
        with pytest.raises(TooLarge):
            SeenToday.load(seen.save(), pages_max=1)

    @pytest.mark.parametrize("days", [0, -1, 65_536])
    def test_impossible_numbers_of_days_are_refused(self, days: int) -> None:
        with pytest.raises(BadInput, match="cannot keep"):
            SeenToday(days)

    def test_a_day_is_a_utc_day(self) -> None:
        assert [day_of(at) for at in (0, 86_400_000_000 - 1, 86_400_000_000, -1)] == [0, 0, 1, -1]


GOLDEN_SEEN = "534b443100030000000200004fe6000000000000000000000002010200004fe70000000000000001000000010215de7188"


class TestEntropy:
    def test_identities_do_not_repeat_and_have_128_bits(self) -> None:
        made = {fresh_identity(SystemEntropy()) for _ in range(200)}
        assert len(made) == 200
        assert {len(bytes.fromhex(identity)) for identity in made} == {16}

    def test_random_is_uniform_in_the_unit_interval(self) -> None:
        entropy = SystemEntropy()
        draws = [entropy.random() for _ in range(2_000)]
        assert all(0.0 <= draw < 1.0 for draw in draws)
        assert 0.4 < sum(draws) / 2_000 < 0.6
        assert len(set(draws)) == 2_000
