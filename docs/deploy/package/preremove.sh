#!/bin/sh
# Runs before the files of a package go. deb says "remove" or "upgrade"; rpm says
# how many versions will be left.
set -e

[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0

# A service that cannot be stopped is said, and does not keep the package.
case "$1" in
remove) systemctl stop fhctl.service || echo "fhctl: not stopped: systemctl status fhctl" >&2 ;; # it stays enabled until a purge
0) systemctl disable --now fhctl.service || echo "fhctl: not stopped: systemctl status fhctl" >&2 ;;
esac
