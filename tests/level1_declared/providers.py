"""What the providers of a recorded run compute: from a resource's name alone, so that two runs can be compared."""

import zlib
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import mocks


class Provider(mocks.Mocks):
    """Adds to a resource's inputs what its real provider would compute."""

    def __init__(self, before: Mapping[str, Any], drawn: str) -> None:
        self._before = dict(before)
        self._drawn = drawn
        self.calls: list[dict[str, Any]] = []
        self._zones: dict[str, str] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        number = zlib.crc32(f"{args.typ} {args.name}".encode())
        role, _, digits = args.name.partition("-")
        place = int(digits) if digits.isdigit() else 0
        private = "10.80.16" if role == "shard" else "10.80.32"
        address = f"203.0.113.{place if role == 'bridge' else 200 + place}"
        if args.typ.endswith(":Subnet"):
            self._zones[str(number)] = args.inputs["availabilityZone"]
        computed: dict[str, dict[str, Any]] = {
            "Server": {
                "ipv4Address": address,
                "ipv6Address": f"2001:db8:{number >> 16:x}::1",
                "name": f"{args.name}-{number:08x}",
            },
            "Vpc": {"ipv6CidrBlock": "2001:db8:f00:ab00::/56"},
            "Instance": {
                "publicIp": address if role == "bridge" else "",
                "privateIp": f"{private}.{place}",
                "ipv6Addresses": [f"2001:db8:{number >> 16:x}::1"],
                "availabilityZone": self._zones.get(args.inputs.get("subnetId", ""), ""),
            },
            "Eip": {"publicIp": address},
            "KeyPair": {"keyName": f"{args.name}-{number:08x}"},
            "ServerNetwork": {"ip": f"{private}.{place}"},
            "PlacementGroup": {"name": f"{args.name}-{number:08x}"},
            "RandomPassword": {"result": f"password0{args.name}{self._drawn}".ljust(32, "x")},
            "PrivateKey": {
                "privateKeyPem": f"-----BEGIN EC PRIVATE KEY-----\n{args.name}\n-----END EC PRIVATE KEY-----\n",
                "privateKeyOpenssh": f"openssh private key of {args.name}",
                "publicKeyOpenssh": f"ssh-ed25519 {args.name}\n",
            },
            "CertRequest": {"certRequestPem": f"request {args.name}"},
            "SelfSignedCert": {"certPem": f"-----BEGIN CERTIFICATE-----\n{args.name}\n-----END CERTIFICATE-----\n"},
            "LocallySignedCert": {"certPem": f"-----BEGIN CERTIFICATE-----\n{args.name}\n-----END CERTIFICATE-----\n"},
            "Command": {"stdout": f"{args.name.removesuffix('-ready')} is ready: version 2.3.1-g0", "stderr": ""},
            "Stash": {"output": args.inputs.get("input")},
        }
        return args.resource_id or str(number), {**args.inputs, **computed.get(args.typ.split(":")[-1], {})}

    def call(self, args: mocks.MockCallArgs) -> Any:
        if args.token == "pulumi:pulumi:readStackOutputs":  # noqa: S105 - a function's name
            return {"name": args.args["name"], "outputs": self._before}
        if args.token == "aws:ec2/getAmi:getAmi":  # noqa: S105 - a function's name
            self.calls.append(args.args)
            (pattern,) = args.args["filters"][0]["values"]
            return {**args.args, "id": f"ami-{zlib.crc32(pattern.encode()):08x}"}
        raise AssertionError(f"the program asked the provider: {args.token}; an up without a change must make no call")
