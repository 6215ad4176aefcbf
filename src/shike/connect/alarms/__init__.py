"""Alarms: what is looked for, who is told, and that nobody is told twice, or not at all (R2.9).

    app.alarm(Dead(), to_mail)
    app.alarm(NoSuccess("default/report", "26h"), to_mail, to_chat, repeat="12h")

`rules/` has a file for each thing that is looked for, `channels/` one for each way of telling; `base` is all that
another one of either needs. `sight` is one look at the store, `deciding` what becomes of an alarm (pure), `telling` how
it is told, `watch` the role that puts them together. The rows are `shike.track.alarm`; operators see them by
`shike.operate.alarms`.
"""

from __future__ import annotations

from shike.connect.alarms.base import Channel, Eyes, Finding, Letter, Pace, Rule, Told
from shike.connect.alarms.channels.dingtalk import DingTalk
from shike.connect.alarms.channels.feishu import Feishu
from shike.connect.alarms.channels.mail import Mail
from shike.connect.alarms.channels.slack import Slack
from shike.connect.alarms.channels.webhook import ToWebhook
from shike.connect.alarms.channels.wecom import WeCom
from shike.connect.alarms.rules.backlog import Backlog
from shike.connect.alarms.rules.dead import Dead, Poison
from shike.connect.alarms.rules.failures import Failures
from shike.connect.alarms.rules.late import Late
from shike.connect.alarms.rules.no_success import NoSuccess
from shike.connect.alarms.rules.no_worker import NoWorker

__all__ = [
    "Backlog",
    "Channel",
    "Dead",
    "DingTalk",
    "Eyes",
    "Failures",
    "Feishu",
    "Finding",
    "Late",
    "Letter",
    "Mail",
    "NoSuccess",
    "NoWorker",
    "Pace",
    "Poison",
    "Rule",
    "Slack",
    "ToWebhook",
    "Told",
    "WeCom",
]
