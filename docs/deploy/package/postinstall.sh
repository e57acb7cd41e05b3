#!/bin/sh
# Runs after the files of a package are in place. deb says "configure", and the
# version before on an upgrade; rpm says how many versions are installed now. apk
# says a version, and calls this on an upgrade too.
set -e

upgrade=no
case "$1" in
configure) [ -z "$2" ] || upgrade=yes ;;
2) upgrade=yes ;;
esac

# The settings may hold a password: only root and the service read them. The
# service has a user of its own for each run, so a group stands for it.
if [ -z "$DPKG_ROOT" ]; then
	if ! grep -q '^fhctl-settings:' /etc/group; then
		if command -v groupadd >/dev/null; then groupadd --system fhctl-settings; else addgroup -S fhctl-settings; fi
	fi
	[ ! -e /etc/fhctl/fhctl.yaml ] || chgrp fhctl-settings /etc/fhctl/fhctl.yaml
fi

# A root that is only being built, or a system without systemd, has nothing to reload.
[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0

# What systemd refuses is said, and does not leave the package half installed.
systemctl daemon-reload || echo "fhctl: systemd did not reload its units: systemctl daemon-reload" >&2
# Only what runs is restarted: it goes on from the cursor. Nothing is enabled or
# started here, since fhctl first needs to know its relay and its Redis.
if [ "$upgrade" = yes ]; then
	systemctl try-restart fhctl.service || echo "fhctl: not restarted: systemctl status fhctl" >&2
fi
