"""aws.ec2.getAmi: look an image up by owner and pattern."""

import re
from typing import Any

from local_cloud.plugins.aws.api import Api, Refused, doing
from local_cloud.plugins.aws.aws_resource import plain_tags
from local_cloud.plugins.values import Values, is_empty

TOKEN = "aws:ec2/getAmi:getAmi"  # noqa: S105 (a name of Pulumi's, no secret)
ARGUMENTS = (
    "allowUnsafeFilter",
    "executableUsers",
    "filters",
    "includeDeprecated",
    "mostRecent",
    "nameRegex",
    "owners",
    "region",
    "tags",
    "uefiData",
)
FIELDS = {
    "architecture": "Architecture",
    "bootMode": "BootMode",
    "creationDate": "CreationDate",
    "deprecationTime": "DeprecationTime",
    "description": "Description",
    "enaSupport": "EnaSupport",
    "hypervisor": "Hypervisor",
    "imageId": "ImageId",
    "imageLocation": "ImageLocation",
    "imageOwnerAlias": "ImageOwnerAlias",
    "imageType": "ImageType",
    "imdsSupport": "ImdsSupport",
    "kernelId": "KernelId",
    "lastLaunchedTime": "LastLaunchedTime",
    "name": "Name",
    "ownerId": "OwnerId",
    "platform": "Platform",
    "platformDetails": "PlatformDetails",
    "public": "Public",
    "ramdiskId": "RamdiskId",
    "rootDeviceName": "RootDeviceName",
    "rootDeviceType": "RootDeviceType",
    "sriovNetSupport": "SriovNetSupport",
    "state": "State",
    "tpmSupport": "TpmSupport",
    "usageOperation": "UsageOperation",
    "virtualizationType": "VirtualizationType",
}
BOOLEANS = ("enaSupport", "public")


def look_up(api: Api, arguments: Values) -> Values:
    """Answer with the one image that fits, or with `mostRecent` the newest; none is an error, and so are several."""
    unknown = sorted(arguments.keys() - set(ARGUMENTS))
    if unknown or not is_empty(arguments.get("uefiData")):
        raise Refused("", f"not part of this double: {', '.join(unknown) or 'uefiData'}")
    with doing("reading EC2 AMIs"):
        images = api.call(
            "describe_images",
            Owners=arguments.get("owners") or None,
            ExecutableUsers=arguments.get("executableUsers") or None,
            IncludeDeprecated=arguments.get("includeDeprecated"),
            Filters=[{"Name": one["name"], "Values": one["values"]} for one in arguments.get("filters") or []] or None,
        )["Images"]
    if pattern := arguments.get("nameRegex"):
        images = [image for image in images if re.search(pattern, image.get("Name", ""))]
    if not images:
        raise Refused("", "Your query returned no results. Please change your search criteria and try again.")
    if len(images) > 1 and not arguments.get("mostRecent"):
        text = (
            "Your query returned more than one result. Please try a more specific search criteria, or set "
            "`most_recent` attribute to true."
        )
        raise Refused("", text)
    return _described(api, max(images, key=lambda image: str(image["CreationDate"])), arguments)


def _described(api: Api, image: Values, arguments: Values) -> Values:
    values: dict[str, Any] = {key: image.get(name, False if key in BOOLEANS else "") for key, name in FIELDS.items()}
    given = {key: arguments[key] for key in ARGUMENTS if arguments.get(key) is not None}
    snapshots = [mapping["Ebs"]["SnapshotId"] for mapping in image.get("BlockDeviceMappings", []) if "Ebs" in mapping]
    return {
        **values,
        **given,
        "id": image["ImageId"],
        "arn": api.arn(f"image/{image['ImageId']}"),
        "blockDeviceMappings": [
            {
                "deviceName": mapping["DeviceName"],
                "ebs": {_camel(key): str(value).lower() for key, value in mapping.get("Ebs", {}).items()},
                "noDevice": "",
                "virtualName": "",
            }
            for mapping in image.get("BlockDeviceMappings", [])
        ],
        "productCodes": [],
        "region": api.region,
        "rootSnapshotId": snapshots[0] if snapshots else "",
        "stateReason": {"code": "UNSET", "message": "UNSET"},
        "tags": plain_tags(image.get("Tags")),
    }


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
