package main

import (
	"fmt"
	"strings"

	pb "iris/iris/proto"
	"iris/iris/settings"
	"iris/iris/state"
)

// operators are tried in this order, so that none hides another one.
var operators = []struct {
	sign string
	op   pb.ConstraintOp
}{
	{"==", pb.ConstraintOp_CONSTRAINT_OP_EQ}, {"!=", pb.ConstraintOp_CONSTRAINT_OP_NE},
	{">=", pb.ConstraintOp_CONSTRAINT_OP_GE}, {"<=", pb.ConstraintOp_CONSTRAINT_OP_LE},
	{">", pb.ConstraintOp_CONSTRAINT_OP_GT}, {"<", pb.ConstraintOp_CONSTRAINT_OP_LT},
}

// constraint is a condition on a worker's attributes: zone==eu-1, cores>=8, gpu (has it), !gpu (has it not).
func constraint() settings.Kind[*pb.Constraint] {
	return settings.Kind[*pb.Constraint]{Name: "condition", Read: readConstraint, Write: state.ConstraintText}
}

func readConstraint(text string) (*pb.Constraint, error) {
	at := strings.IndexAny(text, "=<>!")
	if at == 0 && text[0] == '!' {
		key := strings.TrimSpace(text[1:])
		if key != "" && !strings.ContainsAny(key, "=<>!") {
			return &pb.Constraint{Key: key, Op: pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS}, nil
		}
	}
	if key := strings.TrimSpace(text); at < 0 && key != "" {
		return &pb.Constraint{Key: key, Op: pb.ConstraintOp_CONSTRAINT_OP_EXISTS}, nil
	}
	for _, o := range operators {
		if at <= 0 || !strings.HasPrefix(text[at:], o.sign) {
			continue
		}
		key, value := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+len(o.sign):])
		if key != "" && value != "" && !strings.ContainsAny(value[:1], "=<>!") {
			return &pb.Constraint{Key: key, Op: o.op, Value: value}, nil
		}
	}
	return nil, fmt.Errorf("%q is not a condition such as zone==eu-1, cores>=8, gpu (has the attribute) or !gpu (has it not)", text)
}
