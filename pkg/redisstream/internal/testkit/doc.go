// Package testkit is a Redis server for the tests of the packages below redisstream,
// with a client that looks and meddles. Call [New].
package testkit
