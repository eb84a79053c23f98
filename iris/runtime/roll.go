package runtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// roll is a list of process groups in memory that the guard reads when the worker is gone: a file of lines, each a
// number, or blank. A line is one aligned word, so that it is never half written, and a group is on the list or not
// without a system call, however suddenly its worker dies.
type roll struct {
	file *os.File

	mu     sync.Mutex
	memory []byte // the file, and what it may grow to
	lines  int    // in the file
	free   []int  // lines that are blank
}

const (
	rollLine = 8       // bytes: seven digits and a newline
	rollStep = 512     // lines by which it grows
	rollMost = 1 << 16 // lines
	rollID   = 9_999_999
)

var blank = [rollLine]byte{' ', ' ', ' ', ' ', ' ', ' ', ' ', '\n'}

func newRoll() (*roll, error) {
	file, err := memoryFile()
	if err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(int(file.Fd()), 0, rollMost*rollLine, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map %s: %w", file.Name(), err), file.Close())
	}
	return &roll{file: file, memory: memory}, nil
}

// take finds a blank line.
func (r *roll) take() (*place, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) == 0 {
		if err := r.grow(); err != nil {
			return nil, err
		}
	}
	line := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	return &place{roll: r, line: line}, nil
}

func (r *roll) grow() error {
	if r.lines == rollMost {
		return fmt.Errorf("%d attempts run already, which is all that one runtime can guard", rollMost)
	}
	if err := r.file.Truncate(int64((r.lines + rollStep) * rollLine)); err != nil {
		return err
	}
	for line := r.lines + rollStep - 1; line >= r.lines; line-- { // the first ones are taken first
		r.word(line).Store(binary.NativeEndian.Uint64(blank[:]))
		r.free = append(r.free, line)
	}
	r.lines += rollStep
	return nil
}

func (r *roll) word(line int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&r.memory[line*rollLine]))
}

func (r *roll) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(unix.Munmap(r.memory), r.file.Close())
}

// place is a line of the roll for one attempt.
type place struct {
	roll *roll
	line int
}

// enter puts a group on the roll.
func (p *place) enter(group int) {
	if group > rollID {
		return // beyond what any unix hands out
	}
	text := blank
	copy(text[:], fmt.Sprint(group))
	p.roll.word(p.line).Store(binary.NativeEndian.Uint64(text[:]))
}

// clear takes the group from the roll. It must not be used after leave.
func (p *place) clear() {
	p.roll.word(p.line).Store(binary.NativeEndian.Uint64(blank[:]))
}

// leave gives the line back.
func (p *place) leave() {
	p.clear()
	p.roll.mu.Lock()
	defer p.roll.mu.Unlock()
	p.roll.free = append(p.roll.free, p.line)
}
