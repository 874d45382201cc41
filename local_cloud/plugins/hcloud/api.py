"""Calls to the Hetzner Cloud API through Hetzner's own client, with the waiting and the error texts of the plugin."""

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from hcloud import APIException, Client

from local_cloud.plugins.loopback import is_loopback
from local_cloud.plugins.resource import ProviderError

VERSION = "1.39.1"
PLUGIN_CAP = 60.0
"""Longest delay in seconds between two looks at an action; 10 in the half of the plugin on the plugin framework."""
FRAMEWORK_CAP = 10.0
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Refused(ProviderError):  # noqa: N818
    """The API refused a call; `code` is the API's own."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"1 error occurred:\n\t* {text}\n\n")
        self.code = code


class Api:
    """The API of one project.

    poll_interval: seconds before the first look at an action; it doubles with each look unless `constant`.
    """

    def __init__(self, endpoint: str, token: str, poll_interval: float = 0.5, constant: bool = False) -> None:
        _require_loopback(endpoint)
        if len(token) != 64:
            raise ProviderError("hcloud:token must be exactly 64 characters long, as in the Hetzner Cloud console")
        self.endpoint, self.token = endpoint.rstrip("/"), token
        self.poll_interval, self.constant = poll_interval, constant
        self._clients = threading.local()

    def _client(self) -> Client:
        """One client per thread: its connections are not made to be shared."""
        if not hasattr(self._clients, "client"):
            name = "jitsi-fleet-hcloud-double"
            self._clients.client = Client(
                self.token, self.endpoint, application_name=name, application_version=VERSION, timeout=60
            )
        client: Client = self._clients.client
        return client

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Make one call; conflicts and rate limits are tried again by the client, up to five times."""
        options = {"json": body} if body is not None else {}
        try:
            return self._client().request(method, path, params=query, **options)
        except APIException as error:
            code = str(error.code)
            details = f"{code}, {error.correlation_id}" if error.correlation_id else code
            raise Refused("not_found" if code == "404" else code, f"{error.message} ({details})") from error
        except OSError as error:
            raise ProviderError(f"1 error occurred:\n\t* {method} {path}: {error}\n\n") from error

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Make one GET call."""
        return self.call("GET", path, **query)

    def find(self, kind: str, id: str) -> dict[str, Any] | None:
        """Look for `/kind/id`; gone means a second look by that name, as the plugin does, and None."""
        try:
            return one(self.get(f"/{kind}/{id}"))
        except Refused as refusal:
            if refusal.code != "not_found":
                raise
        named: list[dict[str, Any]] = self.get(f"/{kind}", name=id)[kind]
        return named[0] if named else None

    def look_up(self, kind: str, id_or_name: str, **query: Any) -> dict[str, Any]:
        """Return a thing that must exist, by number or by name."""
        if id_or_name.isdigit():
            found = self.find(kind, id_or_name)
        else:
            found = next(iter(self.get(f"/{kind}", name=id_or_name, **query)[kind]), None)
        if found is None:
            raise ProviderError(
                f"1 error occurred:\n\t* {kind.rstrip('s').replace('_', ' ')} {id_or_name} not found\n\n"
            )
        return found

    def wait(self, cancelled: threading.Event, *actions: Mapping[str, Any] | None, cap: float = PLUGIN_CAP) -> None:
        """Wait until all actions have succeeded; raise the error of the one that failed."""
        known = {action["id"]: action for action in actions if action is not None}
        delay = self.poll_interval
        while pending := [id for id, action in known.items() if action["status"] == "running"]:
            if cancelled.wait(delay):
                raise ProviderError("1 error occurred:\n\t* context canceled\n\n")
            answer = self.get("/actions", id=pending[:25], page=1, sort=["status", "id"])["actions"]
            missing = set(pending[:25]) - {action["id"] for action in answer}
            if missing:
                raise ProviderError(f"1 error occurred:\n\t* actions not found: {sorted(missing)}\n\n")
            known |= {action["id"]: action for action in answer}
            delay = delay if self.constant else min(delay * 2, cap)
        for action in known.values():
            if action["status"] == "error":
                error = action["error"]
                raise Refused(error["code"], f"{error['message']} ({error['code']}, {action['id']})")

    def again(self, cancelled: threading.Event, tries: int, codes: tuple[str, ...], call: Callable[[], Any]) -> Any:
        """Repeat a call while it is refused with one of these codes, after 1, 2, 4, ... at most 16 seconds."""
        for attempt in range(tries - 1):
            try:
                return call()
            except Refused as refusal:
                if refusal.code not in codes or cancelled.wait(min(2.0**attempt, 16.0)):
                    raise
        return call()


def one(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the thing of an answer of the form {"server": {...}, ...}."""
    kinds = ("server", "network", "firewall", "placement_group", "ssh_key", "server_type", "image")
    thing: dict[str, Any] = next(answer[kind] for kind in kinds if kind in answer)
    return thing


def seconds(duration: str) -> float:
    """Read a duration as Go writes them: 500ms, 2s, 1m30s."""
    parts = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h)", duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ProviderError(f"hcloud:pollInterval: {duration!r} is not a duration such as 500ms or 2s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _require_loopback(endpoint: str) -> None:
    if not is_loopback(endpoint):
        raise ProviderError(
            f"hcloud:endpoint is {endpoint}, but this is a double of the hcloud plugin, which speaks to the embedded "
            "cloud on this machine (127.0.0.1) only. For a real account, install the official plugin: "
            f"pulumi plugin install resource hcloud {VERSION}"
        )
