"""What examples talk to, on loopback: a mail server that keeps the mails, a gateway that answers as it is told."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import cast

from tests import bounded


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        bounded.joined(thread)


class MailSink(socketserver.TCPServer):
    """As much SMTP as `smtplib` needs to get rid of a mail. `refuse`: so many are sent away first."""

    allow_reuse_address = True

    def __init__(self, refuse: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.refuse = refuse
        self.mails: list[EmailMessage] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sink = cast(MailSink, self.server)
        self._say("220 sink")
        while line := self.rfile.readline().decode().strip():
            match line.split()[0].upper():
                case "DATA" if sink.refuse:
                    sink.refuse -= 1
                    self._say("451 come back later")
                case "DATA":
                    self._say("354 go on")
                    sink.mails.append(self._mail())
                    self._say("250 kept")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _mail(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        return message_from_string("".join(lines), policy=policy.default)

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


class Gateway(HTTPServer):
    """Answers with the statuses it was given, then with 200. Keeps what it was sent: (key, to, text)."""

    def __init__(self, *statuses: int, retry_after: int = 60) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.statuses = list(statuses)
        self.retry_after = retry_after
        self.asked: list[tuple[str, str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        gateway = cast(Gateway, self.server)
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        gateway.asked.append((self.headers["Idempotency-Key"], message["to"], message["text"]))
        self.send_response(gateway.statuses.pop(0) if gateway.statuses else 200)
        self.send_header("Retry-After", str(gateway.retry_after))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
