"""aws.ec2.RouteTable, aws.ec2.Route and aws.ec2.RouteTableAssociation."""

import zlib
from typing import Any, ClassVar

from local_cloud.plugins.aws.api import MINUTE, again, doing, if_there
from local_cloud.plugins.aws.aws_resource import REGION, TAGS, AwsResource
from local_cloud.plugins.resource import Call, Created, Input
from local_cloud.plugins.values import Values, is_empty

NO_TABLE = "InvalidRouteTableID.NotFound"
NO_ASSOCIATION = "InvalidAssociationID.NotFound"
DESTINATIONS = {"destinationCidrBlock": "DestinationCidrBlock", "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock"}


class RouteTable(AwsResource):
    """A table of routes; inline routes are not part of the double, but a read tells those that other resources made."""

    type = "aws:ec2/routeTable:RouteTable"
    label = "Route Table"
    tagged = "route-table"
    inputs: ClassVar = {"vpcId": Input(required=True, replaces=True), **REGION, **TAGS}
    absent = ("propagatingVgws", "routes")
    computed = ("arn", "ownerId", "propagatingVgws", "routes", "tagsAll")

    def create(self, call: Call, inputs: Values) -> Created:  # noqa: ARG002
        with doing(f"creating {self.label}"):
            specifications = self.tag_specifications(inputs)
            made = self.api.call("create_route_table", VpcId=inputs["vpcId"], TagSpecifications=specifications)
        id = made["RouteTable"]["RouteTableId"]
        return Created(id, self.now(id, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        self.retag(id, olds, news)
        return self.now(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        table = self.found(id)
        for association in (table or {}).get("Associations", []):
            with doing(f"deleting {self.label} ({id}) Association"):
                one = association["RouteTableAssociationId"]
                if_there(lambda: self.api.call("disassociate_route_table", AssociationId=one), NO_ASSOCIATION)  # noqa: B023
        delete: Any = lambda: self.api.call("delete_route_table", RouteTableId=id)  # noqa: E731
        self.remove(call, f"deleting {self.label} ({id})", 5 * MINUTE, (), (NO_TABLE,), delete)

    def found(self, id: str) -> Values | None:
        answer = if_there(lambda: self.api.call("describe_route_tables", RouteTableIds=[id]), NO_TABLE)
        return answer["RouteTables"][0] if answer else None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        owner = found.get("OwnerId", "")
        routes = [route for route in found.get("Routes", []) if route.get("GatewayId") != "local"]
        return {
            "arn": self.api.arn(f"route-table/{found['RouteTableId']}", owner),
            "ownerId": owner,
            "vpcId": found["VpcId"],
            "propagatingVgws": [],
            "routes": [
                {
                    "cidrBlock": route.get("DestinationCidrBlock", ""),
                    "ipv6CidrBlock": route.get("DestinationIpv6CidrBlock", ""),
                    "gatewayId": route.get("GatewayId", ""),
                }
                for route in routes
            ],
        }


class Route(AwsResource):
    """One route to a gateway. Its id follows from the table and the destination."""

    type = "aws:ec2/route:Route"
    label = "Route"
    inputs: ClassVar = {
        "routeTableId": Input(required=True, replaces=True),
        "destinationCidrBlock": Input(replaces=True),
        "destinationIpv6CidrBlock": Input(replaces=True),
        "gatewayId": Input(),
        **REGION,
    }
    absent = (
        "carrierGatewayId",
        "coreNetworkArn",
        "destinationPrefixListId",
        "egressOnlyGatewayId",
        "localGatewayId",
        "natGatewayId",
        "networkInterfaceId",
        "odbNetworkArn",
        "transitGatewayId",
        "vpcEndpointId",
        "vpcPeeringConnectionId",
    )
    computed = ("instanceId", "instanceOwnerId", "networkInterfaceId", "origin", "state")

    def create(self, call: Call, inputs: Values) -> Created:
        table, destination = inputs["routeTableId"], _destination(inputs)
        with doing(f"creating Route in Route Table ({table}) with destination ({next(iter(destination.values()))})"):
            again(
                call.cancelled,
                5 * MINUTE,
                ("InvalidParameterException", "InvalidTransitGatewayID.NotFound"),
                lambda: self.api.call(
                    "create_route", RouteTableId=table, GatewayId=inputs.get("gatewayId"), **destination
                ),
            )
        id = f"r-{table}{zlib.crc32(next(iter(destination.values())).encode())}"
        return Created(id, self._there(id, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        table, destination = news["routeTableId"], _destination(news)
        with doing(f"updating Route in Route Table ({table}) with destination ({next(iter(destination.values()))})"):
            self.api.call("replace_route", RouteTableId=table, GatewayId=news.get("gatewayId"), **destination)
        return self._there(id, news)

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        table, destination = olds["routeTableId"], _destination(olds)
        what = f"deleting Route in Route Table ({table}) with destination ({next(iter(destination.values()))})"
        delete: Any = lambda: self.api.call("delete_route", RouteTableId=table, **destination)  # noqa: E731
        busy = ("InvalidParameterException",)
        self.remove(call, what, 5 * MINUTE, busy, ("InvalidRoute.NotFound", NO_TABLE), delete)

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        with doing(f"reading Route ({id})"):
            outputs = self._outputs(olds)
        return None if outputs is None else ({"id": id} | outputs, {**inputs})

    def _there(self, id: str, inputs: Values) -> Values:
        outputs = self._outputs(inputs)
        assert outputs is not None, f"route {id} is missing after its creation"
        return outputs

    def _outputs(self, inputs: Values) -> Values | None:
        table, destination = inputs["routeTableId"], _destination(inputs)
        answer = if_there(lambda: self.api.call("describe_route_tables", RouteTableIds=[table]), NO_TABLE)
        for route in answer["RouteTables"][0]["Routes"] if answer else []:
            if all(route.get(key) == value for key, value in destination.items()):
                return {
                    "routeTableId": table,
                    "destinationCidrBlock": route.get("DestinationCidrBlock", ""),
                    "destinationIpv6CidrBlock": route.get("DestinationIpv6CidrBlock", ""),
                    "gatewayId": route.get("GatewayId", ""),
                    "instanceId": "",
                    "instanceOwnerId": "",
                    "networkInterfaceId": "",
                    "origin": route.get("Origin", ""),
                    "state": route.get("State", ""),
                    "region": self.api.region,
                }
        return None


def _destination(values: Values) -> Values:
    return {name: values[key] for key, name in DESTINATIONS.items() if not is_empty(values.get(key))}


class RouteTableAssociation(AwsResource):
    """Which table holds for a subnet. Another table is an update, and gives the association another id."""

    type = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    label = "Route Table Association"
    inputs: ClassVar = {
        "routeTableId": Input(required=True),
        "subnetId": Input(replaces=True),
        **REGION,
    }
    absent = ("gatewayId",)

    def create(self, call: Call, inputs: Values) -> Created:
        table = inputs["routeTableId"]
        with doing(f"creating Route Table ({table}) Association"):
            made = again(
                call.cancelled,
                5 * MINUTE,
                (NO_TABLE,),
                lambda: self.api.call("associate_route_table", RouteTableId=table, SubnetId=inputs.get("subnetId")),
            )
        id = made["AssociationId"]
        return Created(id, self.now(id, inputs))

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:  # noqa: ARG002
        with doing(f"updating Route Table Association ({id})"):
            made = self.api.call("replace_route_table_association", AssociationId=id, RouteTableId=news["routeTableId"])
        fresh = made["NewAssociationId"]
        return {**self.now(fresh, news), "id": fresh}

    def delete(self, call: Call, id: str, olds: Values) -> None:  # noqa: ARG002
        delete: Any = lambda: self.api.call("disassociate_route_table", AssociationId=id)  # noqa: E731
        self.remove(call, f"deleting Route Table Association ({id})", 5 * MINUTE, (), (NO_ASSOCIATION,), delete)

    def found(self, id: str) -> Values | None:
        filters = [{"Name": "association.route-table-association-id", "Values": [id]}]
        for table in self.api.call("describe_route_tables", Filters=filters)["RouteTables"]:
            for association in table["Associations"]:
                if association["RouteTableAssociationId"] == id:
                    return dict(association)
        return None

    def outputs(self, found: Values, inputs: Values) -> Values:  # noqa: ARG002
        return {"routeTableId": found["RouteTableId"], "subnetId": found.get("SubnetId", ""), "gatewayId": ""}
