"""Level 3: a wrong stack file stops the program before any call, in the user's words."""

from tests.level3_applied.applied import Workshop


def test_every_mistake_is_named_at_once_without_a_call_or_a_traceback(workshop: Workshop) -> None:
    stack = workshop.stack(bridges=86, adminCidrs=["198.51.100.7/24"], domain="meet.other.test", brigdes=3)
    run = stack.up()
    assert run.status != 0
    assert run.calls == []
    assert [key for key in ("bridges", "adminCidrs", "domain", "brigdes") if f"- {key}" not in run.text] == []
    assert "Traceback" not in run.text


def test_a_cloud_that_comes_later_is_refused_plainly(workshop: Workshop) -> None:
    run = workshop.stack(cloud="aws").up()
    assert (run.status != 0, run.calls) == (True, [])
    assert "aws" in run.text
    assert "later" in run.text


def test_a_wrong_token_is_named_and_nothing_is_made(workshop: Workshop) -> None:
    workshop.hetzner_token = "too-short"  # noqa: S105 - wrong on purpose
    run = workshop.stack().up()
    assert run.status != 0
    assert "token" in run.text.lower()
    assert [call for call in run.calls if call.path.endswith("/servers")] == []
