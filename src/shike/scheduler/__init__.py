"""The node: plans the timetable, reads ahead, wakes, admits, rescues, keeps house."""
