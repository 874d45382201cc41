"""The Jitsi packages whose versions a stack may pin."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from components.rules.secret_shapes import shown
from components.rules.setting_types import text

PACKAGES = ("jitsi-videobridge2", "jicofo", "jitsi-meet-web", "jitsi-meet-web-config", "jitsi-meet-prosody")
# Debian policy 5.6.12: epoch, upstream version that starts with a digit, revision.
_VERSION = re.compile(r"([0-9]+:)?[0-9][A-Za-z0-9.+~-]{0,98}")


def package(value: object) -> str:
    """The name of a package that the cluster installs."""
    name = text(value)
    if name not in PACKAGES:
        near = get_close_matches(name, PACKAGES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"write versions for {', '.join(PACKAGES)}"
        raise ValueError(f"{shown(name)} is not a package whose version is a setting; {hint}")
    return name


def version(value: object) -> str:
    """An exact Debian version."""
    word = text(value)
    if not _VERSION.fullmatch(word):
        raise ValueError(
            f"{shown(word)} is not an exact Debian version; write one as `apt-cache madison` prints it, in full"
        )
    return word


def all_or_none(versions: Mapping[str, str]) -> Mapping[str, str]:
    """ValueError unless every package is pinned or none: upstream releases and tests them as one set."""
    absent = [name for name in PACKAGES if name not in versions]
    if versions and absent:
        raise ValueError(
            f"pins {len(versions)} of {len(PACKAGES)} packages; one pin requires all of them, otherwise the archive "
            f"decides the rest and nobody has tried the mix. Add {', '.join(absent)}, or remove all"
        )
    return versions
