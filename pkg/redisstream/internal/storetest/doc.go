// Package storetest holds what the tests of the packages below redisstream share:
// batches of events, peers that answer badly, and checks of errors. [Batch] makes a
// batch, [StartPeer] a peer, [WantErr] checks an error.
package storetest
