"""Which provider plugins the engine will ask for: those of the Python packages that are installed."""

import json
import sysconfig
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Plugin:
    """A resource plugin, by the exact version that its Python package asks the engine for."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> str:
        """Its folder in $PULUMI_HOME/plugins; the engine looks there for exactly this version."""
        return f"resource-{self.name}-v{self.version}"

    @property
    def program(self) -> str:
        return f"pulumi-resource-{self.name}"


def wanted(*layers: Path) -> list[Plugin]:
    """The plugins of all Pulumi packages in this Python environment, read without importing them.

    `layers` are folders of packages on top of it, such as that of .venv-aws (tools/packages.py).
    """
    folders = [Path(sysconfig.get_path("purelib")), *layers]
    described = [json.loads(file.read_text()) for folder in folders for file in folder.glob("*/pulumi-plugin.json")]
    return sorted(Plugin(one["name"], one["version"].removeprefix("v")) for one in described if one.get("resource"))
