package reader

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func TestVitalsTellOfTheServer(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r, client := statsReader(t, server, 1)
		v, err := r.Vitals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !v.Durable {
			t.Error("a fresh server is told to have failed at writing")
		}
		if v.UsedMemory < 0 {
			return // the embedded server has no such numbers
		}
		if v.Version == "" || v.Role != "master" || v.MaxMemory != 0 || v.Replicas != 0 || v.UsedMemory < 100_000 {
			t.Errorf("%+v", v)
		}
		if err := client.ConfigSet(t.Context(), "maxmemory", "64mb").Err(); err != nil {
			t.Fatal(err)
		}
		if v, err = r.Vitals(t.Context()); err != nil || v.MaxMemory != 64<<20 {
			t.Errorf("maxmemory %d, %v", v.MaxMemory, err)
		}
	})
}

func TestVitalsOfFailedWrites(t *testing.T) {
	for _, line := range []string{"rdb_last_bgsave_status:err", "aof_last_write_status:err", "aof_last_bgrewrite_status:err"} {
		if v := vitalsOf(conn.ParseInfo("# Persistence\r\n" + line + "\r\n")); v.Durable {
			t.Errorf("%s: durable", line)
		}
	}
	if v := vitalsOf(nil); v.UsedMemory != -1 || v.MaxMemory != -1 || v.Replicas != -1 || !v.Durable {
		t.Errorf("of nothing: %+v", v)
	}
}
