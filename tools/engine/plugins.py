"""The provider plugins: the real ones where they are or can be downloaded, the doubles elsewhere.

The program does not know which; `make up` says it, one line each.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.engine import doubles, official
from tools.engine.install import Engine
from tools.engine.once import alone, swap
from tools.engine.pin import UnavailableError, pulumi_home
from tools.engine.plugin import Plugin, wanted
from tools.say import Progress, say

PATIENCE = 300.0
"""Seconds for the download of all plugins together; the largest here has some 60 MB."""


def on_path(plugin: Plugin) -> Path | None:
    """A plugin on PATH goes before all others, whatever its version, unless the engine is told to ignore them."""
    if os.environ.get("PULUMI_IGNORE_AMBIENT_PLUGINS", "").lower() in ("1", "true"):
        return None
    found = shutil.which(plugin.program)
    return Path(found) if found else None


def real(plugin: Plugin, home: Path) -> Path | None:
    """The folder or file of the real plugin, if this machine has it."""
    folder = home / "plugins" / plugin.folder
    whole = (folder / plugin.program).is_file() and not folder.with_name(f"{plugin.folder}.partial").exists()
    return on_path(plugin) or (folder if whole and not doubles.is_double(folder) else None)


def install(engine: Engine, with_doubles: bool = True) -> None:
    """Get what is missing, and say for each plugin which one it is; raises nothing when the site is out of reach.

    Without `with_doubles` the user's Pulumi home gets none: the tests have theirs in homes of their own.
    """
    home, plugins = pulumi_home(), wanted()
    missing = [plugin for plugin in plugins if real(plugin, home) is None]
    with alone(home / "plugins" / ".jitsi-fleet.lock", "plugins"):
        why_not = _download(engine, missing, home) if missing else ""
        for plugin in plugins:
            where = real(plugin, home)
            if where is not None:
                say("plugin", f"{plugin}: real ({where})")
            elif not doubles.exists(plugin):
                say("plugin", f"{plugin}: not here, and it has no double")
            elif not with_doubles:
                say("plugin", f"{plugin}: double")
            else:
                _clear_interrupted(home / "plugins" / plugin.folder)
                changed = doubles.place(plugin, home / "plugins")
                say("plugin", f"{plugin}: double{', installed' if changed else ''}")
    if why_not:
        say("plugin", f"the real ones could not be downloaded ({why_not})")


def _download(engine: Engine, missing: Iterable[Plugin], home: Path) -> str:
    """Try the official download of each; empty, or why it was not tried or did not work."""
    try:
        official.checksums()  # one small question, so that an unreachable site costs seconds and not minutes
    except UnavailableError as error:
        return str(error)
    with Progress("plugin", "downloading the provider plugins"), ThreadPoolExecutor() as pool:
        reasons = [reason for reason in pool.map(lambda plugin: _download_one(engine, plugin, home), missing) if reason]
    return "; ".join(reasons)


def _download_one(engine: Engine, plugin: Plugin, home: Path) -> str:
    # Into a home of its own: in the real one the CLI would take a double's folder for the plugin and do nothing.
    staging = Path(tempfile.mkdtemp(prefix=".jitsi-fleet-", dir=home))
    command: list[str | Path] = [engine.pulumi, "plugin", "install", "resource", plugin.name, plugin.version]
    environment = os.environ | {"PULUMI_HOME": str(staging), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        fresh = staging / "plugins" / plugin.folder
        if done.returncode != 0 or not (fresh / plugin.program).is_file():
            return f"{plugin}: {(done.stderr.strip() or 'no file came').splitlines()[-1]}"
        swap(fresh, home / "plugins" / plugin.folder)
    except subprocess.TimeoutExpired:
        return f"{plugin}: not within {PATIENCE:.0f} s"
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return ""


def _clear_interrupted(folder: Path) -> None:
    """Remove what an interrupted download of the CLI left, as the CLI itself does before it downloads again."""
    mark = folder.with_name(f"{folder.name}.partial")
    if mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        mark.unlink()
