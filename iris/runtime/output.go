package runtime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// output carries what a command writes to its Log, through a pipe and a goroutine for each stream.
type output struct {
	stdout, stderr uintptr // the ends the command writes to
	readers        [2]*os.File
	pumps          atomic.Int32  // that run
	ended          chan struct{} // closed when none does
}

func openOutput(log func(stream, line string)) (*output, error) {
	outR, outW, err := newPipe()
	if err != nil {
		return nil, err
	}
	errR, errW, err := newPipe()
	if err != nil {
		return nil, errors.Join(err, outR.Close(), closePipe(outW))
	}
	o := &output{stdout: outW, stderr: errW, readers: [2]*os.File{outR, errR}, ended: make(chan struct{})}
	o.pumps.Store(2)
	go o.pump(outR, func(line string) { log(Stdout, line) })
	go o.pump(errR, func(line string) { log(Stderr, line) })
	return o, nil
}

// closeWriters leaves the command as the only writer. Closing a pipe that has just been opened cannot fail.
func (o *output) closeWriters() {
	_ = closePipe(o.stdout)
	_ = closePipe(o.stderr)
}

// finish is called when the command's group is gone. All it wrote is in the pipes by now; a process that left
// the group may still hold them open, and nobody waits for that one.
func (o *output) finish() {
	patience := time.NewTimer(endPatience)
	defer patience.Stop()
	select {
	case <-o.ended:
		return
	case <-patience.C:
	}
	for _, r := range o.readers {
		_ = r.SetReadDeadline(time.Now()) // fails only if the pump has closed it
	}
	<-o.ended
}

// endPatience is how long the end of a stream may take to be noticed. Usually somebody is about to.
const endPatience = time.Millisecond

func (o *output) pump(r *os.File, emit func(string)) {
	defer func() {
		if o.pumps.Add(-1) == 0 {
			close(o.ended)
		}
	}()
	defer r.Close()
	text := lines{emit: emit}
	defer text.Close()

	err := transfer(r, &text)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = drain(r, &text)
	}
	if err != nil {
		text.Close()
		emit(fmt.Sprintf("[the rest of this stream is lost: %v]", err))
	}
}

// buffers are held while there is something to read, so that a command that is silent needs none.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// transfer reads to the end.
func transfer(r *os.File, to io.Writer) error {
	pipe, err := r.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var buffer *[16 << 10]byte
		var n int
		var failed error
		if err := pipe.Read(func(fd uintptr) bool {
			buffer = buffers.Get().(*[16 << 10]byte)
			n, failed = syscall.Read(int(fd), buffer[:])
			if failed == syscall.EAGAIN {
				buffers.Put(buffer)
				return false
			}
			return true
		}); err != nil {
			return err
		}
		if failed == nil && n > 0 {
			to.Write(buffer[:n])
		}
		buffers.Put(buffer)
		switch {
		case failed == syscall.EINTR:
		case failed != nil:
			return failed
		case n == 0:
			return nil
		}
	}
}

// drain reads what is in the pipe without waiting for more, and no more than a pipe can hold (1 MiB), lest a
// writer that is still there goes on for ever.
func drain(r *os.File, to io.Writer) error {
	if err := r.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	pipe, err := r.SyscallConn()
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	for left := 1 << 20; left > 0; {
		var n int
		var failed error
		if err := pipe.Read(func(fd uintptr) bool {
			n, failed = syscall.Read(int(fd), buf[:])
			return true
		}); err != nil {
			return err
		}
		switch {
		case failed == syscall.EINTR:
			continue
		case failed == syscall.EAGAIN, failed == nil && n == 0:
			return nil
		case failed != nil:
			return failed
		}
		to.Write(buf[:n])
		left -= n
	}
	return nil
}
