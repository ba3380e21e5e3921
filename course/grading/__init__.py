"""Grading a class with nbgrader: what students wrote runs in sandboxes, and is hostile code.

limits       what one submission may take
provisioner  sandboxed kernels for nbgrader's own commands and its Formgrader
zygote       runs inside a sandbox: forks warm kernels, each in namespaces of its own
pristine     runs there too: what tests rest on is as it was before the student's code
warm         a warm kernel, seen from outside: runs the cells of a notebook
local        workers on this machine, and the zygote that they share
submission   reads what was handed in, and says what is wrong with it
execute      one submission in, one executed notebook out: what a worker does
record       the one writer: gradebook and autograded/, by nbgrader's own means
batch        python -m course grade: what is new or changed, in parallel
cluster      workers on other machines, by Dask
report       the summary, and marks as CSV
feedback     what students may read: no hidden tests
"""
