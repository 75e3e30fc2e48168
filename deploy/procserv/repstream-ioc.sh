#!/bin/sh
# An IOC of an engine under procServ: its console on port 20100, restarted when it ends.
# Give the engine --no-epics. ENGINE, PREFIX, CONSOLE and REPSTREAM may be set in the environment.
exec procServ --foreground --name repstream-ioc --holdoff 5 --ignore '^C^D' \
    --logfile "${LOG:-/var/log/repstream-ioc.log}" --pidfile "${PIDFILE:-/run/repstream-ioc.pid}" \
    "${CONSOLE:-20100}" \
    "${REPSTREAM:-/opt/repstream/bin}/repstream-ioc" "${ENGINE:-tcp://127.0.0.1:9600}" --prefix "${PREFIX:-X:REPSTREAM:}"
