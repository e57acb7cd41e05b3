#!/bin/sh
# Runs after the files of a package are in place. deb says "configure", and the
# version before on an upgrade; rpm says how many versions are installed now.
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

systemctl daemon-reload
# Only what runs is restarted: it goes on from the cursor. Nothing is enabled or
# started here, since fhctl first needs to know its relay and its Redis.
[ "$upgrade" = no ] || systemctl try-restart fhctl.service
