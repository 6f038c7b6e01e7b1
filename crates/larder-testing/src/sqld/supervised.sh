# What is sqld's own for the supervisor; ARGUMENT… is PROGRAM SERVER-OPTION….
ending=KILL
export NO_COLOR=1

prepare() { :; }

serve() {
    http=$1 admin=$2 grpc=$3 program=$4
    shift 4
    case " $* " in
    # A replica has no replicas.
    *' --primary-grpc-url '*) ;;
    *) set -- --grpc-listen-addr "127.0.0.1:$grpc" "$@" ;;
    esac
    # Five files for each database that is open; the usual limit, 1024, would be 200 of them.
    ulimit -S -n "$(ulimit -H -n)" 2>/dev/null
    exec "$program" --db-path "$directory/data" --http-listen-addr "127.0.0.1:$http" \
        --admin-listen-addr "127.0.0.1:$admin" "$@" 2>&1
}

clean_up() { :; }
