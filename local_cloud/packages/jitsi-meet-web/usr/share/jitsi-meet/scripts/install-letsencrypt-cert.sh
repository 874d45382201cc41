#!/bin/bash
# The real script asks Let's Encrypt for a certificate. The stand-in's site stays with the self-signed one.
echo "The stand-in of jitsi-meet-web asks for no certificate (mail address $1, domain $2)" >&2
exit 1
