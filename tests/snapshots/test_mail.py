"""A report goes to its recipients, and a failure is told loudly and without the password."""

import asyncio
import threading
from email import message_from_bytes

import pytest

REPORTS = """
reports:
  - {name: weekly, title: Weekly review, pages: [{page: overview}],
     recipients: [mina@shop.example, tom@shop.example]}
"""


class Server:
    """As much of a mail server as a client needs to hand in one message."""

    def __init__(self, *, refuses=False):
        self.messages, self.refuses = [], refuses
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(5)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self._talk, "127.0.0.1", 0, limit=2**26)
        )
        self.port = self.server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()
        # Closed where it ran: the browser tests keep another loop running in the main thread.
        self.server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.05))
        self.loop.close()

    async def _talk(self, reader, writer):
        async def say(text):
            writer.write(f"{text}\r\n".encode())
            await writer.drain()

        await say("220 ready")
        to = []
        while line := (await reader.readline()).decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                await say("354 go on")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append((to, message_from_bytes(data[:-5])))
                await say("250 taken")
            elif word == "QUIT":
                await say("221 bye")
                break
            elif word == "RCPT" and self.refuses:
                await say("550 nobody here")
            else:
                to += [line.split(":")[1]] if word == "RCPT" else []
                await say("250 fine")
        writer.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


@pytest.fixture
def mailing(copy, monkeypatch):
    """A project with a report for two people, and the environment for a server on a port."""
    (copy / "reports.yaml").write_text(REPORTS, "utf-8")

    def at(port):
        named = {"HOST": "127.0.0.1", "PORT": str(port), "FROM": "rapport@shop.example", "TLS": "none"}
        for name, value in named.items():
            monkeypatch.setenv(f"RAPPORT_SMTP_{name}", value)
        return copy

    return at


def test_everybody_gets_the_pdf_and_the_page(mailing, rapport):
    server = Server()
    folder = mailing(server.port)
    done = rapport("snapshot", "--report", "weekly", "--mail", "--project", folder)
    server.stop()
    assert done.code == 0, done.err
    ((to, message),) = server.messages
    assert to == ["<mina@shop.example>", "<tom@shop.example>"]
    assert message["Subject"].startswith("Weekly review")
    names = [part.get_filename() for part in message.walk() if part.get_filename()]
    assert sorted(name.rsplit(".", 1)[1] for name in names) == ["html", "pdf"]
    pdf = next(part for part in message.walk() if str(part.get_filename()).endswith(".pdf"))
    assert pdf.get_payload(decode=True).startswith(b"%PDF")


def test_a_refusal_is_loud(mailing, rapport):
    server = Server(refuses=True)
    done = rapport("snapshot", "--report", "weekly", "--mail", "--project", mailing(server.port))
    server.stop()
    assert done.code == 2
    assert "did not take the message" in done.err


def test_nothing_is_drawn_before_the_account_is_known(copy, rapport, monkeypatch):
    monkeypatch.delenv("RAPPORT_SMTP_HOST", raising=False)
    monkeypatch.setenv("RAPPORT_SMTP_PORT", "many")
    monkeypatch.setenv("RAPPORT_SMTP_PASSWORD", "canary-4711")
    done = rapport("snapshot", "--mail", "--project", copy)
    assert done.code == 2
    assert "`RAPPORT_SMTP_HOST` is not set" in done.err
    assert "`RAPPORT_SMTP_PORT` is no number: many" in done.err
    assert "canary" not in done.err


def test_a_report_without_recipients_says_where_to_name_them(mailing, rapport):
    done = rapport("snapshot", "--report", "executive", "--mail", "--project", mailing(9))
    assert done.code == 2
    assert "names no recipients" in done.err
    assert "reports.yaml" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reports:\n  - {name: a, title: A, pages: [{page: overvew}]}\n", "Did you mean `overview`"),
        (
            "reports:\n  - {name: a, title: A, pages: [{page: overview}], recipients: [nobody]}\n",
            "recipients",
        ),
        ("reports:\n  - {name: a, titel: A, pages: [{page: overview}]}\n", "Did you mean `title`"),
    ],
)
def test_a_broken_report_is_found_by_check(copy, rapport, text, said):
    (copy / "reports.yaml").write_text(text, "utf-8")
    done = rapport("check", "--project", copy)
    assert done.code == 1
    assert "reports.yaml:2:" in done.out
    assert said in done.out
