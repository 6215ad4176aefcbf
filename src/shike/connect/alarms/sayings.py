"""What is said of an alarm, in English and Chinese: one sentence for each thing that can be found, with blanks.

A row in the store has the name of the sentence and what goes into its blanks, so whoever shows it says it in the
language of whoever reads. Words of somebody's own rule have no sentence here, and are shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

ENGLISH: Final = "en"
CHINESE: Final = "zh"
LANGUAGES: Final = (ENGLISH, CHINESE)

About = dict[str, str | int | float]


class Sentence(Struct, frozen=True):
    """One sentence. English has two more blanks, made of `count`: `{s}` and `{are}`."""

    en: str
    zh: str


SENTENCES: Final[Mapping[str, Sentence]] = {
    "dead": Sentence(
        "{count:,} dead letter{s} of {task}; the last, run {run}: {reason}",
        "任务 {task} 有 {count:,} 封死信；最近一封是运行 {run}：{reason}",
    ),
    "dead_or_more": Sentence(
        "{count:,} dead letters or more of {task}; the last, run {run}: {reason}",
        "任务 {task} 至少有 {count:,} 封死信；最近一封是运行 {run}：{reason}",
    ),
    "poison": Sentence(
        "{count:,} poison run{s} of {task}; the last, run {run}: {reason}",
        "任务 {task} 有 {count:,} 个毒性运行；最近一个是运行 {run}：{reason}",
    ),
    "poison_or_more": Sentence(
        "{count:,} poison runs or more of {task}; the last, run {run}: {reason}",
        "任务 {task} 至少有 {count:,} 个毒性运行；最近一个是运行 {run}：{reason}",
    ),
    "failures": Sentence(
        "{count:,} run{s} of {task} failed and will be tried again; run {run}: {error}",
        "任务 {task} 有 {count:,} 个运行失败、等待重试；运行 {run}：{error}",
    ),
    "failures_mute": Sentence(
        "{count:,} run{s} of {task} failed and will be tried again; run {run}: it does not say why",
        "任务 {task} 有 {count:,} 个运行失败、等待重试；运行 {run} 没有写明原因",
    ),
    "failures_older": Sentence(
        "{count:,} older run{s} failed and will be tried again", "另有 {count:,} 个较早的运行失败、等待重试"
    ),
    "late_queue": Sentence(
        "a run in the queue {queue} waits for {late:,.1f} s; it may for {within:g} s",
        "队列 {queue} 中有运行已等待 {late:,.1f} 秒，上限为 {within:g} 秒",
    ),
    "late_not_started": Sentence(
        "{of}: run {run} has not started; it may start {within:g} s after its time",
        "{of}：运行 {run} 尚未开始，最多可晚 {within:g} 秒",
    ),
    "late_skipped": Sentence(
        "{of}: run {run} was skipped: {reason}; it may start {within:g} s after its time",
        "{of}：运行 {run} 被跳过：{reason}；最多可晚 {within:g} 秒",
    ),
    "late_started": Sentence(
        "{of}: run {run} started {late:,.1f} s late; it may start {within:g} s after its time",
        "{of}：运行 {run} 晚了 {late:,.1f} 秒才开始，最多可晚 {within:g} 秒",
    ),
    "late_missed": Sentence(
        "{of}: missed: {count:,} moment{s}: nobody was there to plan them in time; it may start {within:g} s after its "
        "time",
        "{of}：错过 {count:,} 个时刻：当时没有调度节点来编排；最多可晚 {within:g} 秒",
    ),
    "no_success": Sentence(
        "{of} has not succeeded for {silent:,.0f} s, which it should within {within}; the last one was at {last} UTC",
        "{of} 已有 {silent:,.0f} 秒没有成功，应在 {within} 之内成功一次；上次成功于 {last} UTC",
    ),
    "no_success_ever": Sentence(
        "{of} has not succeeded for {silent:,.0f} s, which it should within {within}; there was none",
        "{of} 已有 {silent:,.0f} 秒没有成功，应在 {within} 之内成功一次；从未成功过",
    ),
    "no_worker": Sentence(
        "runs are due in {queues}, and no worker is there", "队列 {queues} 中有到期的运行，却没有任何执行器"
    ),
    "no_worker_queue": Sentence(
        "runs are due in {queue}, and no worker serves it", "队列 {queue} 中有到期的运行，却没有执行器服务于它"
    ),
    "no_worker_task": Sentence(
        "{count:,} run{s} {are} due of {task}, and no worker has such a task",
        "任务 {task} 有 {count:,} 个到期的运行，却没有执行器有此任务",
    ),
    "no_worker_tags": Sentence(
        "{count:,} run{s} {are} due, for a worker with {tags}, and there is none",
        "有 {count:,} 个到期的运行要求执行器具备 {tags}，却没有这样的执行器",
    ),
    "backlog": Sentence(
        "the queue {queue} grows: its oldest run has waited for {waited:,.0f} s",
        "队列 {queue} 正在积压：最早的运行已等待 {waited:,.0f} 秒",
    ),
    "rest": Sentence("and {count:,} more of the kind", "另有 {count:,} 个同类问题"),
    "test": Sentence("this is a test: alarms get here", "这是一条测试：告警可以送达这里"),
}


def sentence(saying: str, about: Mapping[str, str | int | float], language: str = ENGLISH) -> str:
    """The words. Raises `KeyError`, `ValueError` for a sentence or blanks that are not as here: a newer program's."""
    one = SENTENCES[saying]
    if language == CHINESE:
        return one.zh.format(**about)
    is_one = about.get("count") == 1
    return one.en.format(s="" if is_one else "s", are="is" if is_one else "are", **about)


def words_of(words: str, saying: str, about: Mapping[str, str | int | float], language: str) -> str:
    """What is shown of an alarm: its sentence in that language, else the words that it has."""
    if not saying or language == ENGLISH:
        return words
    try:
        return sentence(saying, about, language)
    except (KeyError, ValueError):
        return words
