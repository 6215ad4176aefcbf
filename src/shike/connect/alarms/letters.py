"""What a letter says, in words: one title, a line an alarm; plain text, from which each channel makes its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shike.clock import MICROS, to_datetime
from shike.connect.alarms.base import Letter, Told
from shike.connect.alarms.bounds import GROUP_SHOWN
from shike.connect.alarms.sayings import CHINESE, ENGLISH, words_of
from shike.track.alarm import Notice

MARKS: Final = {Notice.RAISED: "▲", Notice.AGAIN: "▲▲", Notice.OVER: "✓"}
FRAMES: Final = {
    ENGLISH: {
        "alarm": "{count} alarm",
        "alarms": "{count} alarms",
        "over": "{count} over",
        "and": ", ",
        "title": "[{source}] {parts}: {kind} {subject}",
        "more": "… and {count} more: `shike alarms list`",
        "line": "{mark} {words}{of}, since {since} UTC{went_on} [{id}]",
        "of": " (of {owner})",
        "went_on": " for {length}",
        "line_over": "{mark} over after {length}: {words} [{id}]",
        "seconds": "{count} s",
        "minutes": "{count} min",
        "hours": "{count} h",
    },
    CHINESE: {
        "alarm": "{count} 条告警",
        "alarms": "{count} 条告警",
        "over": "{count} 条已恢复",
        "and": "，",
        "title": "[{source}] {parts}：{kind} {subject}",
        "more": "……另有 {count} 条：`shike alarms list`",
        "line": "{mark} {words}{of}，始于 {since} UTC{went_on} [{id}]",
        "of": "（负责人 {owner}）",
        "went_on": "，已持续 {length}",
        "line_over": "{mark} 持续 {length}后恢复：{words} [{id}]",
        "seconds": "{count} 秒",
        "minutes": "{count} 分钟",
        "hours": "{count} 小时",
    },
}


def title(letter: Letter) -> str:
    """How many of what, and the first one's name."""
    frames = FRAMES[letter.language]
    over = sum(told.notice is Notice.OVER for told in letter.told)
    raised = len(letter.told) - over
    parts = [frames["alarm" if raised == 1 else "alarms"].format(count=raised)] if raised else []
    parts += [frames["over"].format(count=over)] if over else []
    first = letter.told[0].alarm
    kind = first.rule.partition(">")[0]
    return frames["title"].format(
        source=letter.source, parts=frames["and"].join(parts), kind=kind, subject=first.subject
    )


def lines(letter: Letter) -> Iterator[str]:
    """What is raised, then what is over; at most GROUP_SHOWN of them."""
    ordered = sorted(letter.told, key=lambda told: told.notice is Notice.OVER)
    yield from (_line(told, letter) for told in ordered[:GROUP_SHOWN])
    if len(ordered) > GROUP_SHOWN:
        yield FRAMES[letter.language]["more"].format(count=len(ordered) - GROUP_SHOWN)


def text(letter: Letter) -> str:
    """All of it."""
    return "\n".join([title(letter), "", *lines(letter)])


def _line(told: Told, letter: Letter) -> str:
    alarm, language = told.alarm, letter.language
    frames, mark = FRAMES[language], MARKS[told.notice]
    words = words_of(alarm.words, alarm.saying, alarm.about, language)
    if told.notice is Notice.OVER:
        length = _length(letter.at - alarm.raised_at, frames)
        return frames["line_over"].format(mark=mark, length=length, words=words, id=alarm.id)
    went_on = frames["went_on"].format(length=_length(letter.at - alarm.since, frames))
    return frames["line"].format(
        mark=mark,
        words=words,
        of=frames["of"].format(owner=alarm.owner) if alarm.owner else "",
        since=f"{to_datetime(alarm.since):%Y-%m-%d %H:%M:%S}",
        went_on=went_on if told.notice is Notice.AGAIN else "",
        id=alarm.id,
    )


def _length(micros: int, frames: Mapping[str, str]) -> str:
    seconds = max(micros, 0) // MICROS
    if seconds < 120:
        return frames["seconds"].format(count=seconds)
    if seconds < 7_200:
        return frames["minutes"].format(count=seconds // 60)
    return frames["hours"].format(count=seconds // 3_600)
