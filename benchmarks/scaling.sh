#!/usr/bin/env bash
# What N writing engines behind one repeater reach on this machine, or (-r) N receivers of one engine that writes:
# one line of JSON for each N.
#
#   benchmarks/scaling.sh [-r] [-n IMAGES] [-s HxW] [-d FOLDER] N...  (default: 2000 images of 512x512, N = 1 2 4)
#
# {"hosts": 2, "images": 2000, "bytes": 1048576000, "seconds": 1.31, "gb_per_s": 0.80, "cores": 16}
# {"receivers": 2, "images": 2000, "bytes": 1048576000, "seconds": 1.31, "gb_per_s": 0.80, "cores": 16}
#
# `seconds` runs from the arrival of the first image to the last file that is closed; the images are uint16 and
# are all there, or the script fails. Everything shares this machine: detector,
# repeater, engines and disk, so it says how far one machine goes, and is a lower bound for several.
set -euo pipefail

command -v repstream > /dev/null || { echo "repstream is not installed here: pip install repstream" >&2; exit 2; }

answers() { # COMMAND...: wait until it succeeds
    for _ in {1..20}; do
        "$@" > /dev/null 2>&1 && return
        sleep 0.2
    done
    "$@" >&2
}

images=2000 size=512x512 folder=$(mktemp -d) made=yes what=hosts
while getopts rn:s:d: option; do
    case $option in
        r) what=receivers ;;
        n) images=$OPTARG ;;
        s) size=$OPTARG ;;
        d) rmdir "$folder"; folder=$OPTARG made= ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
bytes=$((images * ${size%x*} * ${size#*x} * 2))
port=${PORT:-19600}
started=()

end() {
    [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
    wait
    started=()
}
finish() {
    end
    [ -z "$made" ] || rm -rf "$folder"
}
trap finish EXIT

serve() { # NAME PORT CONFIGURATION
    printf '%s' "$3" > "$folder/$1.json"
    repstream serve --no-tango --no-epics --no-http --start --name "$1" --root "$folder" \
        --engine-address "tcp://127.0.0.1:$2" --config "$folder/$1.json" > "$folder/$1.log" 2>&1 &
    started+=($!)
}

simulate() {
    repstream simulate -a "tcp://127.0.0.1:$((port + 199))" --size "$size" -n "$images" --rate 0 -q > /dev/null &
}

acquire_on_hosts() { # N
    local n=$1
    streams= REPSTREAM_ENGINES=
    for ((k = 0; k < n; k++)); do
        from=tcp://127.0.0.1:$((port + 200 + k))
        streams+="${streams:+, }\"to$k\": {\"address\": \"$from\", \"policy\": \"send_every_nth\", \"every_nth\": $n,"
        streams+=" \"every_nth_offset\": $k, \"on_slow\": \"block\"}"
        serve "host$k" $((port + 1 + k)) \
            "{\"source\": {\"address\": \"$from\", \"id_step\": $n}, \"writers\": {\"main\": {\"folder\": \"$folder\"}}}"
        REPSTREAM_ENGINES+="host$k=tcp://127.0.0.1:$((port + 1 + k)) "
    done
    export REPSTREAM_ENGINES
    serve gateway "$port" \
        "{\"source\": {\"address\": \"tcp://127.0.0.1:$((port + 199))\"}, \"streams\": {$streams}}"
    answers repstream status -a "tcp://127.0.0.1:$port" --timeout 10
    answers repstream cluster status --timeout 10

    rm -f "$folder"/scaling*.h5
    coproc repstream cluster acquire "$folder/scaling.h5" -n "$images" --timeout 30 --idle-timeout 60 \
        2> "$folder/progress.log"
    acquiring=$COPROC_PID
    exec 3<&"${COPROC[0]}"
    read -r _ <&3 # all of them wait for images
    simulate
    cat <&3 > "$folder/acquire.log"
    wait "$acquiring" || { cat "$folder/acquire.log" >&2; exit 1; }
    exec 3<&-
}

acquire_by_receivers() { # N
    serve engine "$port" "{\"source\": {\"address\": \"tcp://127.0.0.1:$((port + 199))\", \"receivers\": $1}, \
        \"writers\": {\"main\": {\"folder\": \"$folder\", \"file_name\": \"scaling\", \"file_template\": \"%s%s.h5\", \
        \"num_images\": $images, \"first_image_timeout\": 30, \"idle_timeout\": 60}}}"
    answers repstream status -a "tcp://127.0.0.1:$port" --timeout 10
    rm -f "$folder"/scaling*.h5
    coproc python -c '
import sys
from repstream import Client

with Client(f"tcp://127.0.0.1:{sys.argv[1]}") as engine:
    started = engine.execute("writers.main.start")
    print("it waits for images", flush=True)
    done = started.wait(600)
    if not done.ok:
        sys.exit(done.message)
' "$port"
    acquiring=$COPROC_PID
    exec 3<&"${COPROC[0]}"
    read -r _ <&3
    simulate
    wait "$acquiring" || exit 1
    exec 3<&-
}

for wanted in "${@:-1 2 4}"; do
    for n in $wanted; do
        if [ "$what" = hosts ]; then acquire_on_hosts "$n"; else acquire_by_receivers "$n"; fi
        python - "$folder" "$what" "$n" "$bytes" <<'MEASURE'
import json, os, sys
from pathlib import Path
import h5py

folder, what, number, nbytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
begun, ended = [], []
# With one receiver there are no parts.
for path in sorted(folder.glob("scaling_*.h5")) or [folder / "scaling.h5"]:
    with h5py.File(path) as file:
        if not len(file["entry/data/data"]):
            continue
        begun.append(file["detector/metadata"]["arrival_time"].min())
        ended.append(file["entry/acquisition/stop_time"][()])
with h5py.File(folder / "scaling.h5") as file:
    images = int(file["entry/acquisition/written"][()])
seconds = max(ended) - min(begun)
found = {what: number, "images": images, "bytes": nbytes, "seconds": round(seconds, 3)}
print(json.dumps(found | {"gb_per_s": round(nbytes / seconds / 1e9, 3), "cores": os.cpu_count()}))
MEASURE
        end
    done
done
