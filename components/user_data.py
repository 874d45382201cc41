"""Renders the user-data that a role's servers boot from, out of cloud_init/<role>/.

`user-data.yaml.j2` is the cloud-config; below `files/` (the role's own and those in cloud_init/common/) lies what it
writes, in a tree that mirrors the machine's root. Files that end in .j2 are filled in, `DOMAIN` in a file's name
is the cluster's domain, the executable bit is kept, and lines that only comment stay here: user-data is small, and the
state holds every server's copy. It travels compressed. The same values give the same bytes: anything else would leave a
signaling node with a change that waits although nothing has changed.
"""

import base64
import gzip
import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pulumi
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.clouds.terms import UserDataLimit
from components.doors import AddressPlan, Door, Role, doors_of, source_ranges

CLOUD_INIT = Path(__file__).parent.parent / "cloud_init"

# A line that is blank or a comment of shell, Lua or apt; not an interpreter line, and not what PEM consists of.
_COMMENT = re.compile(r"^[ \t]*(#(?!!).*|--[ \t].*|//[ \t].*)?\n", re.MULTILINE)
_SECRET = {"secret": True}
# libyaml's, which writes the same text 30 times as fast; every published PyYAML has it.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _noise(lines: int) -> str:
    """`lines` of 64 characters that compress as badly as what they stand for, and are the same in every run."""
    blocks = (hashlib.sha512(f"{lines} {number}".encode()).digest()[:48] for number in range(lines))
    return "".join(base64.b64encode(block).decode() + "\n" for block in blocks)


# Longer than what credentials.py makes, also for the longest domain.
_PASSWORD = _noise(1)[:32]
_CERTIFICATE = _noise(18)
_KEY = _noise(5)


@dataclass(frozen=True, kw_only=True)
class SignalingValues:
    """What a signaling node's user-data is made of; certificates and keys are PEM, those of SSH as OpenSSH writes them.

    The host shows `host_key` to whoever connects by SSH; `rotation_public_key` may name the operations key there.
    """

    role: ClassVar[Role] = "signaling"
    domain: str
    tls: str
    email: str
    admin_keys: tuple[str, ...]
    jitsi_versions: Mapping[str, str]
    plan: AddressPlan
    region: str
    jvb_password: str = field(repr=False, metadata=_SECRET)
    focus_password: str = field(repr=False, metadata=_SECRET)
    ca_certificate: str
    auth_certificate: str
    auth_key: str = field(repr=False, metadata=_SECRET)
    web_certificate: str
    web_key: str = field(repr=False, metadata=_SECRET)
    host_key: str = field(repr=False, metadata=_SECRET)
    host_public_key: str
    rotation_public_key: str


@dataclass(frozen=True, kw_only=True)
class BridgeValues:
    """What a bridge's user-data is made of; `shard_host` is the signaling node's name on the private side."""

    role: ClassVar[Role] = "bridge"
    domain: str
    region: str
    admin_keys: tuple[str, ...]
    jitsi_versions: Mapping[str, str]
    plan: AddressPlan
    jvb_password: str = field(repr=False, metadata=_SECRET)
    ca_certificate: str
    shard_host: str


SIGNALING_PLACEHOLDERS: Mapping[str, str] = {
    "jvb_password": _PASSWORD,
    "focus_password": _PASSWORD,
    "ca_certificate": _CERTIFICATE,
    "auth_certificate": _CERTIFICATE,
    "auth_key": _KEY,
    "web_certificate": _CERTIFICATE,
    "web_key": _KEY,
    "host_key": _noise(8),
    "host_public_key": _noise(2)[:100],
    "rotation_public_key": _noise(3)[:100],
}
"""Stand in for what only the engine knows, so that sizes can be checked before any resource is declared."""
BRIDGE_PLACEHOLDERS: Mapping[str, str] = {"jvb_password": _PASSWORD, "ca_certificate": _CERTIFICATE}


def user_data(values: SignalingValues | BridgeValues) -> str:
    """The whole user-data as plain text."""
    context = _context(values)
    files = [_written(path, source, values, context) for path, source in shipped(values.role, values.domain)]
    return _environment().get_template(f"{values.role}/user-data.yaml.j2").render(context, files=files)


