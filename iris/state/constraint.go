package state

import (
	"strconv"

	pb "iris/iris/proto"
)

// Attributes that the system itself sets on workers (design §4). Others are free.
const (
	AttributeWorker = "worker" // the worker's own id
	AttributeSlice  = "slice"  // the slice it belongs to
)

// Matches reports whether a worker with these attributes satisfies every constraint. A missing attribute satisfies
// only NOT_EXISTS and NE (design §4, FM-51).
func Matches(constraints []*pb.Constraint, attributes map[string]string) bool {
	for _, c := range constraints {
		if !matches(c, attributes) {
			return false
		}
	}
	return true
}

func matches(c *pb.Constraint, attributes map[string]string) bool {
	have, ok := attributes[c.Key]
	switch c.Op {
	case pb.ConstraintOp_CONSTRAINT_OP_EXISTS:
		return ok
	case pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS:
		return !ok
	case pb.ConstraintOp_CONSTRAINT_OP_EQ:
		return ok && have == c.Value
	case pb.ConstraintOp_CONSTRAINT_OP_NE:
		return have != c.Value || !ok
	}
	a, errA := strconv.ParseFloat(have, 64)
	b, errB := strconv.ParseFloat(c.Value, 64)
	if !ok || errA != nil || errB != nil {
		return false
	}
	switch c.Op {
	case pb.ConstraintOp_CONSTRAINT_OP_GT:
		return a > b
	case pb.ConstraintOp_CONSTRAINT_OP_GE:
		return a >= b
	case pb.ConstraintOp_CONSTRAINT_OP_LT:
		return a < b
	case pb.ConstraintOp_CONSTRAINT_OP_LE:
		return a <= b
	}
	return false
}

// ConstraintText writes a constraint for people: "zone == eu-1".
func ConstraintText(c *pb.Constraint) string {
	switch c.Op {
	case pb.ConstraintOp_CONSTRAINT_OP_EXISTS:
		return c.Key + " exists"
	case pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS:
		return c.Key + " does not exist"
	}
	signs := map[pb.ConstraintOp]string{
		pb.ConstraintOp_CONSTRAINT_OP_EQ: "==", pb.ConstraintOp_CONSTRAINT_OP_NE: "!=",
		pb.ConstraintOp_CONSTRAINT_OP_GT: ">", pb.ConstraintOp_CONSTRAINT_OP_GE: ">=",
		pb.ConstraintOp_CONSTRAINT_OP_LT: "<", pb.ConstraintOp_CONSTRAINT_OP_LE: "<=",
	}
	return c.Key + " " + signs[c.Op] + " " + c.Value
}
