# shellcheck shell=bash
# What the installations of both roles share. Each step may run again after a failure.

mark() {
  echo "jitsi-fleet: $ROLE: $*"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=600 \
    -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

fetch() { # URL FILE
  curl --fail --silent --show-error --location --retry 5 --retry-all-errors --connect-timeout 10 --max-time 60 \
    --output "$2.new" "$1"
  mv "$2.new" "$2"
}

close_doors() {
  apt_get update
  apt_get install nftables
  systemctl enable nftables.service
  systemctl restart nftables.service
}

# In one call: each one costs seconds, most of them for the same triggers.
install_base() { # further PACKAGES
  local java
  java=$(java_runtime)
  apt_get install ca-certificates curl systemd-timesyncd unattended-upgrades "$java" "$@"
  apt-mark hold "$java"
  # Java trusts the cluster's CA from here on.
  update-ca-certificates
  systemctl try-reload-or-restart ssh.service systemd-journald.service
  # A container may not set the kernel's own values.
  sysctl --quiet --system || true
}

java_runtime() {
  # Jitsi takes 17 and 21; a release of Debian has one of them, and apt does not always pick it.
  local version
  for version in 17 21; do
    if [[ $(apt-cache policy "openjdk-$version-jre-headless") == *"Candidate: "[0-9]* ]]; then
      echo "openjdk-$version-jre-headless"
      return
    fi
  done
  echo "no Java runtime in the package archive" >&2
  return 1
}

add_jitsi_archive() {
  install -d -m 0755 /etc/apt/keyrings
  fetch https://download.jitsi.org/jitsi-key.gpg.key /etc/apt/keyrings/jitsi.asc
  install -m 0644 /usr/local/lib/jitsi-fleet/jitsi.sources /etc/apt/sources.list.d/jitsi.sources
  apt_get update
}

finish() {
  install -d -m 0755 /var/lib/jitsi-fleet
  # Each is now where its program reads it.
  rm -f /etc/jitsi-fleet/passwords /etc/jitsi-fleet/jvb.conf /etc/jitsi-fleet/tls/auth.key /etc/jitsi-fleet/tls/web.key
  # debconf keeps the passwords, too. Not every host has both questions.
  printf 'RESET %s\n' jitsi-videobridge/jvbsecret jicofo/jicofo-authpassword |
    DEBIAN_FRONTEND=noninteractive debconf-communicate >/dev/null || true
  touch /var/lib/jitsi-fleet/installed
  mark "done"
}
