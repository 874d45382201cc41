"""What each cloud asks of a stack file: shapes of values, defaults, limits, tokens.

Known before the cloud's own package is imported, so that mistakes are reported without it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

Kind = Literal["server_type", "image", "location"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a cloud's own names look: a pattern, what it is the pattern of, and an example."""

    pattern: str
    what: str
    example: str


@dataclass(frozen=True, kw_only=True)
class UserDataLimit:
    """Bytes of user-data that a server takes, packed: counted before base64 or after it."""

    most: int
    in_base64: bool

    def size(self, packed: str) -> int:
        """How much of it `packed`, which is base64, takes."""
        return len(packed) if self.in_base64 else len(packed) // 4 * 3 - packed[-2:].count("=")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One cloud's terms. Checks raise ValueError with the rule and the way out; settings go by their keys."""

    title: str
    """The cloud's name as people write it."""
    shapes: Mapping[Kind, Shape]
    defaults: Mapping[str, object]
    """What a setting is that the stack file leaves out."""
    required: Mapping[str, str] = field(default_factory=dict)
    """Settings that have no default in this cloud, with the way out."""
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Settings of other clouds, with what takes their place here."""
    max_admin_ranges: int
    user_data: UserDataLimit
    tokens: Mapping[str, str]
    """The provider's own keys that are secret, and the key that leads it away from the vendor's API."""
    region: Callable[[str], str]
    """Within it, hosts are near each other: of a location."""
    check_network: Callable[[IPv4Network], None]
    check_label: Callable[[str], None]
    """Of a label's key."""
    mistakes: Callable[[Mapping[str, str], tuple[str, ...]], Iterator[tuple[str, str]]]
    """Keys and texts of what is wrong between the provider's own configuration and the locations."""
