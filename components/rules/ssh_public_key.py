"""Public keys of the people who operate the cluster, as one line of OpenSSH's `authorized_keys`.

Nothing here repeats a value in a message: what is pasted by mistake may be the private half.
"""

import base64
import binascii

KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_HINT = "give the one line of the file that ends in .pub, such as ~/.ssh/id_ed25519.pub"


def checked(text: str) -> str:
    """`text` as type, body and comment with single spaces; ValueError names the rule, never the value."""
    if not text.isprintable():
        raise ValueError(f"has several lines or control characters, which a public key has not; {_HINT}")
    kind, _, rest = text.strip().partition(" ")
    if kind not in KEY_TYPES:
        raise ValueError(
            f"does not start with a key type that Debian's SSH server takes ({', '.join(KEY_TYPES)}); {_HINT}"
        )
    body, *comment = rest.split() or [""]
    if not _is_key(body, kind):
        raise ValueError(f"has a damaged key after {kind} (cut off, or not base64); {_HINT}")
    return " ".join((kind, body, *comment))


def distinct(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys, if none is there twice; comments do not make a difference."""
    bodies = [key.split()[1] for key in keys]
    repeated = [i for i, body in enumerate(bodies) if body in bodies[:i]]
    if repeated:
        raise ValueError(f"has the same key twice; remove entry {', '.join(str(i + 1) for i in repeated)}")
    return keys


def _is_key(body: str, kind: str) -> bool:
    """Whether `body` is base64 of length-prefixed fields (RFC 4253, section 6.6), the first of which is `kind`."""
    try:
        rest = base64.b64decode(body, validate=True)
    except binascii.Error:
        return False
    fields = []
    while len(rest) >= 4:
        length = int.from_bytes(rest[:4], "big")
        fields.append(rest[4 : 4 + length])
        if len(fields[-1]) < length:
            return False
        rest = rest[4 + length :]
    return not rest and len(fields) >= 2 and fields[0] == kind.encode()
