"""Words counted by many workers: a broadcast, map and reduce, and rows written in batches.

Shows divided work: every worker is told to load its stop words, the lines of a text are counted in parts wherever there
is room, what the parts found is added up level by level, and each word's total is one run, of which a hundred share one
transaction.

    shike up examples/word_count.py                       # in one terminal, or in several
    python examples/word_count.py count README.md         # in another
    python examples/word_count.py show
"""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import shike

app = shike.Shike("sqlite:///word_count.db")
TOTALS = "word_totals.db"
LINES_A_PART, PARTS_A_SUM = 50, 10
stop_words: set[str] = set()


@app.task(name="load_stop_words")
async def load_stop_words(words: list[str]) -> str:
    """Each worker has a memory of its own: a broadcast reaches them all."""
    stop_words.update(words)
    shard = shike.current().shard
    return f"worker {shard.index + 1} of {shard.total}"


@app.task(name="count")
async def count(lines: list[str]) -> dict[str, int]:
    """One part: the words of some lines."""
    words = (word.strip(".,:;!?()[]*_`\"'").lower() for line in lines for word in line.split())
    return Counter(word for word in words if word.isalpha() and word not in stop_words)


@app.task(name="add_up")
async def add_up(counts: list[dict[str, int]]) -> dict[str, int]:
    """It takes what parts have counted, and what it has added up itself."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common(500))  # a result has at most 64 KiB


@app.task(name="keep", batch=100, window="50ms")
async def keep(rows: list[tuple[str, int]]) -> None:
    """Many runs, one transaction. If it fails, each of them is tried again."""
    with closing(sqlite3.connect(TOTALS)) as connection, connection:
        connection.execute("create table if not exists totals (word text primary key, count int)")
        connection.executemany("insert or replace into totals values (?, ?)", rows)


def count_file(name: str) -> int:
    """The whole way of one text; how many different words it has."""
    for told in app.broadcast(load_stop_words.bind(["the", "a", "an", "and", "of", "to"])):
        print(told.result(timeout="30s"), "knows what to leave out")
    graph = app.graph()
    lines = Path(name).read_text(encoding="utf-8").splitlines()
    total = graph.map_reduce(count, lines, add_up, grain=LINES_A_PART, fan_in=PARTS_A_SUM)
    graph.submit()
    totals = total.handle.result(timeout="1m")
    for kept in app.submit_many([keep.bind((word, times)) for word, times in totals.items()]):
        kept.result(timeout="1m")
    return len(totals)


def show() -> list[tuple[str, int]]:
    """The ten most frequent words."""
    with closing(sqlite3.connect(TOTALS)) as connection:
        return connection.execute("select word, count from totals order by count desc, word limit 10").fetchall()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["count", name]:
            print(count_file(name), "different words")
        case _:
            for word, times in show():
                print(f"{times:6} {word}")
