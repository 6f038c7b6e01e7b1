# Keeps one PostgreSQL server for a test process and ends it with that process, however that process ends: our stdin is
# a pipe whose other end it alone holds, and the kernel closes that end even after SIGKILL.
#
#   sh -c <this> supervisor DIRECTORY BINARIES LOCALE SERVER-OPTION…
#
# Orders on stdin: "start PORT" while no server runs; "signal NAME", or "signal NAME BACKEND" for one process, while one does.
# Answers on stdout: "prepared", "started PID", "signalled", "exited STATUS" (after initdb: it failed).
directory=$1 binaries=$2 locale=$3
shift 3

# What ends the test's process group is not for us: we have to clean up after it. PIPE: nobody may read our answers.
trap '' HUP INT PIPE TERM
exec 3<&0 2>>"$directory/log"
cd /

# Every backend is the leader of a process group of its own, so they are found as children of the postmaster.
backends() {
    cat "/proc/$server/task/$server/children" 2>/dev/null ||
        ps -A -o ppid= -o pid= | while read -r parent child; do
            [ "$parent" = "$server" ] && echo "$child"
        done
}

send() {
    case $1 in
    STOP | KILL)
        # The postmaster first: once it is stopped it forks no more. Twice: a child that ends hides others from /proc.
        kill -s STOP "$server"
        for round in 1 2; do kill -s STOP $(backends); done
        [ "$1" = KILL ] && kill -s KILL $(backends) "$server"
        ;;
    CONT) kill -s CONT $(backends) "$server" ;;
    *)
        # A frozen server would not hear it.
        kill -s "$1" "$server"
        kill -s CONT $(backends) "$server"
        ;;
    esac
}

# Runs beside the server. When the orders end, so does the server; repeated, as one that is just starting ignores QUIT.
obey() {
    while read -r order name backend <&3; do
        if [ -z "$backend" ]; then
            send "$name" 2>/dev/null
        else
            for found in $(backends); do
                [ "$found" = "$backend" ] && kill -s "$name" "$found" 2>/dev/null
            done
        fi
        echo signalled
    done
    while send QUIT 2>/dev/null; do sleep 0.1; done
}

clean_up() {
    # A server that was killed leaves the shared memory segment that its lock file names in line 7.
    lock=$directory/data/postmaster.pid
    [ -f "$lock" ] && ipcrm -m "$(sed -n '7s/.* //p' "$lock")" 2>/dev/null
    rm -rf "$directory"
}

if "$binaries/initdb" -D "$directory/data" --no-sync --username=postgres --pwfile="$directory/password" \
    --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale="$locale" >>"$directory/log" </dev/null; then
    echo prepared
else
    echo "exited $?"
fi

while read -r order port <&3; do
    # A signal for a server that has just ended by itself.
    [ "$order" = start ] || continue
    "$binaries/postgres" -D "$directory/data" -k "$directory" -p "$port" "$@" >>"$directory/log" 3<&- &
    server=$!
    echo "started $server"
    obey &
    obeying=$!
    wait "$server"
    status=$?
    kill -s KILL "$obeying"
    wait "$obeying"
    echo "exited $status"
done
clean_up
