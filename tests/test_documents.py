"""The documents name what exists: links, decisions, settings, commands, paths. Whether they are true, readers check."""

import re
from pathlib import Path

import pytest

from components.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "cloud_init", "components", "docs", "local_cloud", "tests", "tools")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
HEADINGS = ["Context", "Decision", "Consequences", "How proven"]
PROVIDERS = {"hcloud:token", "cloudflare:apiToken", "aws:region", "aws:accessKey", "aws:secretKey"}
"""Keys of the providers' own configuration that a person sets."""

each_document = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))


@each_document
def test_links_inside_the_repository_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(page)):
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


@each_document
def test_commands_of_make_that_a_document_names_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command for code in _code(page) for command in re.findall(r"\bmake ([a-z]+)", code)} <= known


@each_document
def test_paths_and_modules_that_a_document_names_exist(page: Path) -> None:
    named = {code.removesuffix("/") for code in _code(page) if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./-]+", code)}
    modules = {module for code in _code(page) for module in re.findall(r"python -m ((?:tools|benchmarks)[\w.]*)", code)}
    named |= {f"{module.replace('.', '/')}.py" for module in modules}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@each_document
def test_settings_that_a_document_sets_exist(page: Path) -> None:
    """A command that a person copies must not end in "unknown key"."""
    command = r"pulumi config set (?:--\S+ )*'?([A-Za-z]+(?::[A-Za-z]+)?)"
    named = {key for code in _code(page) for key in re.findall(command, code)}
    assert named <= _settings() | PROVIDERS


def test_settings_in_the_readmes_table_of_changes_exist() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Resize and change\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    named = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert {"bridges", "generation"} <= named <= _settings()


def test_numbers_of_decisions_are_unique_and_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_decision_is_listed_under_its_title() -> None:
    listed = re.findall(
        r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", (ROOT / "docs/adr/README.md").read_text(), re.MULTILINE
    )
    titles = [page.read_text().splitlines()[0] for page in DECISIONS]
    assert [f"# {number} {title}" for number, _, title in listed] == titles
    assert [file for _, file, _ in listed] == [page.name for page in DECISIONS]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_four_headings_and_fits_on_a_page(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 50


def _settings() -> set[str]:
    return {info.alias or name for name, info in Settings.model_fields.items()}


def _without_code(page: Path) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)


def _code(page: Path) -> list[str]:
    """Code spans, and the lines of code blocks."""
    text = page.read_text()
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [*spans, *(line for block in blocks for line in block.splitlines())]


def _anchors(page: Path) -> set[str]:
    """Headings as links name them: lower case, hyphens for spaces, no other punctuation."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
