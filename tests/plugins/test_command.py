"""Level 3, one part alone: remote.Command of the command double against an SSH server on loopback."""

import secrets
from collections.abc import Iterator

import asyncssh
import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins.command import CommandProvider
from local_cloud.plugins.values import UNKNOWN, Values, is_secret, reveal
from tests.plugins.conversation import Plugin, running
from tests.plugins.ssh_server import SshServer, serving

URN = "urn:pulumi:dev::project::command:remote:Command::drain-1"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with running(CommandProvider()) as conversation:
        yield conversation


@pytest.fixture
def server() -> Iterator[SshServer]:
    with serving(SshServer(secrets.token_hex(8))) as running_server:
        yield running_server


def check(plugin: Plugin, inputs: Values) -> Values:
    answer = plugin.call("Check", {"urn": URN, "news": inputs})
    assert "failures" not in answer
    checked: Values = answer["inputs"]
    return checked


def create(plugin: Plugin, inputs: Values) -> Values:
    answer = plugin.call("Create", {"urn": URN, "properties": check(plugin, inputs)})
    assert answer["id"].startswith("drain-1")
    outputs: Values = answer["properties"]
    return outputs


def delete(plugin: Plugin, state: Values) -> None:
    plugin.call("Delete", {"urn": URN, "id": "drain-1", "properties": state})


def refusal(plugin: Plugin, state: Values) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        delete(plugin, state)
    return str(caught.value.details())


def test_a_command_with_only_a_delete_connects_to_nobody_until_then(plugin: Plugin, server: SshServer) -> None:
    state = create(plugin, {"connection": server.connection(), "delete": "echo bye"})
    assert (state["stdout"], state["stderr"], server.connections) == ("", "", 0)
    delete(plugin, state)
    assert server.ran == ["echo bye"]


def test_the_output_of_create_is_kept_apart_and_without_the_last_newline(plugin: Plugin, server: SshServer) -> None:
    script = "echo out; echo out; echo err >&2"
    state = create(plugin, {"connection": server.connection(), "create": script})
    assert (state["stdout"], state["stderr"]) == ("out\nout", "err")


def test_a_failing_command_reads_as_the_real_plugins_does(plugin: Plugin, server: SshServer) -> None:
    state = create(plugin, {"connection": server.connection(), "delete": "echo why; exit 3"})
    assert refusal(plugin, state) == 'Process exited with status 3: running "echo why; exit 3":\nwhy\n'


def test_a_failing_delete_goes_on_failing_whatever_the_program_says(plugin: Plugin, server: SshServer) -> None:
    """Recorded: the deletion runs the old text from the state, again and again."""
    state = create(plugin, {"connection": server.connection(), "delete": "exit 3"})
    assert "status 3" in refusal(plugin, state)
    assert "status 3" in refusal(plugin, state)
    mended = check(plugin, {"connection": server.connection(), "delete": "true"})
    updated = plugin.call("Update", {"urn": URN, "id": "drain-1", "olds": state, "news": mended})["properties"]
    assert server.ran == ["exit 3", "exit 3"]
    delete(plugin, updated)
    assert server.ran[-1] == "true"


def test_an_update_runs_update_else_create_and_knows_the_output_before(plugin: Plugin, server: SshServer) -> None:
    first = {"connection": server.connection(), "create": "echo one"}
    olds = create(plugin, first)
    show = 'echo "[$PULUMI_COMMAND_STDOUT]"'
    for news, shown in (
        ({**first, "update": show}, "[one]"),
        ({**first, "update": show, "addPreviousOutputInEnv": False}, "[]"),
        ({**first, "create": "echo two"}, "two"),
    ):
        request = {"urn": URN, "id": "drain-1", "olds": olds, "news": check(plugin, news)}
        assert plugin.call("Update", request)["properties"]["stdout"] == shown


def test_stdin_and_environment_reach_the_command(plugin: Plugin, server: SshServer) -> None:
    inputs = {"connection": server.connection(), "create": 'cat; echo "$ROLE"', "stdin": "in\n"}
    assert create(plugin, {**inputs, "environment": {"ROLE": "bridge"}})["stdout"] == "in\nbridge"


def test_the_right_host_key_is_accepted_and_a_wrong_one_refused(plugin: Plugin, server: SshServer) -> None:
    right = server.connection(hostKey=server.public_host_key())
    assert create(plugin, {"connection": right, "create": "echo hi"})["stdout"] == "hi"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    state = create(plugin, {"connection": server.connection(hostKey=other), "delete": "echo no"})
    assert "after 2 failed attempts: ssh: handshake failed: ssh: host key mismatch" in refusal(plugin, state)
    assert server.ran == ["echo hi"]


def test_a_password_logs_in_and_a_wrong_key_does_not(plugin: Plugin, server: SshServer) -> None:
    by_password = server.connection(user="admin", password=server.password)
    del by_password["privateKey"]
    assert create(plugin, {"connection": by_password, "create": "echo hi"})["stdout"] == "hi"
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    state = create(plugin, {"connection": server.connection(privateKey=stranger), "delete": "true"})
    assert "unable to authenticate" in refusal(plugin, state)


def test_defaults_and_secrets_of_a_connection_are_filled_in_by_check(plugin: Plugin) -> None:
    checked = check(plugin, {"connection": {"host": "h", "privateKey": "k", "password": "p"}, "delete": "true"})
    assert checked["addPreviousOutputInEnv"] is True
    assert is_secret(checked["connection"])
    inner = checked["connection"]["value"]
    assert is_secret(inner["privateKey"])
    assert is_secret(inner["password"])
    assert {key: inner[key] for key in ("port", "user", "dialErrorLimit", "perDialTimeout")} == {
        "port": 22,
        "user": "root",
        "dialErrorLimit": 10,
        "perDialTimeout": 15,
    }


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({}, "connection"),
        ({"connection": {}}, "connection.host"),
        ({"connection": {"host": "h", "proxy": {"host": "p"}}}, "connection.proxy"),
        ({"connection": {"host": "h"}, "destroy": "true"}, "destroy"),
    ],
)
def test_wrong_arguments_are_refused_by_name(plugin: Plugin, inputs: Values, named: str) -> None:
    answer = plugin.call("Check", {"urn": URN, "news": inputs})
    assert [failure["property"] for failure in answer["failures"]] == [named]


def test_a_preview_knows_no_output_of_what_will_run(plugin: Plugin) -> None:
    inputs = check(plugin, {"connection": {"host": "h"}, "create": "true"})
    request = {"urn": URN, "properties": inputs, "preview": True}
    assert plugin.call("Create", request)["properties"]["stdout"] == UNKNOWN
    drain_only = check(plugin, {"connection": {"host": "h"}, "delete": "true"})
    olds = {**drain_only, "stdout": "", "stderr": ""}
    news = check(plugin, {"connection": {"host": "i"}, "delete": "true"})
    answer = plugin.call("Update", {"urn": URN, "id": "drain-1", "olds": olds, "news": news, "preview": True})
    assert answer["properties"]["stdout"] == ""
    assert reveal(answer["properties"]["connection"])["host"] == "i"
