package health_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

// A Monitor observes a pipeline and answers over HTTP. Monitor.Serve gives it a
// listener of its own.
func Example() {
	monitor := health.New(health.Config{Version: "1.2.3"})
	ready := func() {
		answer := httptest.NewRecorder()
		monitor.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "http://localhost/readyz", nil))
		var report health.Report
		if err := json.Unmarshal(answer.Body.Bytes(), &report); err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Code, report.Reason)
	}
	ready()

	// What a pipeline tells its observer.
	monitor.Link(event.Link{State: event.LinkUp, URL: "wss://relay.example"})
	monitor.Store(event.Store{Up: true})
	monitor.Stored(&event.Batch{Upto: 7000000123}, event.Receipt{Appended: 1, Cursor: 7000000123, Length: 1})
	ready()
	fmt.Println("cursor", monitor.Snapshot().Cursor)
	// Output:
	// 503 starting
	// 200 ready
	// cursor 7000000123
}
