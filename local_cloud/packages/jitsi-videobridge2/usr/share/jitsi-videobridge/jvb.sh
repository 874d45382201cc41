#!/bin/bash
# Starts the stand-in for the bridge as the real script starts the bridge: the heap's limit and the place of the
# configuration come from the environment. CPython keeps, and shows in `ps`, any option that starts with -X; so the
# heap that a host gives its bridge can be seen in the same place, though the stand-in has no heap to limit.
folder=$(dirname "$(readlink --canonicalize "$0")")
[ ! -r "$folder/lib/videobridge.rc" ] || . "$folder/lib/videobridge.rc"

heap=${VIDEOBRIDGE_MAX_MEMORY:-3072m}
if ! [[ $heap =~ ^[1-9][0-9]*[kKmMgGtT]?$ ]]; then
  echo "Invalid maximum heap size: -Xmx$heap" >&2
  exit 1
fi
config=()
for property in $JAVA_SYS_PROPS; do
  case $property in
  -Dconfig.file=*) config=(--config "${property#*=}") ;;
  esac
done
exec python3 "-Xmx$heap" "$folder/videobridge.py" "${config[@]}"
