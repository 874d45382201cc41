"""The provider: its configuration and its resources."""

import os

from local_cloud.plugins.hcloud.api import VERSION, Api, seconds
from local_cloud.plugins.hcloud.firewall import Firewall
from local_cloud.plugins.hcloud.hcloud_resource import HcloudResource
from local_cloud.plugins.hcloud.network import Network
from local_cloud.plugins.hcloud.network_subnet import NetworkSubnet
from local_cloud.plugins.hcloud.placement_group import PlacementGroup
from local_cloud.plugins.hcloud.server import Server
from local_cloud.plugins.hcloud.server_network import ServerNetwork
from local_cloud.plugins.hcloud.ssh_key import SshKey
from local_cloud.plugins.provider import Provider
from local_cloud.plugins.resource import ProviderError
from local_cloud.plugins.values import UNKNOWN, Values

KEYS = {"version", "token", "endpoint", "endpointHetzner", "pollInterval", "pollFunction"}
OFFICIAL = "https://api.hetzner.cloud/v1"
RESOURCES: tuple[type[HcloudResource], ...] = (
    SshKey,
    Network,
    NetworkSubnet,
    Firewall,
    PlacementGroup,
    Server,
    ServerNetwork,
)


class HcloudProvider(Provider):
    """Configured by the stack's keys `hcloud:...` or by HCLOUD_TOKEN and HCLOUD_ENDPOINT."""

    accepts_resources = False

    def __init__(self) -> None:
        self._api: Api | None = None
        super().__init__("hcloud", VERSION, [resource(self.api) for resource in RESOURCES])

    def api(self) -> Api:
        """Return the configured API."""
        if self._api is None:
            raise ProviderError("hcloud: the provider's configuration is not known yet")
        return self._api

    def check_config(self, news: Values) -> tuple[Values, dict[str, str]]:
        return news, {key: f"Unknown property '{key}'" for key in sorted(news.keys() - KEYS)}

    def configure(self, config: Values) -> None:
        if UNKNOWN in config.values():
            return
        self._api = Api(
            endpoint=config.get("endpoint") or os.environ.get("HCLOUD_ENDPOINT") or OFFICIAL,
            token=config.get("token") or os.environ.get("HCLOUD_TOKEN") or "",
            poll_interval=seconds(config.get("pollInterval") or "500ms"),
            constant=config.get("pollFunction") == "constant",
        )
