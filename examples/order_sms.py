"""Text the customer after an order, through an HTTP gateway that is not always well.

Shows how a handler tells what an answer means: busy (try again when the gateway says), refused (never try again), or
broken (an exception: try again as the back-off says). Each attempt carries the same idempotency key, so that a
gateway which did send, and whose answer got lost, does not send twice.

    SMS_GATEWAY=127.0.0.1:8025 shike up examples/order_sms.py
    python examples/order_sms.py 7 +4930123456                     # in another terminal
"""

from __future__ import annotations

import json
import os
import sys
from http.client import HTTPConnection, HTTPException

import shike

app = shike.Shike("sqlite:///order_sms.db")


class GatewayBroken(Exception):
    """The gateway answered with nonsense."""


def ask_gateway(phone: str, text: str, key: str) -> tuple[int, float]:
    """Post one message; gives the HTTP status and how many seconds the gateway wants to be left alone."""
    gateway = HTTPConnection(os.environ.get("SMS_GATEWAY", "127.0.0.1:8025"), timeout=5)
    try:
        body = json.dumps({"to": phone, "text": text})
        gateway.request("POST", "/messages", body, {"Content-Type": "application/json", "Idempotency-Key": key})
        answer = gateway.getresponse()
        return answer.status, float(answer.getheader("Retry-After") or 60)
    except HTTPException as error:
        raise GatewayBroken(str(error)) from error
    finally:
        gateway.close()


@app.task(retry=shike.Backoff(attempts=8, base_seconds=5, max_seconds=600), timeout="20s", expires="6h", owner="shop")
def send_sms(phone: str, text: str) -> shike.Outcome | None:
    """Send one message, once. After six hours nobody wants it any more."""
    status, rest_seconds = ask_gateway(phone, text, shike.current().idempotency_key)
    if status in (429, 503):
        return shike.Retry(seconds=rest_seconds, reason="the gateway is busy")
    if 400 <= status < 500:
        return shike.Cancel(f"the gateway refuses {phone}: {status}")
    if status >= 500:
        raise GatewayBroken(f"status {status}")
    return None


def order_placed(order: int, phone: str) -> shike.Handle[None]:
    """Called by the shop, perhaps twice for one order; the key makes it one message."""
    return send_sms.options(key=f"order-sms:{order}").submit(phone, f"Thank you! Your order {order} is on its way.")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(f"run {order_placed(int(sys.argv[1]), sys.argv[2]).id} will send it")
    else:
        print(__doc__)
