"""smtplib with the plugin, against a server that takes mail."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.integration.conftest import DELAY, asked

PROGRAM = """
import smtplib

def send(number):
    port = int(sys.argv[1])
    with smtplib.SMTP("mail.web.example", port, local_hostname="client.example", timeout=30) as mail:
        text = f"Subject: {number}\\r\\n\\r\\nhello"
        return mail.sendmail("from@web.example", [f"to{number}@web.example"], text)

# measured
greenlets = [gevent.spawn(send, number) for number in range(20)]
gevent.joinall(greenlets, raise_error=True)
said = [greenlet.value for greenlet in greenlets]
"""


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail (RFC 5321), and counts them."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.recipients: list[str] = []


class Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 ready")
        in_data = False
        for octets in self.rfile:
            line = octets.decode().rstrip("\r\n")
            if in_data:
                in_data = line != "."
                if not in_data:
                    self._say("250 taken")
            elif line.upper() == "DATA":
                in_data = True
                self._say("354 go on")
            elif line.upper() == "QUIT":
                self._say("221 bye")
                return
            else:
                if line.upper().startswith("RCPT TO:"):
                    assert isinstance(self.server, MailServer)
                    self.server.recipients.append(line[8:].strip("<> "))
                self._say("250 fine")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_twenty_mails_ask_once_for_the_host_and_stop_nobody(run_app, names, mail):
    done = run_app(PROGRAM, mail.server_address[1])
    assert done.said == [{}] * 20
    assert sorted(mail.recipients) == sorted(f"to{number}@web.example" for number in range(20))
    assert done.longest_gap < DELAY / 2
    assert asked(names, "mail.web.example.") == ["A", "AAAA"]
