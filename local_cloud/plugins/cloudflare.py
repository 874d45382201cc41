"""Double of pulumi-cloudflare 6.17.0: DnsRecord, on Cloudflare's own Python client.

Recorded: one POST without a read-back, a PUT of the whole record, one DELETE, one GET per refresh; 404 on a refresh
drops the record from the state. As in the real plugin, a record that is gone already is an error on update and
delete. Retries are the client's: up to 10 on connection errors, 408, 409, 429 and 5xx, after `Retry-After` where it is
given and below a minute, else with growing pauses.

Different on purpose: base addresses beyond loopback are refused; an API token is the only way to log in; the pauses
grow to 8 s, not 30; `comment` changes are reported without `commentModifiedOn` (no recording shows it).
"""

# ruff: noqa: ARG002 (the signatures are those of the base)

import os
import re
from typing import ClassVar

import cloudflare
import httpx

from local_cloud.plugins.cloudflare_records import body, seen, state
from local_cloud.plugins.framework import FrameworkResource
from local_cloud.plugins.loopback import is_loopback
from local_cloud.plugins.provider import Provider, serve
from local_cloud.plugins.resource import Call, Created, Input, ProviderError
from local_cloud.plugins.values import UNKNOWN, Values

RETRIES = 10
TOKEN = re.compile(r"[0-9A-Za-z_-]{40,80}")
VENDOR = "the vendor's own API"


class Api:
    """The calls of DnsRecord; the client comes with the provider's configuration."""

    client: cloudflare.Cloudflare | None = None

    def send(self, method: str, path: str, body: Values | None = None) -> Values:
        """Return `result` of the answer. Raises cloudflare.NotFoundError for 404, else ProviderError."""
        if self.client is None:
            raise ProviderError("the cloudflare provider is not configured")
        client = self.client
        try:
            match method:
                case "GET":
                    answer = client.get(path, cast_to=httpx.Response)
                case "DELETE":
                    answer = client.delete(path, cast_to=httpx.Response)
                case "PUT":
                    answer = client.put(path, body=body, cast_to=httpx.Response)
                case _:
                    answer = client.post(path, body=body, cast_to=httpx.Response)
        except cloudflare.NotFoundError:
            raise
        except cloudflare.APIStatusError as error:
            raise ProviderError(failure(error)) from error
        except cloudflare.APIError as error:
            raise ProviderError(f"failed to make http request: {method} {self.client.base_url}: {error}") from error
        result = answer.json()["result"]
        return dict(result) if result else {}


class DnsRecord(FrameworkResource):
    type = "cloudflare:index/dnsRecord:DnsRecord"
    inputs: ClassVar = {
        "zoneId": Input(required=True, replaces=True),
        "type": Input(required=True, replaces=True),
        "name": Input(required=True),
        "ttl": Input(required=True),
        "content": Input(filled=True),
        "data": Input(),
        "priority": Input(),
        "proxied": Input(default=False),
        "comment": Input(),
        "settings": Input(filled=True),
        "tags": Input(filled=True, unordered=True),
        "privateRouting": Input(),
    }
    computed = ("commentModifiedOn", "createdOn", "meta", "modifiedOn", "proxiable", "tagsModifiedOn")
    touched = ("modifiedOn",)

    def __init__(self, api: Api) -> None:
        self.api = api

    def invalid(self, inputs: Values) -> dict[str, str]:
        if inputs.get("proxied") is True and inputs.get("ttl", 1) != 1:
            return {"ttl": "must be 1 (automatic) when `proxied` is true: Cloudflare sets it then"}
        return {}

    def preview(self, inputs: Values, olds: Values | None) -> Values:
        foretold = super().preview(inputs, olds)
        if "comment" not in foretold:
            foretold.pop("commentModifiedOn", None)
        return foretold

    def create(self, call: Call, inputs: Values) -> Created:
        plan = self.planned(inputs)
        with _missing_is_an_error():
            record = self.api.send("POST", f"/zones/{plan['zoneId']}/dns_records", body(plan))
        return Created(record["id"], state(plan, record))

    def read(self, call: Call, id: str, olds: Values, inputs: Values) -> tuple[Values, Values] | None:
        zone, record_id = id.split("/", 1) if "/" in id else (olds["zoneId"], id)
        try:
            record = self.api.send("GET", f"/zones/{zone}/dns_records/{record_id}")
        except cloudflare.NotFoundError:
            call.log("warning", "the record is gone from Cloudflare and leaves the state")
            return None
        plan = seen(olds, record, zone)
        outputs = state(plan, record)
        return outputs, {key: outputs[key] for key in (inputs or plan) if key in outputs}

    def update(self, call: Call, id: str, olds: Values, news: Values) -> Values:
        plan = self.planned(news)
        whole = {"settings": olds.get("settings", {}), "tags": olds.get("tags", []), **plan}
        with _missing_is_an_error():
            record = self.api.send("PUT", _path(id, plan), body(whole))
        return state(plan, record)

    def delete(self, call: Call, id: str, olds: Values) -> None:
        with _missing_is_an_error():
            self.api.send("DELETE", _path(id, olds))


class _missing_is_an_error:  # noqa: N801 (reads as a statement)
    """Outside of a refresh, a 404 is a failure like any other."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, cloudflare.NotFoundError):
            raise ProviderError(failure(error)) from error


def _path(id: str, values: Values) -> str:
    return f"/zones/{values['zoneId']}/dns_records/{id.rsplit('/', 1)[-1]}"


def failure(error: cloudflare.APIStatusError) -> str:
    """The real plugin's words: call, status and the answer's text."""
    request, response = error.request, error.response
    where = f'{request.method} "{request.url}": {response.status_code} {response.reason_phrase}'
    return f"failed to make http request: {where} {response.text}"


class CloudflareProvider(Provider):
    def __init__(self) -> None:
        self.api = Api()
        super().__init__("cloudflare", "6.17.0", [DnsRecord(self.api)])

    def check_config(self, news: Values) -> tuple[Values, dict[str, str]]:
        url = news.get("baseUrl")
        known = isinstance(url, str) and url != UNKNOWN
        return news, {"baseUrl": _refusal(str(url))} if known and not is_loopback(str(url)) else {}

    def configure(self, config: Values) -> None:
        url = config.get("baseUrl") or os.environ.get("CLOUDFLARE_BASE_URL") or VENDOR
        token = config.get("apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN") or ""
        if UNKNOWN in (url, token):
            return
        if not is_loopback(url):
            raise ProviderError(_refusal(url))
        if not TOKEN.fullmatch(token):
            raise ProviderError(
                "cloudflare:apiToken must be 40 to 80 letters, digits, `_` or `-`; none or another is set"
            )
        client = cloudflare.DefaultHttpxClient(trust_env=False)
        self.api.client = cloudflare.Cloudflare(api_token=token, base_url=url, max_retries=RETRIES, http_client=client)


def _refusal(url: str) -> str:
    return (
        f"cloudflare:baseUrl is {url}, and this plugin is a double that speaks only to an embedded cloud on this "
        "machine: set an address on loopback, or install the real plugin"
    )


if __name__ == "__main__":
    serve(CloudflareProvider())
