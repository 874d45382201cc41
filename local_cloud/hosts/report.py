"""What `status` says of hosts."""

from ..store import Doc
from .machines import Machines


def entry(
    machines: Machines,
    number: int,
    *,
    name: str,
    instance: str,
    status: str,
    public: str | None,
    private: list[str],
) -> Doc:
    """One server: what its API says of it, and what its host does. `instance` is the API's own id of it."""
    machine = machines.find(number)
    return {
        "id": number,
        "name": name,
        "instance": instance,
        "status": status,
        "public": public,
        "private": private,
        "init": machine and machine.init,
        "since": machine and machine.since,
        "cloud_init": machine.cloud_init() if machine else None,
        "folder": str(machines.folder(number)),
    }
