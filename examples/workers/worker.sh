#!/bin/sh
# A worker in shell and curl:  SHIKE_URL=http://127.0.0.1:8787 SHIKE_KEY=shike_… sh worker.sh TASK PROGRAM [WORD…]
# Each run of TASK starts PROGRAM with the run as JSON on its stdin. Exit status 0 is success, and what it prints, one line
# of JSON, the result; any other status is a failure, and what it prints the reason. Until SIGTERM, or RUNS_MAX runs.
set -eu
task=$1 && shift
sessions=$SHIKE_URL/api/v1/worker/sessions
dir=$(mktemp -d)
umask 077
echo "authorization: Bearer $SHIKE_KEY" >"$dir/key" # in a file: words of a command can be read by others
beats=

ask() { # VERB URL [BODY]: the answer; fails for any status but 2xx
    curl --silent --show-error --fail --max-time 60 --request "$1" --header "@$dir/key" \
        --header 'content-type: application/json' --data-binary "${3:-}" "$2"
}

leave() {
    trap - EXIT INT TERM
    [ -z "$beats" ] || kill "$beats" 2>/dev/null || true
    ask DELETE "$session" || true # what we still hold is given back
    rm -r "$dir"
}

hold() { # RECEIVED TOKENS: both at once, for the next beat
    echo "\"received\":$1,\"holds\":[$2]" >"$dir/next" && mv "$dir/next" "$dir/holds"
}

beat() { # a sign of life every few seconds; without one for a whole lease our runs are others'
    number=0
    while sleep 5 >&- 2>&-; do
        number=$((number + 1))
        ask POST "$session/beats" "{\"number\":$number,\"lease_seconds\":30,$(cat "$dir/holds")}" >/dev/null ||
            kill -s TERM $$ # the session is over, or the server away for too long: end, and be started anew
    done
}

opened=$(ask POST "$sessions" "{\"name\":\"$(uname -n).$$\",\"lease_seconds\":30}")
session=$sessions/$(echo "$opened" | sed 's/^{"session":"\([0-9a-f]*\)".*/\1/')
trap leave EXIT
trap 'exit 143' INT TERM
hold 0 ''
beat &
beats=$!

claim=0 done=0
while [ "$done" -lt "${RUNS_MAX:-1000000000}" ]; do
    claim=$((claim + 1))
    batch=$(ask POST "$session/claims" "{\"number\":$claim,\"tasks\":[\"$task\"],\"wait_seconds\":20}")
    lease=$(echo "$batch" | sed -n 's/^{"number":[0-9]*,"runs":\[{"run":"\([0-9]*\)","token":\([0-9]*\),.*/\1 \2/p')
    [ -n "$lease" ] || continue
    run=${lease% *} token=${lease#* }
    hold "$claim" "$token"
    if said=$(echo "$batch" | sed 's/^{"number":[0-9]*,"runs":\[//; s/\],"more":[a-z]*}$//' | "$@" 2>&1); then
        end="\"outcome\":\"ok\",\"result\":${said:-null}"
    else
        reason=$(printf %s "$said" | tr -d '\000-\037"\\' | cut -c 1-500)
        end="\"outcome\":\"failed\",\"error\":\"$reason\""
    fi
    ask POST "$session/acks" "{\"acks\":[{\"run\":\"$run\",\"token\":$token,$end}]}" && echo
    hold "$claim" ''
    done=$((done + 1))
done
