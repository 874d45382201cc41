"""The environment in which to run the engine: the user's own for `make up`, a closed one for tests."""

import os
import secrets
import sys
from pathlib import Path

from tools import packages
from tools.engine import doubles, install, plugins
from tools.engine.pin import CHECKOUT, VERSION, RefusedError, pulumi_home
from tools.engine.plugin import wanted


def ordinary(engine: install.Engine) -> dict[str, str]:
    """The user's environment with this engine first on PATH: backend, passphrase and home stay as the user set them."""
    return os.environ | {"PATH": _path(engine), "PULUMI_SKIP_UPDATE_CHECK": "1"}


def hermetic(home: Path, backend: str, only_doubles: bool = False, aws: bool = False) -> dict[str, str]:
    """An environment that shares nothing with the user's: own Pulumi home under `home`, own backend and passphrase.

    Holds this machine's real plugins by link, and this checkout's doubles for the others (for all with `only_doubles`);
    with `aws` also that of pulumi-aws, for programs that run in .venv-aws.
    The engine downloads nothing in it. The passphrase is drawn anew by each call: keep the first answer, or put
    one of your own in its place. Another call for the same `home` disturbs nothing that runs. Raises RefusedError where
    no engine is installed.
    """
    engine = install.find()
    if engine is None:
        raise RefusedError(f"Pulumi {VERSION} is not installed; `make test` does that, and then runs the tests.")
    closed_home = home / ".pulumi"
    (closed_home / "plugins").mkdir(parents=True, exist_ok=True)
    layers = [packages.library(CHECKOUT / ".venv-aws")] if aws else []
    for plugin in wanted(*layers):
        where = None if only_doubles else plugins.real(plugin, pulumi_home())
        folder = closed_home / "plugins" / plugin.folder
        if where is not None and where.is_dir():
            if not folder.is_symlink():  # a second call must not take it away under a running engine
                folder.symlink_to(where)
        elif doubles.exists(plugin) and where is None:
            doubles.place(plugin, closed_home / "plugins")
    closed = {
        "HOME": str(home),
        "PATH": _path(engine),
        "PULUMI_HOME": str(closed_home),
        "PULUMI_BACKEND_URL": backend,
        "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(16),
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        "NO_COLOR": "1",
    }
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "TERM") if name in os.environ}
    return kept | closed | ({"PULUMI_IGNORE_AMBIENT_PLUGINS": "1"} if only_doubles else {})


def _path(engine: install.Engine) -> str:
    """The engine and this Python first: a project without a `virtualenv` of its own then runs on the checkout's."""
    python = Path(sys.prefix) / "bin"
    return os.pathsep.join([str(engine.folder), str(python), os.environ.get("PATH", os.defpath)])
