// Package config turns flags, environment, a YAML file and defaults into one
// checked Config.
//
// Call [AddFlags] where flags are defined and [Load] when they are parsed.
//
// There is one table of settings (table.go). Flags, variables, file keys, the
// reference page and the checks all derive from it, so a setting has one name
// everywhere: flag --batch-size, key batch-size, variable FHCTL_BATCH_SIZE.
// Only the six variables of the wire contract keep the names they have always
// had (RELAY_URL, REDIS_URL, REDIS_STREAM_KEY, REDIS_CURSOR_KEY,
// REDIS_MAX_STREAM_LEN, LOG_LEVEL).
//
// [Load] is the only place where precedence exists: flag, environment, file,
// default. An empty variable is an unset one. Names it does not know, in the
// file or behind the FHCTL_ prefix, are refused by name with the nearest name
// it does know; values it cannot use are refused by name and origin. All of
// these are errors of class usage, all are reported at once, and none prints a
// password: fault.Redact masks every value that is shown.
//
// The package keeps no state and watches nothing: a [Config] is a plain value,
// read once at the start.
package config
