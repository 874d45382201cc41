"""Where the embedded cloud lives: its state folder and its port."""

import os
from pathlib import Path

DEFAULT_PORT = 8091


def state_folder() -> Path:
    """$XDG_STATE_HOME/jitsi-fleet/cloud, by default under ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "jitsi-fleet" / "cloud"


def port() -> int:
    """LOCAL_CLOUD_PORT, or the default."""
    return int(os.environ.get("LOCAL_CLOUD_PORT") or DEFAULT_PORT)
