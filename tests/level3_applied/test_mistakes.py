"""Level 3: a wrong stack file stops the program before any call, in the user's words."""

from tests.level3_applied.applied import Workshop


def test_every_mistake_is_named_at_once_without_a_call_or_a_traceback(workshop: Workshop) -> None:
    stack = workshop.stack(bridges=86, adminCidrs=["198.51.100.7/24"], domain="meet.other.test", brigdes=3)
    run = stack.up()
    assert run.status != 0
    assert run.calls == []
    assert [key for key in ("bridges", "adminCidrs", "domain", "brigdes") if f"- {key}" not in run.text] == []
    assert "Traceback" not in run.text


def test_another_word_for_the_cloud_names_what_else_that_cloud_asks_for(workshop: Workshop) -> None:
    run = workshop.stack(cloud="aws").up()
    assert (run.status != 0, run.calls) == (True, [])
    for key in ("locations", "aws:region"):
        assert f"- {key}" in run.text
    assert "Traceback" not in run.text


def test_without_its_package_a_cloud_is_refused_with_the_command_that_installs_it(workshop: Workshop) -> None:
    """These stacks run in .venv, where pulumi-aws is not."""
    run = workshop.stack(cloud="aws", locations=["eu-central-1a"], **{"aws:region": "eu-central-1"}).up()
    assert (run.status != 0, run.calls) == (True, [])
    assert "'.[aws]'" in run.text
    assert "Traceback" not in run.text


def test_a_wrong_token_is_named_and_nothing_is_made(workshop: Workshop) -> None:
    workshop.hetzner_token = "too-short"  # noqa: S105 - wrong on purpose
    run = workshop.stack().up()
    assert run.status != 0
    assert "token" in run.text.lower()
    assert [call for call in run.calls if call.path.endswith("/servers")] == []
