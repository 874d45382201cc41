#!/bin/sh
# Makes the checkout's Python environment, .venv. This part only finds a Python that can do it; packages.py does the rest.
set -eu
cd "$(dirname "$0")/.."

# Debian keeps ensurepip, which venv needs, in a package of its own.
usable() { "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for python in "${PYTHON:-python3}" python3.11 python3.12 python3.13 "$HOME"/.pyenv/versions/3.1[1-3]*/bin/python3; do
        if usable "$python"; then
            echo "$python"
            return
        fi
    done
    return 1
}

if .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=.venv/bin/python
elif ! python=$(find_python); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "python     installing Debian's python3-venv ..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
        python=$(find_python) || true
    fi
    if [ -z "$python" ]; then
        echo "Python 3.11 or newer with its venv module is needed, and none was found." >&2
        echo "On Debian or Ubuntu: sudo apt-get install python3-venv. Or name another one: make PYTHON=/path/to/python3" >&2
        exit 1
    fi
fi
exec "$python" tools/packages.py "$@"
