"""Reports by e-mail: the server and the account come from the environment, never from a file.

| variable | what |
|---|---|
| `RAPPORT_SMTP_HOST` | the mail server; without it nothing is sent |
| `RAPPORT_SMTP_PORT` | 587 unless said otherwise |
| `RAPPORT_SMTP_USER`, `RAPPORT_SMTP_PASSWORD` | the account, where the server wants one |
| `RAPPORT_SMTP_FROM` | the sender's address |
| `RAPPORT_SMTP_TLS` | `starttls` (default), `tls` or `none` |
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

HOST: Final = "RAPPORT_SMTP_HOST"
FROM: Final = "RAPPORT_SMTP_FROM"
SECONDS: Final = 30
KINDS: Final = ("starttls", "tls", "none")


class NotSent(Exception):
    """A message that could not be sent: `where: fault. What to do`."""


@dataclass(frozen=True)
class Post:
    """A mail server and the account on it."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    tls: str = "starttls"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Post:
        """The server that the environment names. Raises NotSent with everything that is missing."""
        missing = [name for name in (HOST, FROM) if not environ.get(name)]
        port, tls = environ.get("RAPPORT_SMTP_PORT", "587"), environ.get("RAPPORT_SMTP_TLS", "starttls")
        faults = [f"`{name}` is not set" for name in missing]
        faults += [] if port.isdigit() else [f"`RAPPORT_SMTP_PORT` is no number: {port}"]
        faults += [] if tls in KINDS else [f"`RAPPORT_SMTP_TLS` is none of {', '.join(KINDS)}: {tls}"]
        if faults:
            fault = f"e-mail: {'; '.join(faults)}. Set them in the environment, or leave out `--mail`"
            raise NotSent(fault)
        account = (environ.get("RAPPORT_SMTP_USER", ""), environ.get("RAPPORT_SMTP_PASSWORD", ""))
        return cls(environ[HOST], int(port), environ[FROM], *account, tls)

    def send(self, message: EmailMessage) -> None:
        """Send a message to all its receivers. Raises NotSent, never with the password."""
        message["From"] = self.sender
        try:
            with self._server() as server:
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            fault = f"e-mail: {self.host}:{self.port} did not take the message ({type(error).__name__})"
            msg = f"{fault}. Check the server, the account and the addresses"
            raise NotSent(msg) from error
        if refused:
            fault = f"e-mail: not delivered to {', '.join(sorted(refused))}. Check these addresses"
            raise NotSent(fault)

    def _server(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        if self.tls == "starttls":
            server.starttls(context=context)
        return server


def letter(subject: str, words: str, receivers: Sequence[str], files: Mapping[str, bytes]) -> EmailMessage:
    """A message with files; a PDF as PDF, a page as HTML, all else as bytes."""
    kinds = {"pdf": ("application", "pdf"), "html": ("text", "html"), "zip": ("application", "zip")}
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["To"] = ", ".join(receivers)
    message.set_content(words)
    for name, data in files.items():
        main, sub = kinds.get(name.rsplit(".", 1)[-1], ("application", "octet-stream"))
        message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message
