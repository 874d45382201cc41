"""Level 3, one part alone: the random double draws what its arguments ask for."""

import string
from collections.abc import Iterator

import grpc  # type: ignore[import-untyped]
import pytest

from local_cloud.plugins.random import RandomProvider
from local_cloud.plugins.values import UNKNOWN, Values, is_secret, reveal
from tests.plugins.conversation import Plugin, running

XMPP = "urn:pulumi:dev::project::random:index/randomPassword:RandomPassword::xmpp"
TEXT = "urn:pulumi:dev::project::random:index/randomString:RandomString::label"
ID = "urn:pulumi:dev::project::random:index/randomId:RandomId::cluster"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with running(RandomProvider()) as conversation:
        yield conversation


def create(plugin: Plugin, urn: str, inputs: Values) -> Values:
    outputs: Values = plugin.call("Create", {"urn": urn, "properties": inputs})["properties"]
    return outputs


def failures(plugin: Plugin, inputs: Values) -> set[str]:
    answer = plugin.call("Check", {"urn": XMPP, "news": inputs})
    return {failure["property"] for failure in answer.get("failures", [])}


def test_a_password_without_special_characters_holds_letters_and_digits_only(plugin: Plugin) -> None:
    result = reveal(create(plugin, XMPP, {"length": 200, "special": False})["result"])
    assert len(result) == 200
    assert set(result) <= set(string.ascii_letters + string.digits)


def test_a_password_holds_the_least_number_of_each_class(plugin: Plugin) -> None:
    minima = {"minLower": 2, "minUpper": 3, "minNumeric": 4, "minSpecial": 1}
    for _ in range(20):
        result = reveal(create(plugin, XMPP, {"length": 10, "overrideSpecial": "~", **minima})["result"])
        counted = [sum(c in kind for c in result) for kind in (string.ascii_lowercase, string.ascii_uppercase)]
        assert counted == [2, 3]
        assert sum(c.isdigit() for c in result) == 4
        assert result.count("~") == 1


def test_two_passwords_are_never_the_same(plugin: Plugin) -> None:
    results = {reveal(create(plugin, XMPP, {"length": 32})["result"]) for _ in range(50)}
    assert len(results) == 50


def test_a_password_and_its_hash_are_secret_and_the_hash_is_bcrypt(plugin: Plugin) -> None:
    outputs = create(plugin, XMPP, {"length": 12})
    assert is_secret(outputs["result"])
    assert is_secret(outputs["bcryptHash"])
    assert reveal(outputs["bcryptHash"]).startswith("$2a$10$")
    assert len(reveal(outputs["bcryptHash"])) == 60


def test_a_refresh_keeps_a_password_and_keeps_it_secret(plugin: Plugin) -> None:
    outputs = create(plugin, XMPP, {"length": 12})
    answer = plugin.call("Read", {"urn": XMPP, "id": "none", "properties": reveal(outputs)})
    assert answer["properties"] == outputs


@pytest.mark.parametrize("changed", [{"length": 13}, {"special": False}, {"keepers": {"n": "2"}}, {"minUpper": 1}])
def test_every_argument_of_a_password_replaces_it(plugin: Plugin, changed: Values) -> None:
    inputs: Values = {"length": 12, "keepers": {"n": "1"}}
    olds = reveal(create(plugin, XMPP, inputs))
    answer = plugin.call("Diff", {"urn": XMPP, "id": "none", "olds": olds, "news": inputs | changed})
    assert answer == {"changes": "DIFF_SOME", "diffs": [*changed], "replaces": [*changed]}


def test_the_old_name_of_numeric_counts_for_both(plugin: Plugin) -> None:
    inputs = {"length": 300, "number": False}
    outputs = create(plugin, TEXT, inputs)
    assert not any(c.isdigit() for c in outputs["result"])
    answer = plugin.call("Diff", {"urn": TEXT, "id": outputs["id"], "olds": outputs, "news": inputs})
    assert answer["changes"] == "DIFF_NONE"


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"length": 0}, {"length"}),
        ({"length": 3, "minUpper": 2, "minLower": 2}, {"length"}),
        ({"length": 3, "lower": False, "upper": False, "numeric": False, "special": False}, {"lower"}),
        ({"special": False}, {"length"}),
        ({"length": UNKNOWN}, set()),
    ],
)
def test_arguments_that_cannot_be_met_are_refused(plugin: Plugin, inputs: Values, named: set[str]) -> None:
    assert failures(plugin, inputs) == named


def test_an_id_is_the_same_number_in_every_spelling(plugin: Plugin) -> None:
    outputs = create(plugin, ID, {"byteLength": 4, "prefix": "c-"})
    number = int(outputs["hex"].removeprefix("c-"), 16)
    assert int(outputs["dec"].removeprefix("c-")) == number
    assert len(outputs["hex"]) == len("c-") + 8
    assert outputs["b64Url"] == "c-" + outputs["id"]


def test_a_resource_that_the_double_does_not_have_is_refused_by_name(plugin: Plugin) -> None:
    urn = "urn:pulumi:dev::project::random:index/randomPet:RandomPet::cat"
    with pytest.raises(grpc.RpcError, match="randomPet"):
        plugin.call("Create", {"urn": urn, "properties": {}})
