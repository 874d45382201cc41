#!/bin/bash
# Starts the stand-in for jicofo as the real script starts jicofo: the heap's limit and the place of the configuration
# come from the environment. CPython keeps, and shows in `ps`, any option that starts with -X; so the heap that a host
# gives its jicofo can be seen in the same place, though the stand-in has no heap to limit.
folder=$(dirname "$(readlink --canonicalize "$0")")

heap=${JICOFO_MAX_MEMORY:-3072m}
if ! [[ $heap =~ ^[1-9][0-9]*[kKmMgGtT]?$ ]]; then
  echo "Invalid maximum heap size: -Xmx$heap" >&2
  exit 1
fi
config=/etc/jitsi/jicofo/jicofo.conf
for property in $JAVA_SYS_PROPS; do
  case $property in
  -Dconfig.file=*) config=${property#*=} ;;
  esac
done
exec python3 "-Xmx$heap" "$folder/jicofo.py" --config "$config"
