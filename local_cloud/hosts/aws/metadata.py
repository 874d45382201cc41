"""EC2's metadata service, at 169.254.169.254: each instance is told of itself, and of nobody else.

As AWS's documentation has it ("Use the Instance Metadata Service", instance metadata categories): tokens of a session
(IMDSv2), refused where somebody forwards, and answered so that they do not get further than the instance allows. All
versions are the latest. Left out is what a cluster has not: roles, spot, maintenance, events, tags.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ... import connections
from ...store import Doc

Tree = Mapping[str, "Tree | str"]

TTL_HEADER, TOKEN_HEADER = "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"
MOST_SECONDS = 21600
VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest")
ROUTERS_BETWEEN = 1  # the VPC's, which is no hop at AWS
STATUS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def routes(asking: Callable[[str], Doc | None]) -> list[Route]:
    """`asking` gives the instance that asks as this address."""
    tokens: dict[str, tuple[str, float]] = {}  # instance, and until when

    def instance(request: Request) -> Doc | None:
        return asking(request.client.host) if request.client else None

    async def token(request: Request) -> Response:
        doc = instance(request)
        if doc is None:
            return _refused(404)
        if not doc["metadata"]["enabled"] or "x-forwarded-for" in request.headers:
            return _refused(403)
        seconds = request.headers.get(TTL_HEADER, "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= MOST_SECONDS:
            return _refused(400)
        now = time.monotonic()
        for old in [old for old, (_, until) in tokens.items() if until < now]:
            del tokens[old]
        made = secrets.token_urlsafe(40)
        tokens[made] = doc["instance"], now + int(seconds)
        connections.bound_to(request, doc["metadata"]["hops"] + ROUTERS_BETWEEN)
        return PlainTextResponse(made, headers={TTL_HEADER: seconds})

    async def answer(request: Request) -> Response:
        doc = instance(request)
        version, path = request.path_params["version"], request.path_params["path"]
        if doc is None or version not in VERSIONS:
            return _refused(404)
        if not doc["metadata"]["enabled"]:
            return _refused(403)
        shown = request.headers.get(TOKEN_HEADER)
        if shown is None and doc["metadata"]["token_required"]:
            return _refused(401)
        if shown is not None:
            owner, until = tokens.get(shown, ("", 0.0))
            if owner != doc["instance"] or until < time.monotonic():
                return _refused(401)
        if path == "user-data":
            given = base64.b64decode(doc["user_data"])
            return Response(given, media_type="application/octet-stream") if given else _refused(404)
        if path.strip("/") == "meta-data/public-keys" and doc["key"]:
            return PlainTextResponse(f"0={doc['key']['name']}")  # the only place whose names are not paths
        return _found({"meta-data": metadata(doc), "dynamic": _dynamic(doc)}, path)

    return [
        Route("/latest/api/token", token, methods=["PUT"]),
        Route("/{version}/{path:path}", answer, methods=["GET"]),
    ]


def _refused(status: int) -> Response:
    return PlainTextResponse(f"{status} - {STATUS[status]}\n", status)


def _found(tree: Tree, path: str) -> Response:
    """A value, or the names at a place."""
    place: Tree | str = tree
    for part in filter(None, path.split("/")):
        if isinstance(place, str) or part not in place:
            return _refused(404)
        place = place[part]
    return PlainTextResponse(place if isinstance(place, str) else _listing(place))


def _listing(place: Tree) -> str:
    return "\n".join(name if isinstance(below, str) else f"{name}/" for name, below in place.items())


def metadata(doc: Doc) -> Tree:
    """The categories, without those that have nothing to say of this instance."""
    public: Tree = {"public-ipv4": doc["public_ipv4"]} if doc["public_ipv4"] else {}
    key: Tree = {} if not doc["key"] else {"public-keys": {"0": {"openssh-key": doc["key"]["public"]}}}
    return {
        "ami-id": doc["image_id"],
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": doc["root_device"], "root": doc["root_device"]},
        "hostname": doc["private_name"],
        "instance-action": "none",
        "instance-id": doc["instance"],
        "instance-life-cycle": "on-demand",
        "instance-type": doc["type"],
        **({"ipv6": doc["ipv6"][0]} if doc["ipv6"] else {}),
        "local-hostname": doc["private_name"],
        "local-ipv4": doc["private_ipv4"],
        "mac": doc["mac"],
        "network": {"interfaces": {"macs": {doc["mac"]: _interface(doc)}}},
        "placement": {
            "availability-zone": doc["zone"],
            **({"group-name": doc["placement_group"]} if doc["placement_group"] else {}),
            "region": doc["region"],
        },
        "profile": "default-hvm",
        **public,
        **key,
        "reservation-id": doc["reservation"],
        "security-groups": "\n".join(doc["security_groups"]),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }


def _interface(doc: Doc) -> Tree:
    network, public = doc["network"], doc["public_ipv4"]
    associated: Tree = {"ipv4-associations": {public: doc["private_ipv4"]}, "public-ipv4s": public} if public else {}
    ipv6: Tree = {
        "ipv6s": "\n".join(doc["ipv6"]),
        "subnet-ipv6-cidr-blocks": network["subnet_ipv6"],
        "vpc-ipv6-cidr-blocks": "\n".join(network["vpc_ipv6"]),
    }
    return {
        "device-number": "0",
        "interface-id": doc["interface"],
        **associated,
        "local-hostname": doc["private_name"],
        "local-ipv4s": doc["private_ipv4"],
        "mac": doc["mac"],
        "owner-id": doc["owner"],
        "security-group-ids": "\n".join(doc["security_groups"]),
        "subnet-id": doc["subnet"],
        "subnet-ipv4-cidr-block": network["subnet_ipv4"],
        "vpc-id": doc["vpc"],
        "vpc-ipv4-cidr-block": network["vpc_ipv4"],
        "vpc-ipv4-cidr-blocks": network["vpc_ipv4"],
        **(ipv6 if doc["ipv6"] else {}),
    }


def _dynamic(doc: Doc) -> Tree:
    document = {
        "accountId": doc["owner"],
        "architecture": doc["architecture"],
        "availabilityZone": doc["zone"],
        "imageId": doc["image_id"],
        "instanceId": doc["instance"],
        "instanceType": doc["type"],
        "pendingTime": doc["launched"],
        "privateIp": doc["private_ipv4"],
        "region": doc["region"],
        "version": "2017-09-30",
    }
    return {"instance-identity": {"document": json.dumps(document, indent=2)}}
