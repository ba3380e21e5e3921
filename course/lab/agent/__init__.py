"""The program that runs inside fresh namespaces, as their first process, and does what a lab asks.

Started by course.lab.namespaces. It reads requests from standard input, a line of JSON each, and
answers likewise. When the input ends it ends too, and with it, as the kernel ends whatever belongs
to a first process, all namespaces, interfaces and programs in them. It needs nothing but the
standard library, and knows nothing of the course: what it captures, it hands on as it came.

- `serving`: the agent, with its one loop for requests, servers, captured packets, commands;
- `client`: who sends a flow; `job`: a command while it runs; `kernel`: namespaces and mounts;
- `identity`: programs that want to become somebody else, where nobody can.
"""
