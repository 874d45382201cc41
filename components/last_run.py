"""What the last `pulumi up` of this stack left, as its outputs say it."""

import time
from collections.abc import Mapping
from typing import Any

import pulumi

# The engine writes the state file while this reads it, and a file backend does not do both parts of it in one step:
# a reader may find an empty one (seen: "failed to load checkpoint: EOF").
TRIES, PAUSE_SECONDS = 20, 0.25


def outputs() -> Mapping[str, Any]:
    """The stack's outputs before this run; empty at the first. Numbers are floating point."""
    stack = "/".join((pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack()))
    for tries_left in reversed(range(TRIES)):
        try:
            # Not a StackReference, which would be a resource of the stack and a line in its every preview.
            asked = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
            return dict((asked.value or {}).get("outputs") or {})
        except Exception as error:
            if not tries_left or "failed to load checkpoint" not in str(error):
                raise
            time.sleep(PAUSE_SECONDS)
    raise AssertionError("unreachable")


def shard_locations(before: Mapping[str, Any]) -> set[str]:
    """Where the signaling nodes of the last run stand, which a location that waits has not reached."""
    return {str(shard["location"]) for shard in before.get("shards") or []}


def check_cloud(before: Mapping[str, Any], cloud: str) -> None:
    """pulumi.RunError when a cluster is to go on in another cloud: all of it would be made anew and then deleted."""
    old = (before.get("cluster") or {}).get("cloud", cloud)
    if old != cloud:
        raise pulumi.RunError(
            f"cloud cannot change from {old} to {cloud} while the cluster exists: no call would outlive it. Set it "
            f"back with `pulumi config set cloud {old}`, and build a second stack for {cloud}"
        )


def check_drain(before: Mapping[str, Any], drain: bool) -> None:
    """pulumi.RunError when a cluster that was made with drains is to go on without.

    It would take the drains themselves out of the stack, and the deletion of a drain drains: all bridges at once.
    """
    if before.get("drain") and not drain:
        raise pulumi.RunError(
            "drain cannot be turned off while the cluster exists: it would drain all bridges at once. Set it back with "
            "`pulumi config set drain true`; to let bridges go without a wait for their calls, set drainMinutes to 0"
        )
