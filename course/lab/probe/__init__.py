"""Whether the live lab can run on this machine, what is missing, and how its kernel behaves."""
