"""Mail, by any SMTP server: to people who are not in a chat."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from shike.clock import to_datetime
from shike.connect.alarms.base import Letter
from shike.connect.alarms.bounds import SEND_SECONDS
from shike.connect.alarms.letters import lines, title
from shike.egress.smtp import Post, Security, deliver
from shike.errors import BadInput
from shike.secret import Secret

RECIPIENTS_MAX = 50


class Mail:
    """Through one server. `security`: `tls` (465), `starttls` (587; the default) or `none`, which is refused together
    with a password. Certificates are checked by `host`."""

    def __init__(
        self,
        to: str | Sequence[str],
        *,
        sender: str,
        host: str,
        port: int = 0,
        user: str = "",
        password: str | Secret | None = None,
        security: Security | str = Security.STARTTLS,
        name: str = "mail",
        cafile: str = "",
    ) -> None:
        """Raises `BadInput` for what is no address, and for a password that would travel in the open."""
        self.name = name
        self._to = tuple(map(_address, [to] if isinstance(to, str) else to))
        if not 1 <= len(self._to) <= RECIPIENTS_MAX:
            raise BadInput(f"mail goes to between 1 and {RECIPIENTS_MAX} addresses")
        self._sender = _address(sender)
        secret = Secret(password) if isinstance(password, str) else password
        self._post = Post.of(host, port, security, user, secret, cafile)

    async def send(self, letter: Letter) -> None:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"] = self._sender, ", ".join(self._to)
        message["Subject"] = title(letter).replace("\n", " ").replace("\r", " ")
        message["Date"] = format_datetime(to_datetime(letter.at))
        message["Message-ID"] = f"<{letter.identity}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # no out-of-office answers
        message.set_content("\n".join([*lines(letter), ""]))
        await deliver(self._post, self._sender, self._to, message.as_bytes(), seconds=SEND_SECONDS)


def _address(text: str) -> str:
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if (
        name
        or address != text
        or not local
        or not domain
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise BadInput(f"{text!r:.100} is no mail address such as ops@example.com")
    return text
