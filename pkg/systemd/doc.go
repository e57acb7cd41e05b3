// Package systemd tells a service manager how the process is: the protocol of
// sd_notify(3), one datagram per message on the socket that NOTIFY_SOCKET names.
//
// Call [New] with the environment, [Notifier.Ready] once the process works, and
// [Notifier.Alive] twice in each [Notifier.Watchdog].
//
// Without that variable every method does nothing, so callers need not ask.
// A manager that went away must not trouble the daemon either: what cannot be
// sent is dropped.
package systemd
