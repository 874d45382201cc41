"""Puts the plugin doubles of this checkout (local_cloud/plugins) where the engine looks for plugins."""

import shlex
import tempfile
from pathlib import Path

from tools.engine.once import swap
from tools.engine.pin import CHECKOUT, RefusedError
from tools.engine.plugin import Plugin

MARK = "THIS-IS-A-DOUBLE.txt"

_SCRIPT = """\
#!/bin/sh
# A double of the Pulumi plugin {plugin}, not the plugin: it runs {module} of a checkout of jitsi-fleet.
checkout={checkout}
if [ ! -x "$checkout/.venv/bin/python" ] || [ ! -d "$checkout/local_cloud/plugins" ]; then
    echo "{program}: this is the double of jitsi-fleet, and its checkout $checkout has gone." \\
        "Run make up in another checkout, or delete the folder ${{0%/*}}." >&2
    exit 1
fi
PYTHONPATH="$checkout${{PYTHONPATH:+:$PYTHONPATH}}" exec "$checkout/.venv/bin/python" -m {module} "$@"
"""

_NOTE = """\
This folder holds a double of the Pulumi plugin {plugin}, made by jitsi-fleet because the real plugin could not be
downloaded. It works with the embedded cloud on this machine only. `make up` puts the real one here as soon as it can be
downloaded; deleting the folder is safe.
"""


def exists(plugin: Plugin) -> bool:
    """Whether this checkout has a double of it."""
    module = CHECKOUT / "local_cloud" / "plugins" / plugin.name
    return module.is_dir() or module.with_suffix(".py").is_file()


def is_double(folder: Path) -> bool:
    return (folder / MARK).is_file()


def place(plugin: Plugin, plugins: Path, checkout: Path = CHECKOUT) -> bool:
    """Put the double into `plugins`; False if it was there. Raises RefusedError over what is no double."""
    folder = plugins / plugin.folder
    module = f"local_cloud.plugins.{plugin.name}"
    words = {"plugin": plugin, "program": plugin.program, "module": module, "checkout": shlex.quote(str(checkout))}
    script = _SCRIPT.format(**words)
    if folder.exists():
        if not is_double(folder):
            raise RefusedError(f"{folder} holds neither the plugin nor its double: look at it, then delete it.")
        if (folder / plugin.program).read_text() == script:
            return False
    plugins.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".jitsi-fleet-", dir=plugins))
    (fresh / plugin.program).write_text(script)
    (fresh / plugin.program).chmod(0o755)
    (fresh / MARK).write_text(_NOTE.format(plugin=plugin))
    fresh.chmod(0o755)
    swap(fresh, folder)
    return True
