#!/bin/bash
# Asks the bridge for an orderly end and waits for it: first until its rooms are empty, then until its process is gone.
#   -h URL   of its REST interface, by default http://localhost:8080
#   -p PID   of its process, by default the one that is found
#   -s       says nothing
url=http://localhost:8080
silent=
pid=
while getopts "h:p:s" option; do
  case $option in
  h) url=$OPTARG ;;
  p) pid=$OPTARG ;;
  s) silent=yes ;;
  *) exit 1 ;;
  esac
done

say() {
  [ -n "$silent" ] || echo "$*"
}

people() {
  curl --silent "$url/colibri/stats" | jq '.participants - .octo_endpoints'
}

[ -n "$pid" ] || pid=$(pgrep --oldest --full '^python3 .*/videobridge\.py')
if [ -z "$pid" ]; then
  echo "No bridge runs here" >&2
  exit 1
fi
status=$(curl --silent --output /dev/null --write-out '%{http_code}' --header 'Content-Type: application/json' \
  --data '{"graceful-shutdown":"true"}' "$url/colibri/shutdown")
if [ "$status" != 200 ]; then
  echo "Invalid HTTP status for shutdown request: $status" >&2
  exit 1
fi
say "Graceful shutdown started"
while count=$(people) && [[ $count =~ ^[0-9]+$ ]] && [ "$count" -gt 0 ]; do
  say "Still $count participants"
  sleep 10
done
say "No participants left; waiting for process $pid to end"
while kill -0 "$pid" 2>/dev/null; do
  sleep 10
done
say "Bridge shutdown complete"
