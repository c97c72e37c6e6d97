# What the demonstrations share: sourced in a directory of its own that holds lochkit.pyz, with $python set.
export SHIV_ROOT="$PWD/cache" ETCDCTL_API=3
for name in $(env | sed -n 's/^\(LOCHKIT_[A-Z_]*\|ETCDCTL_[A-Z]*\)=.*/\1/p'); do
    [ "$name" = ETCDCTL_API ] || unset "$name" # this is about no etcd but our own
done

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n# %s\n' "$*"; }
fail() {
    echo "scripts/demo: $*" >&2
    exit 1
}
ctl() {
    echo "\$ etcdctl $*"
    etcdctl --endpoints="unix://$PWD/etcd/client:0" "$@" >answer
}

# The process that is shown; it ends with us.
shown=
finish() {
    status=$?
    trap - EXIT INT TERM HUP
    if [ -n "$shown" ]; then
        kill -TERM "$shown" 2>/dev/null || true
        wait "$shown" || true
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

start() {
    echo "\$ lochkit $*"
    "$python" lochkit.pyz "$@" &
    shown=$!
}

# Wait until a command succeeds.
until_true() {
    tries=0
    until "$@"; do
        kill -0 "$shown" 2>/dev/null || fail "lochkit has ended"
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "it was not done in time"
        sleep 0.1
    done
}

stop() {
    echo "\$ kill -TERM $shown"
    kill -TERM "$shown"
    wait "$shown" && status=0 || status=$?
    shown=
    echo "lochkit: exit code $status"
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd" 2>/dev/null)" != "$PWD/etcd" ] || fail "etcd was left running"
    done
    [ "$status" -eq 0 ] || fail "that should have been 0"
}
