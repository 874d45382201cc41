"""Exact versions of Jitsi's packages that belong together: those of the recorded programs."""

VERSIONS = {
    "jitsi-videobridge2": "2.3-307-g4bb0aead1-1",
    "jicofo": "1.0-1189-1",
    "jitsi-meet-web": "1.0.11146-1",
    "jitsi-meet-web-config": "1.0.11146-1",
    "jitsi-meet-prosody": "1.0.11146-1",
}
