"""Rules by their text, as settings have them: `dead`, `late:mail>30s`, `no_success:default/report>26h`."""

from __future__ import annotations

from typing import Final

from shike.connect.alarms.base import Rule
from shike.connect.alarms.rules.backlog import Backlog
from shike.connect.alarms.rules.dead import Dead, Poison
from shike.connect.alarms.rules.failures import Failures
from shike.connect.alarms.rules.late import Late
from shike.connect.alarms.rules.no_success import NoSuccess
from shike.connect.alarms.rules.no_worker import NoWorker
from shike.errors import BadInput

RULES: Final[dict[str, type[Rule]]] = {
    one.kind: one for one in (Failures, Dead, Poison, Late, NoSuccess, NoWorker, Backlog)
}


def rule_of(text: str) -> Rule:
    """The rule that a text means. Raises `BadInput`, which says what there is."""
    head, _, threshold = text.partition(">")
    kind, _, subject = head.partition(":")
    kind, subject, threshold = kind.strip(), subject.strip(), threshold.strip()
    if kind not in RULES:
        raise BadInput(f"{text!r} is no alarm: it begins with one of {', '.join(RULES)}")
    return RULES[kind].read(subject, threshold)
