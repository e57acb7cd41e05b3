package config

import (
	"fmt"
	"net/url"
	"os"
	"runtime"
)

// Exposed is the warning of a settings file that holds a password and that every user
// of this machine may read; "" where there is none. Files of passwords alone are not
// looked at: containers mount them so.
func (c *Config) Exposed() string {
	if runtime.GOOS == "windows" { // whose modes say nothing of who may read
		return ""
	}
	const others = 0o004
	info, err := os.Stat(c.secret.file)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&others == 0 {
		return ""
	}
	return fmt.Sprintf("every user of this machine may read %s (mode %04o), which holds the password in %s: chmod 600, or 640 with the group of who runs it", c.secret.file, info.Mode().Perm(), c.secret.setting)
}

// secretOf names the setting of a file that holds a password, whether or not it is the
// one in use.
func (l *loader) secretOf(path string) (found secretFile) {
	redis := Redis{URL: fileText(l.file.Get("redis-url"))}
	if redis.redisPassword() {
		return secretFile{path, "redis-url"}
	}
	relay, err := url.Parse(fileText(l.file.Get("relay-url")))
	if err != nil || relay.User == nil {
		return secretFile{}
	}
	if _, found := relay.User.Password(); !found {
		return secretFile{}
	}
	return secretFile{path, "relay-url"}
}

// secretFile is a settings file with a password, and where it stands.
type secretFile struct{ file, setting string }
