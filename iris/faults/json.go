package faults

import (
	"encoding/json"

	"google.golang.org/grpc/status"
)

// failure is an error as JSON.
type failure struct {
	Code    string `json:"code"` // as gRPC's Go names it: Unavailable
	Message string `json:"message"`
}

func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	return &failure{status.Code(err).String(), status.Convert(err).Message()}
}

// MarshalJSON adds the error, as {"code": "Unavailable", "message": "…"}.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	return json.Marshal(struct {
		plain
		Error *failure `json:"error,omitempty"`
	}{plain(r), failureOf(r.Err)})
}

// MarshalJSON writes the one kind of news that it is: "began": true, "fired": {…} or "lost": {"code": …, "message": …}.
func (n News) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Process Identity `json:"process"`
		Began   bool     `json:"began,omitempty"`
		Fired   *Firing  `json:"fired,omitempty"`
		Lost    *failure `json:"lost,omitempty"`
	}{n.Process, n.Began, n.Fired, failureOf(n.Lost)})
}
