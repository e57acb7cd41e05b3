package systemd_test

import (
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/systemd"
)

// What a daemon says in its life. Without NOTIFY_SOCKET New returns nil, whose methods
// do nothing, so that nobody has to ask whether there is a manager.
func Example() {
	dir, err := os.MkdirTemp("", "systemd")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()

	notifier, err := systemd.New([]string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=30000000"}) // usually os.Environ()
	if err != nil {
		log.Print(err) // the daemon runs on without
	}
	defer notifier.Close()
	notifier.Ready()
	notifier.Status("connected to wss://relay.example")
	fmt.Println("say Alive twice in", notifier.Watchdog())
	notifier.Alive()
	notifier.Stopping()

	message := make([]byte, 4096)
	for range 4 {
		n, err := manager.Read(message)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", message[:n])
	}
	// Output:
	// say Alive twice in 30s
	// READY=1
	// STATUS=connected to wss://relay.example
	// WATCHDOG=1
	// STOPPING=1
}
