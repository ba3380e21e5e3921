"""The live lab: whether it can run here (probe), and a World built for real (construct), into which
real packets are sent (observe)."""
