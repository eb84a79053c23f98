package pb

// Over reports whether nothing follows the state. One that this version does not know counts as an end: to wait for what comes after
// it might take for ever.
func (s JobState) Over() bool { return TaskState(s).Over() } // the numbers of both are the same

// Over reports the same of a task, or an attempt.
func (s TaskState) Over() bool {
	switch s {
	case TaskState_TASK_STATE_UNSPECIFIED, TaskState_TASK_STATE_PENDING, TaskState_TASK_STATE_ASSIGNED, TaskState_TASK_STATE_BUILDING,
		TaskState_TASK_STATE_RUNNING:
		return false
	}
	return true
}
