"""How every tool ends: with an exit status and at most a sentence, never with a traceback for what it has foreseen."""

import subprocess
import sys
from collections.abc import Callable

from tools.engine.pin import RefusedError


def run(main: Callable[[], None]) -> None:
    """Run `main`; a refusal is printed, a failed program's status is passed on (its own output said why)."""
    try:
        main()
    except RefusedError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode if error.returncode > 0 else 1)
    except KeyboardInterrupt:
        sys.exit(130)
