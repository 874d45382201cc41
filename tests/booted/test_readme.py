"""Level 1, beside what it tells of: the table of traps in README.md is whole and names tests that there are."""

import re
from pathlib import Path

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text()


def test_each_trap_has_one_row() -> None:
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)] == list(range(1, 32))


def test_every_test_that_is_named_exists() -> None:
    sources = "".join(file.read_text() for folder in (HERE, HERE.parent / "packages") for file in folder.glob("*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))
    assert set(re.findall(r"`(test_\w+)`", README)) - there == set()
