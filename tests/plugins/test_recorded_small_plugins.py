"""Level 3, one part alone: the cloudflare, random, tls and command doubles answer as the real plugins did.

`recorded/<plugin>.jsonl` holds the real engine's calls to the real plugins and their answers, made smaller: calls that
are equal but for names, ids and addresses are there once; `__pulumi_raw_state_delta` (a private note of the real
plugins), seeds and PEM texts are left out; a value that was unknown is the engine's mark for it again. Calls that
reach an API, a host, or key material (secret, so not recorded) are in test_cloudflare.py, test_command.py, test_tls.py.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins.cloudflare import CloudflareProvider
from local_cloud.plugins.command import CommandProvider
from local_cloud.plugins.provider import Provider
from local_cloud.plugins.random import RandomProvider
from local_cloud.plugins.tls.__main__ import TlsProvider
from local_cloud.plugins.values import UNKNOWN, Values, is_secret
from tests.plugins.conversation import Plugin, running

PROVIDERS: dict[str, Callable[[], Provider]] = {
    "cloudflare": CloudflareProvider,
    "random": RandomProvider,
    "tls": TlsProvider,
    "command": CommandProvider,
}
ANSWERED_ALONE = ("CheckConfig", "DiffConfig", "Configure", "Check", "Diff")
# Every value that is drawn or computed anew; nothing else may differ from the recording.
GENERATED = frozenset(
    [
        "id",
        "b64Std",
        "b64Url",
        "dec",
        "hex",
        "result",
        "bcryptHash",
        "privateKeyOpenssh",
        "privateKeyPem",
        "privateKeyPemPkcs8",
        "publicKeyOpenssh",
        "publicKeyPem",
        "publicKeyFingerprintMd5",
        "publicKeyFingerprintSha256",
    ]
)
FROM_ARGUMENTS_ALONE = ("RandomPassword", "RandomId", "PrivateKey", "Command")

Recorded = dict[str, Any]


def recorded(plugin: str) -> list[Recorded]:
    text = (Path(__file__).parent / "recorded" / f"{plugin}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


CALLS = [(plugin, call) for plugin in PROVIDERS for call in recorded(plugin)]


def cases(chosen: Callable[[Recorded], bool]) -> list[Any]:
    return [
        pytest.param(call, id=f"{plugin}-{call['method']}-{call['step']}-{number}")
        for number, (plugin, call) in enumerate(CALLS)
        if chosen(call)
    ]


def previewed(call: Recorded) -> bool:
    return call["method"] == "Create" and bool(call["request"].get("preview"))


def created(call: Recorded) -> bool:
    made = call["method"] == "Create" and not previewed(call)
    return made and str(call["request"]["urn"]).split("::")[2].endswith(FROM_ARGUMENTS_ALONE)


def kept(call: Recorded) -> bool:
    return call["method"] == "Read" and str(call["plugin"]) != "cloudflare"


@pytest.fixture(scope="module")
def plugins() -> Iterator[dict[str, Plugin]]:
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        environment.setenv("CLOUDFLARE_BASE_URL", "http://127.0.0.1:9/client/v4")
        environment.setenv("CLOUDFLARE_API_TOKEN", "t" * 40)
        yield {name: stack.enter_context(running(make())) for name, make in PROVIDERS.items()}


@pytest.mark.parametrize("call", cases(lambda call: call["method"] in ANSWERED_ALONE))
def test_checks_and_diffs_are_answered_as_recorded(plugins: dict[str, Plugin], call: Recorded) -> None:
    if "error" in call:
        with pytest.raises(grpc.RpcError) as refused:
            plugins[call["plugin"]].call(call["method"], call["request"])
        code = refused.value.code().name.title()
        assert call["error"] == [f"rpc error: code = {code} desc = {refused.value.details()}"]
    else:
        assert plugins[call["plugin"]].call(call["method"], call["request"]) == call["response"]


@pytest.mark.parametrize("call", cases(previewed))
def test_a_preview_knows_as_much_as_recorded(plugins: dict[str, Plugin], call: Recorded) -> None:
    foretold = plugins[call["plugin"]].call("Create", call["request"])["properties"]
    assert foretold == call["response"]["properties"]


@pytest.mark.parametrize("call", cases(created))
def test_what_is_created_has_the_recorded_outputs_and_secrets(plugins: dict[str, Plugin], call: Recorded) -> None:
    answer = plugins[call["plugin"]].call("Create", call["request"])
    assert _drawn_aside(answer["properties"]) == _drawn_aside(call["response"]["properties"])
    assert len(answer["id"]) == len(call["response"]["id"])


@pytest.mark.parametrize("call", cases(kept))
def test_a_refresh_of_what_lives_in_the_state_alone_is_answered_as_recorded(
    plugins: dict[str, Plugin], call: Recorded
) -> None:
    assert plugins[call["plugin"]].call("Read", call["request"]) == call["response"]


@pytest.mark.parametrize(
    "call", cases(lambda call: call["method"] == "Update" and call["plugin"] == "command"), scope="module"
)
def test_an_update_that_runs_nothing_is_answered_as_recorded(plugins: dict[str, Plugin], call: Recorded) -> None:
    answer = plugins["command"].call("Update", call["request"])["properties"]
    assert {key: value for key, value in answer.items() if key != "id"} == call["response"]["properties"]


def _drawn_aside(outputs: Values) -> Values:
    """Replace generated values by a word that keeps whether they are secret; the base adds `id` to all outputs."""
    kept = {key: value for key, value in outputs.items() if key != "id"}
    return {key: _kind(value) if key in GENERATED else value for key, value in kept.items()}


def _kind(value: Any) -> str:
    return "secret" if is_secret(value) else "unknown" if value == UNKNOWN else "plain"
