package embedded

import (
	"fmt"
	"net"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

// answer replies to what clients ask on connecting and miniredis refuses. It
// runs before every command, those of scripts included, so it takes no lock.
func answer(srv *server.Server, addr string) server.Hook {
	_, port, _ := net.SplitHostPort(addr)
	info := fmt.Sprintf(infoText, port)
	return func(c *server.Peer, cmd string, args ...string) bool {
		sub := ""
		if len(args) > 0 {
			sub = strings.ToUpper(args[0])
		}
		switch cmd {
		case "INFO":
			c.WriteBulk(section(info, args))
		case "CLIENT":
			return client(c, sub)
		case "CONFIG":
			config(c, sub, args)
		case "COMMAND":
			// An empty table: redis-cli and libraries fall back on their own.
			if sub == "COUNT" {
				c.WriteInt(0)
			} else {
				c.WriteLen(0)
			}
		case "HELLO":
			return hello(c, args)
		case "XREAD", "XREADGROUP":
			if !c.Resp3 {
				return false
			}
			readAsMap(srv, c, cmd, args)
		case "RESET":
			c.Resp3 = false
			c.WriteInline("RESET")
		default:
			return false
		}
		return true
	}
}

// infoText has what checks of readiness and role look for.
const infoText = "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nserver_name:fhctl-embedded\r\ntcp_port:%s\r\n\r\n" +
	"# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\r\n" +
	"# Persistence\r\nloading:0\r\naof_enabled:0\r\n\r\n" +
	"# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n" +
	"# Cluster\r\ncluster_enabled:0\r\n"

// section cuts the named sections out of the text; none, "all", "default" and
// "everything" mean all of it.
func section(info string, names []string) string {
	var out strings.Builder
	for _, part := range strings.SplitAfter(info, "\r\n\r\n") {
		title := strings.ToLower(strings.TrimPrefix(part[:strings.Index(part, "\r\n")], "# "))
		for _, name := range names {
			switch strings.ToLower(name) {
			case title, "all", "default", "everything":
				out.WriteString(part)
			}
		}
	}
	if len(names) == 0 {
		return info
	}
	return out.String()
}

// client accepts what libraries announce about themselves.
func client(c *server.Peer, sub string) bool {
	switch sub {
	case "SETINFO", "NO-EVICT", "NO-TOUCH", "REPLY", "TRACKING", "CACHING":
		c.WriteOK()
	case "ID":
		c.WriteInt(1)
	case "LIST", "INFO":
		c.WriteBulk("")
	default:
		return false
	}
	return true
}

// config answers CONFIG GET for the settings people look at and refuses SET.
func config(c *server.Peer, sub string, args []string) {
	if sub != "GET" || len(args) < 2 {
		c.WriteError("ERR the embedded server has no settings")
		return
	}
	known := [][2]string{{"maxmemory", "0"}, {"maxmemory-policy", "noeviction"}, {"appendonly", "no"}, {"save", ""}, {"databases", "16"}}
	var found [][2]string
	for _, setting := range known {
		for _, want := range args[1:] {
			if want == "*" || strings.EqualFold(want, setting[0]) {
				found = append(found, setting)
				break
			}
		}
	}
	c.WriteMapLen(len(found))
	for _, setting := range found {
		c.WriteBulk(setting[0])
		c.WriteBulk(setting[1])
	}
}

// hello adds the form without arguments; miniredis knows the others.
func hello(c *server.Peer, args []string) bool {
	if len(args) > 0 {
		return false
	}
	version := 2
	if c.Resp3 {
		version = 3
	}
	c.WriteMapLen(3)
	c.WriteBulk("server")
	c.WriteBulk("redis")
	c.WriteBulk("proto")
	c.WriteInt(version)
	c.WriteBulk("role")
	c.WriteBulk("master")
	return true
}
