"""The outside: message brokers, and what they can do for the scheduler. Drivers load on use.

Each broker has one file that connects to it (`rabbit`, `jetstream`, `redis`, `mqtt`); what is done with it has a folder
or a file:

- `delays/`   deliver a message after a delay, a file per technique, behind one protocol
- `waking`    a delay broker wakes the scheduler (`shike.scheduler.waker` is the port)
- `bridge`    a delayed message becomes a run; `batches` sends it many in one message
- `sources/`  where messages come from that become runs, a file per broker, behind one protocol
- `intake`    … and how: which ones (`conditions`), with which arguments (`mapping`), and what never can be (`aside`)
- `sinks/`    where the ends of runs are told, a file per kind; `outlet` is how
- `webhook`   a signed webhook is such a message, too
- `alarms/`   what somebody should look at, told by mail and in chats; `sentry`: failures, told there
"""

from __future__ import annotations

from shike.connect.aside import SetAside
from shike.connect.batches import Batches
from shike.connect.bridge import Bridge
from shike.connect.conditions import Condition, absent, at_least, at_most, between, like, one_of, present
from shike.connect.delays.base import Delayed, Delays
from shike.connect.delays.opening import open_delays
from shike.connect.intake import Accepted, Became, Intake
from shike.connect.mapping import ANEW, Field, Fixed, Map, Pick
from shike.connect.outlet import Outlet
from shike.connect.sinks.base import Outcome, Sink
from shike.connect.sinks.opening import to_mqtt, to_nats, to_rabbitmq, to_redis, to_table
from shike.connect.sources.base import Message, Source
from shike.connect.sources.opening import from_kafka, from_mqtt, from_nats, from_rabbitmq, from_redis
from shike.connect.waking import BrokerWaker
from shike.connect.webhook import Webhook

__all__ = [
    "ANEW",
    "Accepted",
    "Batches",
    "Became",
    "Bridge",
    "BrokerWaker",
    "Condition",
    "Delayed",
    "Delays",
    "Field",
    "Fixed",
    "Intake",
    "Map",
    "Message",
    "Outcome",
    "Outlet",
    "Pick",
    "SetAside",
    "Sink",
    "Source",
    "Webhook",
    "absent",
    "at_least",
    "at_most",
    "between",
    "from_kafka",
    "from_mqtt",
    "from_nats",
    "from_rabbitmq",
    "from_redis",
    "like",
    "one_of",
    "open_delays",
    "present",
    "to_mqtt",
    "to_nats",
    "to_rabbitmq",
    "to_redis",
    "to_table",
]
