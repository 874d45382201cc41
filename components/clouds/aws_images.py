"""Debian's own AMIs. What is found is for new servers; a running one keeps the AMI that it was made from."""

import re

import pulumi
from pulumi_aws import ec2

DEBIAN = "136693071363"
"""Debian's account; its images are named debian-12-amd64-20261101-2294 and the like."""
# After the generation's number come letters for what the processor is: g is Graviton.
_GRAVITON = re.compile(r"a1|[a-z]+[0-9]+[a-z]*g[a-z]*")


def architecture(instance_type: str) -> str:
    """As Debian calls it."""
    return "arm64" if _GRAVITON.fullmatch(instance_type.partition(".")[0]) else "amd64"


def image_id(image: str, processor: str, *, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The id of the newest AMI of a Debian release for this architecture; an id stands for itself."""
    if image.startswith("ami-"):
        return pulumi.Output.from_input(image)
    found = ec2.get_ami_output(
        most_recent=True,
        owners=[DEBIAN],
        filters=[ec2.GetAmiFilterArgs(name="name", values=[f"{image}-{processor}-*"])],
        opts=pulumi.InvokeOutputOptions(parent=parent),
    )
    return found.id
