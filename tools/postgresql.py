"""Debian's PostgreSQL for one test (a state backend that a team shares): programs only, no server is started."""

import shlex
from pathlib import Path

from tools import debian

# Its first package holds the setting by which the second would start a server.
NO_SERVER = f"""
{shlex.join(debian.APT)} install postgresql-common
printf '\\n# jitsi-fleet: only the programs are wanted\\ncreate_main_cluster = false\\n' \\
  >>/etc/postgresql-common/createcluster.conf
"""


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`: Debian keeps them off PATH, one folder for each major version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parent.parent.name))
    return found[-1].parent if found else None


def install() -> None:
    debian.offer("postgresql", programs(), "installing Debian's package, without starting a server", NO_SERVER)
