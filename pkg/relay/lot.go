package relay

// lot is one piece of memory for large messages. Any account and any relay can send as
// many of those as they like, so that there is one, and the next message waits for it:
// what is read is bounded, however slowly it is taken.
type lot chan []byte

// newLot makes a lot whose memory is made when it is needed.
func newLot() lot {
	l := make(lot, 1)
	l <- nil
	return l
}

// take waits for the memory, which has a capacity of size; false when ended was closed
// before. It is given back once.
func (l lot) take(size int, ended <-chan struct{}) (buf []byte, ok bool) {
	select {
	case buf = <-l:
	case <-ended:
		return nil, false
	}
	if cap(buf) < size {
		buf = make([]byte, 0, size)
	}
	return buf, true
}

// give lets the next one have it.
func (l lot) give(buf []byte) {
	select {
	case l <- buf[:0]:
	default: // given back twice
	}
}

// forget lets go of memory that nobody has.
func (l lot) forget() {
	select {
	case <-l:
		l <- nil
	default:
	}
}
