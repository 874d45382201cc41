"""Level 3, one part alone: the base of the doubles, with a resource of the tests' own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local_cloud.plugins.provider import Provider
from local_cloud.plugins.resource import Call, Created, Input, PartialCreate, ProviderError, Resource
from local_cloud.plugins.values import UNKNOWN, Values
from tests.plugins.conversation import Plugin, running

URN = "urn:pulumi:dev::project::notes:index/note:Note::first"


class Note(Resource):
    type = "notes:index/note:Note"
    autoname = "name"
    inputs: ClassVar = {"name": Input(filled=True), "title": Input(required=True, replaces=True), "labels": Input()}
    computed = ("length",)

    def __init__(self) -> None:
        self.begun = threading.Event()

    def create(self, call: Call, inputs: Values) -> Created:
        if inputs["title"] == "refused":
            raise ProviderError("no such title")
        if inputs["title"] == "slow":
            self.begun.set()
            # As those do that look whether they are cancelled each time they have waited for something else.
            for _ in range(25):
                time.sleep(0.2)
                if call.cancelled.is_set():
                    raise ProviderError("context canceled")
        if inputs["title"] == "half":
            raise PartialCreate("half written", "7", {"title": "half"})
        return Created("7", {**inputs, "length": len(inputs["title"])})


@pytest.fixture
def note() -> Note:
    return Note()


@pytest.fixture
def plugin(note: Note) -> Iterator[Plugin]:
    with running(Provider("notes", "1.2.3", [note])) as conversation:
        yield conversation


def test_a_call_that_one_engine_cancelled_ends_though_the_next_engine_has_come(note: Note, plugin: Plugin) -> None:
    stub = provider_pb2_grpc.ResourceProviderStub(plugin.channel)
    with ThreadPoolExecutor(1) as beside:
        slow = beside.submit(plugin.call, "Create", {"urn": URN, "properties": {"title": "slow"}})
        assert note.begun.wait(10)
        stub.Cancel(empty_pb2.Empty())
        stub.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:9"))
        with pytest.raises(grpc.RpcError, match="context canceled"):
            slow.result(10)
    assert plugin.call("Create", {"urn": URN, "properties": {"title": "a"}})["id"] == "7"


def check(plugin: Plugin, news: Values, olds: Values | None = None) -> Values:
    return plugin.call("Check", {"urn": URN, "news": news, "olds": olds or {}, "randomSeed": "c2VlZA=="})


def test_the_plugin_reports_its_exact_version(plugin: Plugin) -> None:
    assert plugin.version() == "1.2.3"


def test_a_name_left_out_is_made_from_the_logical_name_and_kept_afterwards(plugin: Plugin) -> None:
    first = check(plugin, {"title": "a"})["inputs"]
    assert first["__defaults"] == ["name"]
    assert first["name"].startswith("first-")
    assert len(first["name"]) == len("first-") + 7
    kept = check(plugin, {"title": "b"}, {**first, "name": "first-0000000"})["inputs"]
    assert kept["name"] == "first-0000000"


def test_missing_and_unknown_properties_are_refused_by_name(plugin: Plugin) -> None:
    failures = check(plugin, {"titel": "a"})["failures"]
    assert {failure["property"] for failure in failures} == {"title", "titel"}


@pytest.mark.parametrize(
    ("old", "new", "path", "kind"),
    [
        ({"title": "a", "labels": {"k": "1"}}, {"title": "a", "labels": {"k": "2"}}, "labels.k", "UPDATE"),
        ({"title": "a", "labels": {"k": "1"}}, {"title": "a", "labels": {"k": "1", "l": "2"}}, "labels.l", None),
        ({"title": "a", "labels": {"k": "1"}}, {"title": "a"}, "labels", "DELETE"),
        ({"title": "a"}, {"title": "b"}, "title", "UPDATE_REPLACE"),
    ],
)
def test_a_diff_names_the_path_and_the_kind_of_change(
    plugin: Plugin, old: Values, new: Values, path: str, kind: str | None
) -> None:
    answer = plugin.call("Diff", {"id": "7", "urn": URN, "olds": old, "news": new})
    # JSON of protobuf leaves out the kind with number 0, which is ADD.
    assert answer["detailedDiff"] == {path: {"kind": kind} if kind else {}}
    assert answer["changes"] == "DIFF_SOME"


def test_a_preview_shows_computed_outputs_as_unknown(plugin: Plugin) -> None:
    outputs = plugin.call("Create", {"urn": URN, "properties": {"title": "a"}, "preview": True})["properties"]
    assert outputs["length"] == UNKNOWN
    assert outputs["title"] == "a"


def test_a_refusal_reaches_the_engine_with_its_text(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        plugin.call("Create", {"urn": URN, "properties": {"title": "refused"}})
    assert refusal.value.code() == grpc.StatusCode.UNKNOWN
    assert refusal.value.details() == "no such title"


def test_a_resource_that_exists_in_part_travels_with_the_refusal(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        plugin.call("Create", {"urn": URN, "properties": {"title": "half"}})
    trailer = dict(refusal.value.trailing_metadata())["grpc-status-details-bin"]
    detail = provider_pb2.ErrorResourceInitFailed()
    status_pb2.Status.FromString(trailer).details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("7", ["half written"])


def test_a_plugin_process_prints_its_port_first_and_ends_with_sigterm() -> None:
    program = "from local_cloud.plugins.provider import *; serve(Provider('notes', '1.2.3', []))"
    command = [sys.executable, "-c", program, "-logtostderr", "-v=9", "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_plugin_process_ends_when_its_engine_is_killed() -> None:
    plugin = "from local_cloud.plugins.provider import *; serve(Provider('notes', '1.2.3', []), [])"
    engine = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {plugin!r}]); time.sleep(60)"
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", engine], stdout=write) as process, os.fdopen(read) as output:
        os.close(write)
        assert int(output.readline()) > 0
        process.kill()
        assert output.read() == "", "the pipe closes when the last process that holds it has ended"
