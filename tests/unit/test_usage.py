"""R2.8: CPU, memory and I/O of the machine, sampled every 5 s over a sliding window."""

from __future__ import annotations

from pathlib import Path

from shike.usage import Counters, Usage, Window, between, counters, parse

STAT = "cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 100 0 50 800 50 0 0 0 7 0\n"
MEMORY = "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    250 kB\n"
DISKS = (
    "   8       0 sda 1 0 0 0 0 0 0 0 0 4000 0\n"
    "   8       1 sda1 1 0 0 0 0 0 0 0 0 3000 0\n"
    " 259       0 nvme0n1 1 0 0 0 0 0 0 0 0 9000 0\n"
    "   7       0 loop0 1 0 0 0 0 0 0 0 0 99999 0\n"
)


def test_what_proc_counts_is_read() -> None:
    """Idle and waiting for I/O are no use of the CPU; of disks only whole ones count."""
    found = parse(STAT, MEMORY, DISKS)
    assert found == Counters(busy=150, total=1000, memory=0.75, io_seconds=(4.0, 9.0))


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    assert parse("", "", "") is None
    assert parse(STAT, "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "") is None
    assert parse(STAT, MEMORY, "x") is None


def test_a_machine_without_disks_has_no_io(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT)
    (tmp_path / "meminfo").write_text(MEMORY)
    found = counters(tmp_path)
    assert found is not None and found.io_seconds == ()


def test_two_looks_tell_what_was_used_in_between() -> None:
    old = Counters(100, 1000, 0.5, (1.0, 5.0))
    new = Counters(160, 1100, 0.7, (2.0, 9.0))
    assert between(old, new, 5.0) == Usage(cpu=0.6, memory=0.7, io=0.8)
    assert between(new, old, 5.0) == Usage(cpu=0.0, memory=0.5, io=0.0)  # set back
    assert between(old, old, 0.0).cpu == 0.0


def test_the_window_samples_every_five_seconds_and_forgets_after_thirty() -> None:
    looks: list[Counters] = []

    def read() -> Counters:
        looks.append(Counters(busy=100.0 * len(looks) if len(looks) > 6 else 0.0, total=100.0 * len(looks), memory=0.1))
        return looks[-1]

    window = Window(read)
    for tenth in range(301):
        window.look(tenth / 10)
    assert len(looks) == 7
    assert window.usage.cpu == 0.0
    for tenth in range(301, 651):
        window.look(tenth / 10)
    assert len(looks) == 14
    assert window.usage.cpu == 1.0


def test_a_machine_that_does_not_say_costs_no_beat() -> None:
    window = Window(lambda: None)
    window.look(0.0)
    assert window.usage == Usage()
