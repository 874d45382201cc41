#!/bin/bash
# Collects the bridge's logs into an archive under /tmp, for a report. Dumps of Java, which the real script adds, the
# stand-in does not have.
archive=/tmp/jvb-logs-$(date +%Y%m%d-%H%M%S).tar.gz
tar --create --gzip --file "$archive" --directory / var/log/jitsi && echo "$archive"
