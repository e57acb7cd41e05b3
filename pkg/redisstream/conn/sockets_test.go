package conn

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
)

// A client that is told of the refusal only after it has written still reads it.
func TestLastWordsAreReadAfterAFailedWrite(t *testing.T) {
	addr := storetest.StartPeer(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, storetest.Denied)
		_ = conn.(*net.TCPConn).CloseRead()
	})
	dial := new(sockets).dialer(&Target{connection: Connection{CommandTimeout: time.Second}.WithDefaults()}, ReadReply)
	link, err := dial(t.Context(), "tcp", addr)
	storetest.Must(t, err)
	defer link.Close()
	for err == nil {
		_, err = link.Write([]byte("*1\r\n$4\r\nPING\r\n"))
		time.Sleep(time.Millisecond)
	}
	if !strings.Contains(err.Error(), "DENIED") || fault.ClassOf(Final(err)) != fault.Refused {
		t.Errorf("got %v", err)
	}
}

// What ended a connection that worked is not what it was refused with once.
func TestLastWordsAreOfTheBeginningOnly(t *testing.T) {
	addr := storetest.StartPeer(t, func(conn net.Conn) {
		var some [512]byte
		for _, text := range []string{"-ERR unknown command 'hello'\r\n", "+OK\r\n", "-NOSCRIPT No matching script\r\n"} {
			_, _ = conn.Read(some[:])
			_, _ = io.WriteString(conn, text)
		}
	})
	client, err := Dial(Connection{URL: "redis://" + addr})
	storetest.Must(t, err)
	defer client.Close()
	_ = client.Ping(t.Context())
	if err := client.Ping(t.Context()).Err(); strings.Contains(err.Error(), "NOSCRIPT") || strings.Contains(err.Error(), "hello") {
		t.Errorf("got %v", err)
	}
}
