package connector

// A deque is a queue in a ring that grows. The zero value is empty. It gives its memory back when it becomes empty
// after having been large.
type deque[T any] struct {
	ring  []T
	first int
	n     int
}

func (d *deque[T]) len() int { return d.n }

// at returns the i-th element from the front.
func (d *deque[T]) at(i int) *T { return &d.ring[(d.first+i)%len(d.ring)] }

func (d *deque[T]) pushBack(v T) {
	if d.n == len(d.ring) {
		d.grow()
	}
	d.n++
	*d.at(d.n - 1) = v
}

func (d *deque[T]) pushFront(v T) {
	if d.n == len(d.ring) {
		d.grow()
	}
	d.first = (d.first + len(d.ring) - 1) % len(d.ring)
	d.n++
	*d.at(0) = v
}

// popFront takes the first element of a deque that is not empty.
func (d *deque[T]) popFront() T {
	slot := d.at(0)
	v := *slot
	*slot = *new(T)
	d.first = (d.first + 1) % len(d.ring)
	d.n--
	if d.n == 0 {
		d.first = 0
		if len(d.ring) > 64 {
			d.ring = nil
		}
	}
	return v
}

func (d *deque[T]) clear() { *d = deque[T]{} }

func (d *deque[T]) grow() {
	ring := make([]T, max(4, 2*len(d.ring)))
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	d.ring, d.first = ring, 0
}
