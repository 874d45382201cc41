"""Level 4: what the real engine sends to "create server" boots: real systemd, cloud-init, apt and Debian services.

Jitsi's own packages are real ones or stand-ins, as `local_cloud prepare` found them; the tests do not care. What only a
real data centre or a browser with media can show is listed in README.md beside this file.
"""
