"""What the drivers speak to, in memory: an API server, the virtual ones behind it, and a `helm` program.

They stand beneath the real drivers, so that the drivers' own code, errors and failpoints run; and they pass the
drivers' contract tests beside a real API server. They keep their state in the test's own process, so a worker may be
killed at any line. What they leave out: watches, quota, Pod Security, scheduling and the defaults that a real server
fills in. Whoever needs those takes a local host.
"""
