"""An alarm is told in English or Chinese: a sentence with blanks in the store, words where somebody reads (R2.9)."""

from __future__ import annotations

import asyncio
import re
from string import Formatter
from typing import Any

import pytest

from shike.app import Shike
from shike.connect.alarms import Dead, Finding, Late, Letter, NoSuccess, Told
from shike.connect.alarms.base import Pace
from shike.connect.alarms.deciding import Case, found
from shike.connect.alarms.declaring import declare
from shike.connect.alarms.letters import FRAMES, lines, text, title
from shike.connect.alarms.sayings import CHINESE, LANGUAGES, SENTENCES, sentence, words_of
from shike.connect.alarms.telling import Teller
from shike.connect.alarms.trying import letter
from shike.connect.alarms.watch import Watch
from shike.settings import LANGUAGES as SETTABLE
from shike.settings import Settings
from shike.track.alarm import Alarm, Notice, Phase
from tests.unit.connect.alarms.test_rules import fails
from tests.unit.worker.world import World, run


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name} - {"s", "are"}


@pytest.mark.parametrize("saying", SENTENCES)
def test_a_sentence_has_the_same_blanks_in_both_languages(saying: str) -> None:
    one = SENTENCES[saying]
    assert blanks(one.en) == blanks(one.zh)
    assert re.search("[\u4e00-\u9fff]", one.zh)


def test_what_a_letter_is_made_of_has_the_same_blanks_in_both_languages() -> None:
    assert FRAMES.keys() == set(LANGUAGES) == set(SETTABLE)
    english, chinese = (FRAMES[language] for language in LANGUAGES)
    assert {name: blanks(one) for name, one in english.items()} == {name: blanks(one) for name, one in chinese.items()}


def test_one_is_one_and_many_are_many() -> None:
    assert sentence("no_worker_task", {"count": 1, "task": "pay"}).startswith("1 run is due of pay")
    assert sentence("no_worker_task", {"count": 2_000, "task": "pay"}).startswith("2,000 runs are due of pay")


def test_words_without_a_sentence_and_of_a_newer_program_are_shown_as_they_are() -> None:
    assert words_of("the disk is full", "", {}, CHINESE) == "the disk is full"
    assert words_of("as it is", "of_tomorrow", {}, CHINESE) == "as it is"
    assert words_of("as it is", "backlog", {}, CHINESE) == "as it is"
    assert words_of("as it is", "backlog", {"queue": "mail", "waited": "long"}, CHINESE) == "as it is"


def test_what_is_long_is_cut_in_the_row_and_still_said_in_chinese() -> None:
    case = Case(rule="dead", after_seconds=0, pace=Pace(), channels=[], now=10**15)
    finding = Finding(subject="pay", words="x" * 2_000, saying="dead", about={"reason": "y" * 2_000, "count": 1})
    alarm = found(None, finding, case)
    assert len(alarm.words) == len(str(alarm.about["reason"])) == 500


class Desk:
    name = "desk"

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)


def test_a_watch_that_speaks_chinese_tells_it_in_chinese_and_keeps_both() -> None:
    async def story(world: World) -> None:
        fails(world, "pay.card")
        await world.worker()
        await world.submit("pay.card", 2, owner="财务")
        await asyncio.sleep(1)
        desk, watch = Desk(), Watch()
        for rule in (Dead(), Late("1s", "mail"), NoSuccess("pay.card", "1s")):
            watch.declare(rule, [desk], Pace(after=0.0))
        await world.submit("send", queue="mail")
        await asyncio.sleep(5)
        await watch.look(world.store, Teller(world.store, watch.channels, lambda: 0.5, CHINESE))
        (told,) = desk.letters
        assert title(told).startswith("[shike] 2 条告警：dead pay.card")
        first, second = lines(told)
        assert re.fullmatch(
            r"▲ 任务 pay.card 有 2 封死信；最近一封是运行 \d+：ValueError: the bank said no（负责人 财务），"
            r"始于 .* UTC \[.*\]",
            first,
        )
        assert "队列 mail 中有运行已等待 5.0 秒，上限为 1 秒" in second
        assert "2 dead letters of pay.card" in told.told[0].alarm.words, "for whoever reads the row in English"

    run(story)


def test_an_end_and_a_reminder_are_told_in_chinese_too() -> None:
    alarm = Alarm(id="a1", rule="x", subject="/", phase=Phase.OVER, words="磁盘已满", since=1, raised_at=1)
    told = (Told(alarm, Notice.OVER), Told(alarm, Notice.AGAIN), *[Told(alarm, Notice.AGAIN)] * 19)
    shown = text(Letter(identity="i", at=200_000_001, source="shike", told=told, language=CHINESE))
    assert "20 条告警，1 条已恢复：x /" in shown and "，已持续 3 分钟 [a1]" in shown and "……另有 1 条" in shown
    assert "✓ 持续 3 分钟后恢复：磁盘已满 [a1]" in text(
        Letter(identity="i", at=200_000_001, source="shike", told=told[:1], language=CHINESE)
    )


def test_the_language_is_a_setting_and_a_trial_speaks_it() -> None:
    app: Any = Shike("memory://")
    assert declare(app, Settings()).language == "en"
    assert declare(app, Settings(alarms_language="zh")).language == "zh"
    assert "这是一条测试" in text(letter(language="zh")) and "this is a test" in text(letter())
