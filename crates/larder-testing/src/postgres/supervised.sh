# What is PostgreSQL's own for the supervisor; ARGUMENT… is BINARIES LOCALE SERVER-OPTION….
ending=QUIT

prepare() {
    "$1/initdb" -D "$directory/data" --no-sync --username=postgres --pwfile="$directory/password" \
        --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale="$2" && return
    echo "$1/initdb failed"
    return 1
}

serve() {
    port=$1 binaries=$2
    shift 3
    exec "$binaries/postgres" -D "$directory/data" -k "$directory" -p "$port" "$@"
}

clean_up() {
    # A server that was killed leaves the shared memory segment that its lock file names in line 7.
    lock=$directory/data/postmaster.pid
    [ -f "$lock" ] && ipcrm -m "$(sed -n '7s/.* //p' "$lock")" 2>/dev/null
}
