"""SSH keys: a name and a public key, each unique in a project."""

import base64
import binascii
import hashlib

from ..call import Answer, Call, Routes
from . import labels, listing
from .actions import stamp
from .common import insert, renamed
from .errors import invalid, taken
from .validation import name, stored, text

KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-dss")


def fingerprint(public_key: str) -> str:
    """MD5 of the key's bytes in hex pairs, as the API shows it."""
    words = public_key.split()
    try:
        raw = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise invalid("public_key", "invalid SSH key") from error
    if words[0] not in KINDS or not raw[4:].startswith(words[0].encode()):
        raise invalid("public_key", "invalid SSH key")
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def create(call: Call) -> Answer:
    key = text(call.body.get("public_key"), "public_key")
    doc = {
        "name": name(call.body.get("name")),
        "fingerprint": fingerprint(key),
        "public_key": key,
        "labels": labels.checked(call.body.get("labels")),
        "created": stamp(call.now),
    }
    others = call.store.all("ssh_key", call.project)
    if any(other["fingerprint"] == doc["fingerprint"] for other in others):
        raise taken("SSH key with the same fingerprint", "public_key")
    return Answer(201, {"ssh_key": insert(call, "ssh_key", doc)})


def several(call: Call) -> Answer:
    return listing.page(call, "ssh_keys", call.store.all("ssh_key", call.project))


def one(call: Call) -> Answer:
    return Answer(200, {"ssh_key": stored(call, "ssh_key")})


def update(call: Call) -> Answer:
    return Answer(200, {"ssh_key": renamed(call, "ssh_key")})


def delete(call: Call) -> Answer:
    call.store.delete("ssh_key", call.project, stored(call, "ssh_key")["id"])
    return Answer(204)


ROUTES: Routes = [
    ("GET", "/ssh_keys", several),
    ("POST", "/ssh_keys", create),
    ("GET", "/ssh_keys/{id}", one),
    ("PUT", "/ssh_keys/{id}", update),
    ("DELETE", "/ssh_keys/{id}", delete),
]
