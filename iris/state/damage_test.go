package state

import (
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

// TestNoDamageMakesRestorePanic changes snapshots of random clusters anywhere, as a value of a field or as a byte. Such
// a snapshot is refused, or is one of a cluster that lives on with its books in order.
func TestNoDamageMakesRestorePanic(t *testing.T) {
	refused, restored := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		actions := w.actions()
		names := slices.Sorted(maps.Keys(actions))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			actions[pick(w, "action", names...)](t)
		}
		damaged := proto.Clone(w.c.Snapshot()).(*pb.Snapshot)
		if rapid.Bool().Draw(t, "bytes") {
			wire := []byte(snapshotText(t, w.c))
			for range rapid.IntRange(1, 3).Draw(t, "bytes") {
				wire[rapid.IntRange(0, len(wire)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
			damaged = &pb.Snapshot{}
			if err := proto.Unmarshal(wire, damaged); err != nil {
				t.Skip("not even a message")
			}
		} else {
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				damage(t, damaged.ProtoReflect())
			}
		}
		c, err := Restore(damaged)
		if err != nil {
			refused++
			return
		}
		restored++
		end(t, c, w.now)
	})
	t.Logf("%d refused, %d restored", refused, restored)
	if refused == 0 || restored == 0 {
		t.Error("there was damage of one kind only")
	}
}

// damage changes one field of the message or of one somewhere in it.
func damage(t *rapid.T, m protoreflect.Message) {
	var inner []protoreflect.Message
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				inner = append(inner, v.List().Get(i).Message())
			}
		default:
			inner = append(inner, v.Message())
		}
		return true
	})
	if n := rapid.IntRange(0, 3*len(inner)).Draw(t, "message"); n > 0 {
		damage(t, inner[(n-1)%len(inner)])
		return
	}
	fields := m.Descriptor().Fields()
	f := fields.Get(rapid.IntRange(0, fields.Len()-1).Draw(t, "field"))
	n := rapid.OneOf(rapid.Int64Range(-1, 12), rapid.Int64()).Draw(t, "value")
	switch {
	case f.IsMap() || f.Message() != nil && !f.IsList():
		m.Clear(f)
	case f.IsList():
		list := m.Mutable(f).List()
		if list.Len() == 0 {
			return
		}
		i := rapid.IntRange(0, list.Len()-1).Draw(t, "element")
		if rapid.Bool().Draw(t, "again") {
			list.Append(list.Get(i))
		} else {
			list.Set(i, list.Get(list.Len()-1))
			list.Truncate(list.Len() - 1)
		}
	default:
		m.Set(f, map[protoreflect.Kind]func() protoreflect.Value{
			protoreflect.StringKind: func() protoreflect.Value {
				texts := rapid.SampledFrom([]string{"", "j-0", "w-0", "a", "x"})
				return protoreflect.ValueOfString(texts.Draw(t, "text"))
			},
			protoreflect.BoolKind: func() protoreflect.Value { return protoreflect.ValueOfBool(n%2 == 0) },
			protoreflect.EnumKind: func() protoreflect.Value {
				return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n))
			},
			protoreflect.Int32Kind:    func() protoreflect.Value { return protoreflect.ValueOfInt32(int32(n)) },
			protoreflect.Int64Kind:    func() protoreflect.Value { return protoreflect.ValueOfInt64(n) },
			protoreflect.Uint32Kind:   func() protoreflect.Value { return protoreflect.ValueOfUint32(uint32(n)) },
			protoreflect.Uint64Kind:   func() protoreflect.Value { return protoreflect.ValueOfUint64(uint64(n)) },
			protoreflect.Sfixed64Kind: func() protoreflect.Value { return protoreflect.ValueOfInt64(n) },
		}[f.Kind()]())
	}
}

// end has everything end that a cluster may still do.
func end(t *rapid.T, c *Cluster, now time.Time) {
	apply := func(cmd Command) {
		if _, err := c.Apply(now, cmd); err != nil {
			t.Fatalf("%+v: %v", cmd, err)
		}
		if err := c.checkBooks(); err != nil {
			t.Fatalf("%+v: %v\n%s", cmd, err, c.Describe(epoch))
		}
	}
	c.Outstanding()
	for _, due := range c.Due(forever) {
		apply(Expire{Deadline: due})
	}
	for _, w := range c.Workers() {
		apply(LoseWorker{ID: w.ID, Incarnation: w.Incarnation})
	}
	for _, j := range c.Jobs() {
		apply(CancelJob{ID: j.ID})
	}
	for _, cmd := range c.Expired(forever, Retention{Age: 1, WorkerAge: 1}) {
		apply(cmd)
	}
}
