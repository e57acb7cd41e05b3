#!/bin/sh
# Runs after the files of a package are gone. deb says "remove", "purge" or
# "upgrade"; rpm says how many versions are left.
set -e

if [ "$1" = purge ]; then
	# What the unit's StateDirectory left: files that a full stream was spilled to.
	rm -rf "$DPKG_ROOT/var/lib/private/fhctl" "$DPKG_ROOT/var/lib/fhctl"
fi

[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0

case "$1" in
purge)
	systemctl disable fhctl.service 2>/dev/null || true # its unit is gone, its link is not
	systemctl daemon-reload
	;;
remove | 0) systemctl daemon-reload ;;
esac
