# Keeps one server for a test process and ends it with that process, however that process ends: our stdin is a pipe whose
# other end it alone holds, and the kernel closes that end even after SIGKILL.
#
#   sh -c <a server's own part><this> supervisor DIRECTORY ARGUMENT…
#
# The server's own part says what differs: prepare ARGUMENT…, serve PORT… ARGUMENT… (which becomes the server), clean_up,
# and the signal that ends the server at once.
#
# Orders on stdin: "start PORT…" while no server runs; "signal NAME", or "signal NAME CHILD" for one process, while one does.
# Answers on stdout: "prepared", "started PID", "signalled", "exited STATUS" (before the first start: preparing failed).
directory=$1
shift

# What ends the test's process group is not for us: we have to clean up after it. PIPE: nobody may read our answers.
trap '' HUP INT PIPE TERM
exec 3<&0 2>>"$directory/log"
cd /

# PostgreSQL's backends are the leaders of process groups of their own, so they are found as children of the server.
children() {
    cat "/proc/$server/task/$server/children" 2>/dev/null ||
        ps -A -o ppid= -o pid= | while read -r parent child; do
            [ "$parent" = "$server" ] && echo "$child"
        done
}

send() {
    case $1 in
    STOP | KILL)
        # The server first: once it is stopped it forks no more. Twice: a child that ends hides others from /proc.
        kill -s STOP "$server"
        for round in 1 2; do kill -s STOP $(children); done
        [ "$1" = KILL ] && kill -s KILL $(children) "$server"
        ;;
    CONT) kill -s CONT $(children) "$server" ;;
    *)
        # A frozen server would not hear it.
        kill -s "$1" "$server"
        kill -s CONT $(children) "$server"
        ;;
    esac
}

# Runs beside the server. When the orders end, so does the server; repeated, as one that is just starting ignores QUIT.
obey() {
    while read -r order name child <&3; do
        if [ -z "$child" ]; then
            send "$name" 2>/dev/null
        else
            for found in $(children); do
                [ "$found" = "$child" ] && kill -s "$name" "$found" 2>/dev/null
            done
        fi
        echo signalled
    done
    while send "$ending" 2>/dev/null; do sleep 0.1; done
}

if prepare "$@" >>"$directory/log" </dev/null; then
    echo prepared
else
    echo "exited $?"
fi

while read -r order ports <&3; do
    # A signal for a server that has just ended by itself.
    [ "$order" = start ] || continue
    serve $ports "$@" >>"$directory/log" 3<&- &
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
rm -rf "$directory"