def packed(text: str) -> str:
    """`text` as gzip in base64, for clouds that take text; cloud-init unpacks it by itself."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def check_size(values: SignalingValues | BridgeValues, limit: UserDataLimit) -> None:
    """pulumi.RunError when the user-data of `values`, whose secrets are placeholders, is too large for the cloud."""
    size = limit.size(packed(user_data(values)))
    if size > limit.most:
        without = size - limit.size(packed(user_data(replace(values, admin_keys=()))))
        raise pulumi.RunError(
            f"The user-data of the {values.role} role has {size} bytes, and the cloud takes at most {limit.most}: no "
            f"server could be made. adminKeys ({len(values.admin_keys)} keys) accounts for {without} bytes of it. "
            "Remove keys, shorten their comments, or use Ed25519 keys, which are a fifth as long as RSA ones."
        )


def shipped(role: Role, domain: str) -> Iterator[tuple[str, Path]]:
    """Each file that the role's hosts get, by its absolute path on the host, in a stable order."""
    found: dict[str, Path] = {}
    for tree in (CLOUD_INIT / "common/files", CLOUD_INIT / role / "files"):
        for source in tree.rglob("*"):
            if source.is_file():
                path = "/" + source.relative_to(tree).as_posix().removesuffix(".j2").replace("DOMAIN", domain)
                if path in found:
                    raise ValueError(f"{path} is shipped twice: by {found[path]} and by {source}")
                found[path] = source
    yield from sorted(found.items())


def _written(
    path: str, source: Path, values: SignalingValues | BridgeValues, context: Mapping[str, Any]
) -> dict[str, str]:
    """One entry of write_files. A file that holds a secret is the owner's alone."""
    name = source.relative_to(CLOUD_INIT).as_posix()
    content = _environment().get_template(name).render(context) if source.suffix == ".j2" else source.read_text()
    content = _COMMENT.sub("", content)
    secrets = [getattr(values, each.name).strip() for each in fields(values) if each.metadata.get("secret")]
    private = any(secret in content for secret in secrets)
    mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
    return {"path": path, "permissions": f"{mode & 0o700 if private else mode:04o}", "content": content}


def _context(values: SignalingValues | BridgeValues) -> dict[str, Any]:
    plain = {each.name: getattr(values, each.name) for each in fields(values)}
    doors = [
        {
            "protocol": door.protocol,
            "port": door.port,
            "why": door.why,
            "untracked": door.protocol == "udp" and door.source == "world",
            "from": _matches(door, values.plan),
        }
        for door in doors_of(values.role)
    ]
    return plain | {"role": values.role, "doors": doors, "subnet": values.plan.subnet(values.role)}


def _matches(door: Door, plan: AddressPlan) -> list[str]:
    """How nftables tells who may use a door.

    Administrators are told apart by the cloud's firewall alone, which follows a change of adminCidrs at once: here
    it would be part of the user-data, and would replace every bridge. This side only keeps the private network out.
    """
    if door.source == "admins":
        return [f"ip saddr != {plan.network}", "meta nfproto ipv6"]
    ranges = source_ranges(door.source, plan, ())
    by_family = {"ip saddr": [each for each in ranges if ":" not in each], "ip6 saddr": [e for e in ranges if ":" in e]}
    return [f"{family} {{ {', '.join(members)} }}" for family, members in by_family.items() if members]


def _yaml_scalar(text: str) -> str:
    """`text` as a YAML string on one line, whatever it holds."""
    dumped: str = yaml.dump(text, Dumper=_DUMPER, default_style='"', allow_unicode=True, width=2**31 - 1)
    return dumped.rstrip("\n")


def _quoted(text: str) -> str:
    """`text` as a string that HOCON, Lua and JavaScript read alike; refuses what they would read differently."""
    if not text.isprintable():
        raise ValueError("a value for a configuration file has control characters")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@cache
def _environment() -> Environment:
    # No HTML is made here, so nothing is escaped for HTML: each format has its own filter.
    environment = Environment(
        loader=FileSystemLoader(CLOUD_INIT),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(yaml=_yaml_scalar, shell=shlex.quote, quoted=_quoted)
    return environment
