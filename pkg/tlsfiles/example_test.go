package tlsfiles_test

import (
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/tlsfiles"
)

// Trust the authority in a file, as it is at each handshake.
func Example() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()
	dir, err := os.MkdirTemp("", "tlsfiles")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		log.Fatal(err)
	}

	source, err := tlsfiles.New(tlsfiles.Files{CA: ca}, nil, func(err error) { log.Print(err) })
	if err != nil {
		log.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: source.Config()}}
	defer client.CloseIdleConnections()
	answer, err := client.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)

	_, err = tlsfiles.New(tlsfiles.Files{CA: filepath.Join(dir, "none.pem")}, nil, nil)
	fmt.Println(err != nil)
	// Output:
	// 200 OK
	// true
}
