#!/bin/sh
# The tools together: make a stream, split it, keep a part of it with its times, send that again.
#   sh mflow_tools.sh FOLDER PORT      (uses PORT to PORT + 3 on 127.0.0.1)
set -eu
folder=$1 port=$2
source=tcp://127.0.0.1:$port all=tcp://127.0.0.1:$((port + 1)) tenth=tcp://127.0.0.1:$((port + 2))
again=tcp://127.0.0.1:$((port + 3))

m_generate -a "$source" -s 0.1 -r 200 -n 100 > /dev/null &
m_split "$source" "$all" "$tenth,policy=send_every_nth,every_nth=10" -n 100 --timeout 30 &
m_dump "$tenth" "$folder" -n 10 --timeout 30 --timing &
m_stats "$all" -n 100 --timeout 30 --strict
wait

m_replay "$folder" -a "$again" --timing > /dev/null &
m_stats "$again" -n 10 --timeout 30
wait
