#!/bin/sh
# Runs after the files of a package are gone. deb says "remove", "purge" or
# "upgrade"; rpm says how many versions are left.
set -e

if [ "$1" = purge ]; then
	# What the unit's StateDirectory left: rejected frames, and files that a full
	# stream was spilled to.
	rm -rf "$DPKG_ROOT/var/lib/private/fhctl" "$DPKG_ROOT/var/lib/fhctl"
	# What "systemctl enable" made; systemctl itself needs the unit to remove it.
	rm -f "$DPKG_ROOT/etc/systemd/system/multi-user.target.wants/fhctl.service"
	# The group goes with the last file that it may read: its number, given to
	# another group, would open what is left here.
	if [ -z "$DPKG_ROOT" ]; then
		rmdir /etc/fhctl 2>/dev/null || true
		if [ ! -e /etc/fhctl ] && grep -q '^fhctl-settings:' /etc/group; then
			if command -v groupdel >/dev/null; then groupdel fhctl-settings; else delgroup fhctl-settings; fi
		fi
	fi
fi

[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0

case "$1" in
purge | remove | 0) systemctl daemon-reload || true ;;
esac
