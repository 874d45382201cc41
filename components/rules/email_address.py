"""The address that Let's Encrypt writes to."""

import re

from components.rules import domain_name
from components.rules.secret_shapes import shown

# RFC 5321 allows more before the @, such as quotes and dollar signs; nobody operates a cluster from such an address,
# and this one goes through a shell and debconf on the host.
_MAILBOX = re.compile(r"[A-Za-z0-9_+=-]+(\.[A-Za-z0-9_+=-]+)*")


def checked(text: str) -> str:
    """`text` with its domain in canonical form; ValueError names the rule."""
    mailbox, at, domain = text.rpartition("@")
    if not at or len(mailbox) > 64 or not _MAILBOX.fullmatch(mailbox):
        raise ValueError(f"{shown(text)} is not a mail address; write one such as operations@example.org")
    try:
        return f"{mailbox}@{domain_name.normalise(domain)}"
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a mail address: what follows the @ {error}") from None
