#!/bin/sh
# Stands where the engine looks for its Python language host, and starts the one that can be had as a Go module.
# That one (sdk v3.79.0) takes the virtual environment as flags when it starts; an engine of today sends the option
# later, in calls that the old host does not know. So this reads the option from Pulumi.yaml, as the engine does.
# Without the option the host takes the python3 of PATH, as the official one does.
set -eu

root=$PWD
while [ ! -e "$root/Pulumi.yaml" ] && [ ! -e "$root/Pulumi.yml" ] && [ -n "$root" ]; do root=${root%/*}; done
for project in "$root/Pulumi.yaml" "$root/Pulumi.yml"; do
    [ -f "$project" ] || continue
    virtualenv=$(sed -n "s/^[^#]*virtualenv:[[:space:]]*[\"']\{0,1\}\([^\"',}#[:space:]]*\).*/\1/p" "$project" | head -n 1)
    [ -z "$virtualenv" ] || set -- -virtualenv "$virtualenv" -root "$root" "$@"
    break
done
exec "${0%/*}/pulumi-language-python-host" "$@"
