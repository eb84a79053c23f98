package keeper

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
)

// readLog reads a page of an attempt's log from line start on, at most limit lines, and reports whether it goes to the
// end of what there is so far. Nil: there is none on disk, because the attempt wrote nothing, was never here, or its log
// was dropped.
func readLog(dir, uid string, start int64, limit int) (page *pb.FetchTaskLogsResponse, end bool, err error) {
	segments, err := readSegments(dir, uid)
	if err != nil || len(segments) == 0 {
		return nil, false, err
	}
	first := segments[0].first
	page = &pb.FetchTaskLogsResponse{Dropped: max(0, first-start), NextLine: first}
	start = max(start, first)
	for _, s := range segments {
		for text := s.text; len(text) > 0; {
			if len(page.Lines) == limit {
				return page, false, nil
			}
			end := bytes.IndexByte(text, '\n')
			if page.NextLine >= start {
				page.Lines = append(page.Lines, parseLine(text[:end]))
			}
			page.NextLine++
			text = text[end+1:]
		}
	}
	return page, true, nil
}

// logSegment is what a segment holds: whole lines.
type logSegment struct {
	first int64
	text  []byte
}

// readSegments reads an attempt's segments in their order. If the older one is replaced meanwhile, so that lines would be
// missing between the two, it counts as dropped.
func readSegments(dir, uid string) ([]logSegment, error) {
	var all []logSegment
	for n := range 2 {
		s, err := readSegment(segment(dir, uid, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) < 2 {
		return all, nil
	}
	if all[0].first > all[1].first {
		all[0], all[1] = all[1], all[0]
	}
	if all[0].first+int64(bytes.Count(all[0].text, newline)) != all[1].first {
		return all[1:], nil
	}
	return all, nil
}

var newline = []byte{'\n'}

func readSegment(path string) (logSegment, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return logSegment{}, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // the last line may be half written
	head, rest, _ := bytes.Cut(text, newline)
	first, err := strconv.ParseInt(string(bytes.TrimPrefix(head, []byte("first "))), 10, 64)
	if err != nil { // just being begun, or cut off there
		return logSegment{}, fs.ErrNotExist
	}
	return logSegment{first: first, text: rest}, nil
}

// parseLine takes a line apart. What is not one is a line of its own making.
func parseLine(line []byte) *pb.LogLine {
	head, rest, _ := bytes.Cut(line, []byte{' '})
	stream, text, ok := bytes.Cut(rest, []byte{' '})
	at, err := time.Parse(time.RFC3339Nano, string(head))
	if err != nil || !ok {
		return &pb.LogLine{Stream: "iris", Text: "[a damaged line: " + strconv.Quote(string(line)) + "]"}
	}
	return &pb.LogLine{At: timestamppb.New(at), Stream: string(stream), Text: string(text)}
}

// logStamp tells whether an attempt's log may have changed.
func logStamp(dir, uid string) (stamp [2]int64, err error) {
	for n := range stamp {
		info, err := os.Stat(segment(dir, uid, n))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return stamp, err
		default:
			stamp[n] = info.Size() + info.ModTime().UnixNano()
		}
	}
	return stamp, nil
}
