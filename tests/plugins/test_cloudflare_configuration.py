"""Level 3, one part alone: where the cloudflare double lets itself be pointed at, and with which token."""

import secrets

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins.cloudflare import CloudflareProvider
from tests.plugins.conversation import running

TOKEN = secrets.token_hex(20)


@pytest.mark.parametrize(
    "url", ["https://198.51.100.7/client/v4", "http://cloud.example/v4", "http://127.0.0.1.example/"]
)
def test_an_address_beyond_loopback_is_refused_before_any_call(url: str) -> None:
    with running(CloudflareProvider()) as plugin:
        answer = plugin.call("CheckConfig", {"news": {"baseUrl": url}})
        assert answer["failures"][0]["property"] == "baseUrl"
        assert url in answer["failures"][0]["reason"]
        with pytest.raises(grpc.RpcError, match="loopback"):
            plugin.call("Configure", {"args": {"apiToken": TOKEN, "baseUrl": url}})


def test_no_address_at_all_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLARE_BASE_URL", raising=False)
    with running(CloudflareProvider()) as plugin, pytest.raises(grpc.RpcError, match="vendor's own API"):
        plugin.call("Configure", {"args": {"apiToken": TOKEN}})


@pytest.mark.parametrize("token", ["", "short", "ä" * 40, "x" * 81])
def test_a_token_of_the_wrong_form_is_refused_and_not_shown(token: str) -> None:
    args = {"apiToken": token, "baseUrl": "http://127.0.0.1:9"}
    with running(CloudflareProvider()) as plugin, pytest.raises(grpc.RpcError) as caught:
        plugin.call("Configure", {"args": args})
    assert "apiToken" in str(caught.value.details())
    assert not token or token not in str(caught.value.details())
