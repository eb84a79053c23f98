package schedule_test

import (
	"testing"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

func TestExplain(t *testing.T) {
	const (
		nextPass    = pb.PendingReason_KIND_NEXT_PASS
		noWorkers   = pb.PendingReason_KIND_NO_WORKERS
		tooLarge    = pb.PendingReason_KIND_TOO_LARGE
		noCapacity  = pb.PendingReason_KIND_NO_CAPACITY
		constraints = pb.PendingReason_KIND_CONSTRAINTS
		noGroup     = pb.PendingReason_KIND_GANG
	)
	two := []schedule.Worker{worker("w-0", "zone", "us-1"), worker("w-1", "gpu", "h100")}
	full := []schedule.Worker{left(cores(4, 2), two[0]), left(cores(1, 4), two[1])}
	odd := []schedule.Worker{
		with(worker("w-0"), cores(8, 4), cores(8, 4)), with(worker("w-1"), cores(2, 16), cores(2, 16)),
	}
	slice := func(id string, free state.Resources) schedule.Worker {
		return left(free, worker(id, "slice", "slice-a"))
	}
	bytes := state.Resources{CPUMillis: 1000, MemoryBytes: 16*gib + 1}
	oneOf := func(ids ...string) map[int32][]string { return map[int32][]string{0: ids} }
	ne := &pb.Constraint{Key: "zone", Op: pb.ConstraintOp_CONSTRAINT_OP_NE, Value: "us-1"}
	absent := &pb.Constraint{Key: "worker", Op: pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS}

	for _, tc := range []struct {
		workers []schedule.Worker
		request schedule.Request
		kind    pb.PendingReason_Kind
		text    string
	}{
		{nil, job("j", 1, cores(1, 1)), noWorkers, "no live worker"},
		{two, job("j", 1, cores(1, 1)), nextPass, "will be placed in the next pass"},
		{twoSlices(), gang("g", 2, cores(4, 1)), nextPass, "will be placed in the next pass"},

		{two, job("j", 1, cores(9999, 1)), tooLarge, "needs 9999 CPU, the largest worker w-0 has 4 CPU; 2 workers"},
		{two[:1], job("j", 1, cores(1, 64)), tooLarge, "needs 64 GiB, the largest worker w-0 has 16 GiB; 1 worker"},
		{two, job("j", 1, cores(9999, 64)), tooLarge,
			"needs 9999 CPU and 64 GiB, the largest worker w-0 has 4 CPU and 16 GiB; 2 workers"},
		{odd, job("j", 1, cores(9, 64)), tooLarge,
			"needs 9 CPU and 64 GiB, the largest workers have 8 CPU (w-0) and 16 GiB (w-1); 2 workers"},
		{odd, job("j", 1, cores(4, 8)), tooLarge, "needs 4 CPU and 8 GiB, no worker has both; 2 workers"},
		{two, job("j", 1, bytes), tooLarge,
			"needs 17179869185 B, the largest worker w-0 has 17179869184 B; 2 workers"},
		{two, job("j", 1, cores(9999, 1), ne), tooLarge,
			"needs 9999 CPU, the largest worker w-1 has 4 CPU; of 2 workers only 1 satisfies zone != us-1"},
		{twoSlices(), gang("g", 2, cores(9999, 1)), tooLarge,
			"needs 9999 CPU, the largest worker a-0 has 4 CPU; 4 workers"},

		{full, job("j", 1, cores(1, 16)), noCapacity, "needs 16 GiB, largest free is 4 GiB on w-1; 2 workers"},
		{full, job("j", 1, cores(2, 4)), noCapacity, "needs 2 CPU and 4 GiB, no worker has both free; 2 workers"},
		{full[1:], job("j", 1, cores(4, 8)), noCapacity,
			"needs 4 CPU and 8 GiB, largest free is 1 CPU and 4 GiB on w-1; 1 worker"},
		{[]schedule.Worker{left(cores(0, 8), two[0]), left(cores(1, 0), two[1])}, job("j", 1, cores(4, 16)), noCapacity,
			"needs 4 CPU and 16 GiB, largest free is 1 CPU on w-1 and 8 GiB on w-0; 2 workers"},
		{append(twoSlices(), left(cores(0, 0), two[0])), job("j", 1, cores(4, 16), exists("zone")), noCapacity,
			"needs 4 CPU and 16 GiB, largest free is 0 CPU and 0 B on w-0; of 5 workers only 1 satisfies zone exists"},
		{append(twoSlices()[:2], full...), avoiding(job("j", 1, cores(4, 16)), oneOf("a-0", "a-1", "w-0")), noCapacity,
			"avoids a-0, a-1 after failed dispatches; no other worker has room"},
		{full, avoiding(job("j", 1, cores(4, 1)), oneOf("w-0")), noCapacity,
			"avoids w-0 after a failed dispatch; no other worker has room"},
		{twoSlices(), avoiding(job("j", 1, cores(4, 1), equal("slice", "a")), oneOf("a-0", "a-1")), noCapacity,
			"avoids a-0, a-1 after failed dispatches; no other worker has room; of 4 workers only 2 satisfy slice == a"},
		{full, avoiding(job("j", 1, cores(1, 1)), oneOf("w-0")), nextPass, "will be placed in the next pass"},

		{two, job("j", 1, cores(1, 1), equal("zone", "eu-1")), constraints, "no worker has zone == eu-1; 2 workers"},
		{two, job("j", 1, cores(1, 1), equal("zone", "us-1"), exists("gpu")), constraints,
			"no worker satisfies all of: zone == us-1, gpu exists; 2 workers"},
		{two, job("j", 1, cores(1, 1), exists("zone"), exists("tpu"), absent), constraints,
			"no worker has the attribute tpu, every worker has the attribute worker; 2 workers"},
		{two, gang("g", 2, cores(1, 1), equal("zone", "eu-1")), constraints, "no worker has zone == eu-1; 2 workers"},

		{two, gang("g", 2, cores(1, 1)), noGroup, "no worker has the attribute slice; 2 workers"},
		{[]schedule.Worker{slice("w-0", cores(2, 16)), slice("w-1", cores(4, 16))}, gang("g", 4, cores(2, 1)), noGroup,
			"gang of 4 tasks (2 CPU and 1 GiB each) fits no slice; most room is for 3 in slice-a"},
		{[]schedule.Worker{slice("w-0", cores(0, 16))}, gang("g", 1, cores(2, 0)), noGroup,
			"gang of 1 task (2 CPU) fits no slice; none has room for even one"},
		{twoSlices(), gang("g", 5, cores(2, 1)), noGroup,
			"gang of 5 tasks (2 CPU and 1 GiB each) fits no slice even when empty; the largest, a, takes 4"},
		{twoSlices(), gang("g", 3, cores(0, 0)), noGroup,
			"gang of 3 tasks (nothing each) fits no slice even when empty; the largest, a, takes 2"},
		{twoSlices(), gang("g", 5, cores(2, 1), equal("worker", "b-1")), noGroup,
			"gang of 5 tasks (2 CPU and 1 GiB each) fits no slice even when empty; the largest, b, takes 2; " +
				"of 4 workers only 1 satisfies worker == b-1"},
		{append(twoSlices()[:2], two...), avoiding(gang("g", 2, cores(4, 1)), oneOf("a-0", "w-0")), noGroup,
			"avoids a-0 after a failed dispatch; without it the gang of 2 tasks (4 CPU and 1 GiB each) fits no slice"},
		{append(twoSlices()[:2], slice("w-0", cores(0, 1))), avoiding(gang("g", 2, cores(4, 1)), oneOf("a-0", "w-0")), noGroup,
			"avoids a-0 after a failed dispatch; without it the gang of 2 tasks (4 CPU and 1 GiB each) fits no slice"},
		{twoSlices(), avoiding(gang("g", 2, cores(4, 1)), oneOf("a-0", "b-1")), noGroup,
			"avoids a-0, b-1 after failed dispatches; without them the gang of 2 tasks (4 CPU and 1 GiB each) fits no slice"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			reason := schedule.Explain(tc.workers, tc.request, 0)
			if reason.Kind != tc.kind || reason.String() != tc.text {
				t.Errorf("got  %v: %s\nwant %v: %s", reason.Kind, reason, tc.kind, tc.text)
			}
		})
	}
}

func TestReasonsOfOthersSayTheirKind(t *testing.T) {
	reason := schedule.Reason{Kind: pb.PendingReason_KIND_BACKOFF}
	if got := reason.String(); got != "waits: KIND_BACKOFF" {
		t.Errorf("got %q", got)
	}
}
