# Processes are known by their number and when they started: a number alone may be given to somebody else later.

# born PID: when a process started, and in which life of the machine. It fails if there is none, or one that has ended and
# is only waited for.
born() {
	[ -n "$1" ] && stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	set -- ${stat##*) } # what is before that is the name, which may hold anything
	case $1 in Z | X) return 1 ;; esac
	shift 19
	echo "$1 $(cat /proc/sys/kernel/random/boot_id)"
}

# keep FILE PID: writes down a process.
keep() {
	echo "$2 $(born "$2")" >"$1.new" && mv -f "$1.new" "$1"
}

# living FILE: the number of the process that was written down, if it still runs.
living() {
	[ -f "$1" ] && read -r pid since <"$1" && [ -n "$since" ] && [ "$(born "$pid")" = "$since" ] && echo "$pid"
}

# halt FILE SECONDS: asks the group of a process to end, and kills it if it does not.
halt() {
	pid=$(living "$1") || return 0
	kill -s TERM -- "-$pid" 2>/dev/null
	ticks=$(($2 * 10))
	while living "$1" >/dev/null; do
		if [ "$ticks" -le 0 ]; then
			echo "process $pid did not end within $2 s; killing it"
			kill -s KILL -- "-$pid" 2>/dev/null
			ticks=100
			while living "$1" >/dev/null; do
				[ "$ticks" -gt 0 ] || { echo "process $pid cannot be killed"; return 1; }
				ticks=$((ticks - 1))
				sleep 0.1
			done
		fi
		ticks=$((ticks - 1))
		sleep 0.1
	done
}
