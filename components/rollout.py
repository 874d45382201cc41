"""Which bridges one `pulumi up` replaces, when what bridges are made of has changed.

The engine makes all new servers before it deletes the first old one, so a change of the server type would double the
pool at once. Instead, `replaceAtOnce` bridges get what is new; the others stay what they are, and the next `pulumi up`
goes on with them. What each was made of is read from the stack's own outputs of the last time.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pulumi


@dataclass(frozen=True)
class Build:
    """What a bridge is made of: its place, and a digest of that and all else but the generated secrets."""

    location: str
    rank: int
    digest: str

    def described(self) -> dict[str, Any]:
        return asdict(self)


def made(outputs: Mapping[str, Any]) -> dict[str, Build]:
    """What each bridge was made of, by name, from the outputs of the last run."""
    bridges = outputs.get("bridges") or []
    return {str(bridge["name"]): _build(bridge["madeFrom"]) for bridge in bridges if "madeFrom" in bridge}


def _build(described: Mapping[str, Any]) -> Build:
    return Build(str(described["location"]), int(described["rank"]), str(described["digest"]))


def plan(wanted: Mapping[str, Build], old: Mapping[str, Build], at_once: int) -> tuple[dict[str, Build], list[str]]:
    """What each bridge of `wanted` is to be made of in this run, and the names of those that wait for the next."""
    stale = [name for name, build in wanted.items() if name in old and old[name].digest != build.digest]
    waiting = stale[at_once:]
    return {name: old[name] if name in waiting else build for name, build in wanted.items()}, waiting


def versions(bridges: Collection[pulumi.Output[str]]) -> pulumi.Output[list[str]]:
    """The versions in use, as the bridges said when they were made; a warning where they differ.

    jicofo keeps each conference to one version, so bridges that differ are two pools.
    """
    found = pulumi.Output.all(*bridges).apply(lambda said: sorted({version for version in said if version}))
    found.apply(_warn_of_versions)
    return found


def _warn_of_versions(found: list[str]) -> None:
    if len(found) > 1:
        pulumi.log.warn(
            f"bridges run {len(found)} versions: {', '.join(found)}. Name one set in jitsiVersions and run pulumi up"
            " until no bridge waits"
        )


def warn(waiting: Collection[str], at_once: int) -> None:
    """Say what the engine does not show: that a change has not reached all."""
    if waiting:
        pulumi.log.warn(
            f"{len(waiting)} bridges stay as they were made: one run replaces {at_once} (replaceAtOnce). Run pulumi up"
            f" again for {', '.join(waiting)}"
        )
