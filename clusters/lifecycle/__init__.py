"""When a virtual cluster sleeps, wakes and is cleaned up: signals of use, policies, schedules and the decision."""
