"""A signed webhook: taken as it was signed, in its time, by whoever knows the secret; else refused."""

from __future__ import annotations

import pytest

from shike.clock import MICROS
from shike.connect import Webhook
from shike.connect.bounds import BODY_BYTES_MAX, SIGNED_WITHIN_SECONDS
from shike.errors import BadInput, BadSignature, TooLarge

# The example of the specification's reference implementations.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - a printed example, nobody's secret
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {"Webhook-Id": ID, "Webhook-Timestamp": str(AT), "Webhook-Signature": SIGNATURE}
NOW = AT * MICROS
HOOK = Webhook(SECRET)


def test_the_example_of_the_specification_is_taken() -> None:
    message = HOOK.read(HEADERS, BODY, NOW)
    assert (message.id, message.body) == (ID, BODY)
    assert HOOK.sign(ID, BODY, NOW)["webhook-signature"] == SIGNATURE


@pytest.mark.parametrize(
    "changes",
    [
        {"Webhook-Id": "another"},
        {"Webhook-Timestamp": str(AT + 1)},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Timestamp": "²"},
        {"Webhook-Timestamp": "9" * 400},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": SIGNATURE.replace("v1", "v1a")},
        {"Webhook-Signature": "v1,é\udc80"},
        {"Webhook-Signature": " ".join(["v1,x"] * 1_000 + [SIGNATURE])},
        {"Webhook-Id": ""},
        {"Webhook-Signature": ""},
    ],
)
def test_what_was_changed_on_the_way_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        HOOK.read({**HEADERS, **changes}, BODY, NOW)


def test_another_body_or_secret_is_refused() -> None:
    with pytest.raises(BadSignature):
        HOOK.read(HEADERS, BODY + b" ", NOW)
    with pytest.raises(BadSignature):
        Webhook(b"x" * 32).read(HEADERS, BODY, NOW)
    with pytest.raises(BadSignature):
        HOOK.read({}, BODY, NOW)


@pytest.mark.parametrize("seconds", [SIGNED_WITHIN_SECONDS + 1, -SIGNED_WITHIN_SECONDS - 1])
def test_what_was_signed_at_another_time_is_a_replay(seconds: float) -> None:
    HOOK.read(HEADERS, BODY, NOW + int(seconds * 0.9 * MICROS))
    with pytest.raises(BadSignature, match="sent again"):
        HOOK.read(HEADERS, BODY, NOW + int(seconds * MICROS))


def test_while_secrets_are_changed_both_are_known() -> None:
    old, new = Webhook(SECRET), Webhook(b"n" * 32)
    both = Webhook(b"n" * 32, SECRET)
    for sender in (old, new):
        assert both.read(sender.sign("1", BODY, NOW), BODY, NOW).id == "1"
    two = {**HEADERS, "Webhook-Signature": f"v1,AAAA {SIGNATURE}"}
    assert HOOK.read(two, BODY, NOW).id == ID


@pytest.mark.parametrize("secrets", [(), ("short",), ("whsec_not base64",), ("whsec_c2hvcnQ=",), (b"",)])
def test_a_secret_that_is_none_is_refused_at_once(secrets: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="secret"):
        Webhook(*secrets)


def test_a_body_over_its_bound_is_not_even_hashed() -> None:
    with pytest.raises(TooLarge):
        HOOK.read(HEADERS, b"x" * (BODY_BYTES_MAX + 1), NOW)
