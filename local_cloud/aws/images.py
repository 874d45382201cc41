"""Debian's official images, as its account publishes them: several of a release, so that the newest must be chosen."""

import hashlib
from datetime import UTC, datetime
from typing import Any

OWNER = "136693071363"
ROOT_DEVICE = "/dev/xvda"
SIZE = 8  # GiB
BUILDS = ("20260112-1993", "20260914-2237", "20261109-2293")  # as Debian names them; these numbers are made up
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def images() -> list[dict[str, Any]]:
    """What moto's `Ami` is made from; the ids follow from the names."""
    return [
        {
            "ami_id": "ami-" + hashlib.sha256(name.encode()).hexdigest()[:17],
            "name": name,
            "description": f"Debian {release} ({build})",
            "owner_id": OWNER,
            "public": True,
            "virtualization_type": "hvm",
            "architecture": architecture,
            "hypervisor": "xen",
            "root_device_type": "ebs",
            "root_device_name": ROOT_DEVICE,
            "image_location": f"{OWNER}/{name}",
            "creation_date": datetime.strptime(build[:8], "%Y%m%d").replace(tzinfo=UTC),
        }
        for release in ("12", "13")
        for word, architecture in ARCHITECTURES.items()
        for build in BUILDS
        for name in [f"debian-{release}-{word}-{build}"]
    ]
