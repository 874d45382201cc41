"""What the last `pulumi up` of this stack left, as its outputs say it."""

from collections.abc import Mapping
from typing import Any

import pulumi


def outputs() -> Mapping[str, Any]:
    """The stack's outputs before this run; empty at the first. Numbers are floating point."""
    stack = "/".join((pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack()))
    # Not a StackReference, which would be a resource of the stack and a line in its every preview.
    asked = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack})
    return dict((asked.value or {}).get("outputs") or {})


def check_drain(before: Mapping[str, Any], drain: bool) -> None:
    """pulumi.RunError when a cluster that was made with drains is to go on without.

    It would take the drains themselves out of the stack, and the deletion of a drain drains: all bridges at once.
    """
    if before.get("drain") and not drain:
        raise pulumi.RunError(
            "drain cannot be turned off while the cluster exists: it would drain all bridges at once. Set it back with "
            "`pulumi config set drain true`; to let bridges go without a wait for their calls, set drainMinutes to 0"
        )
