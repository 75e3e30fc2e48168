"""A whole site that runs on while things go wrong at random: ``python -m tests.soak.site --duration 30m``.

A detector sends at its rate, acquisition follows acquisition in every layout of files, clients of all
control systems come and go, and in each acquisition something fails: a process is killed or halted, the
disk is full or hangs, garbage comes. After each, and at the end, frames, files and processes are accounted
for.
"""
