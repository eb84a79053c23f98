# What a manager has a host do. Answers go to standard error; standard output is for what scripts print.
#
# In the directory of the pool:
#   reservation   one line: the id of the slice that has the host, and all that is known of it. Who makes it, has the host.
#   lock          held while a reservation comes or goes, and while a script runs
#   gone          the ids of the last slices that had the host
#   slices/ID/    the directory of a slice, in which its scripts run

answer() { printf 'iris-host: %s\n' "$*" >&2; }

# mine LINE: whether that is what the host is reserved for.
mine() { [ "$(cat reservation 2>/dev/null)" = "$1" ]; }

# lock SECONDS: waits for the lock, which this shell then holds to its end.
lock() {
	exec 9>>lock
	flock -w "$1" 9 || { answer busy; return 1; }
}

# enter: makes the directory of the pool, and goes there.
enter() { mkdir -p -- "$pool/slices" && cd -- "$pool" || { answer error "cannot use the directory $pool"; return 1; }; }

# look: says what there is.
look() {
	[ -d "$pool" ] || { answer seen; return; }
	cd -- "$pool" || { answer error "cannot use the directory $pool"; return; }
	if line=$(cat reservation 2>/dev/null); then
		answer reserved "$line"
		dir=slices/${line%% *}
		[ -e "$dir/stopping" ] && answer stopping
		[ -e "$dir/failed" ] && answer failed "$(cat "$dir/failed")"
		[ -e "$dir/worker.pid" ] && { living "$dir/worker.pid" >/dev/null || answer dead; }
	fi
	[ ! -e gone ] || while read -r id; do answer gone "$id"; done <gone
	answer seen
}

# reserve LINE: takes the host, if nobody has it. To take it again is no mistake.
reserve() {
	enter || return
	if [ ! -e reservation ]; then
		lock 10 || return
		if [ -e gone ] && grep -qxF -e "${1%% *}" gone; then answer gone; return; fi
		printf '%s\n' "$1" >reservation.new && sync reservation.new || { answer error "cannot write to $pool"; return; }
		ln reservation.new reservation 2>/dev/null # which nobody does twice, whatever becomes of the lock
		rm -f reservation.new
	fi
	if mine "$1"; then answer reserved; else answer taken "$(cat reservation)"; fi
}

# drop LINE: takes a reservation back of which nothing has come.
drop() {
	[ -e "$pool" ] || { answer dropped; return; }
	enter && lock 10 || return
	if ! mine "$1"; then answer dropped; return; fi
	if [ -e "slices/${1%% *}" ]; then answer begun; return; fi
	rm -f reservation && answer dropped
}

# begin LINE SECONDS SCRIPT: runs the script that starts the worker. What it prints is kept in bootstrap.log and printed here;
# it goes on if nobody listens any more, but not for longer than it has time.
begin() {
	enter && lock "$2" || return
	dir=slices/${1%% *}
	if ! mine "$1"; then answer lost; return; fi
	if [ -e "$dir/stopping" ]; then answer stopping; return; fi
	mkdir -p -- "$dir" && cd -- "$dir" && printf '%s\n' "$3" >bootstrap.sh && : >bootstrap.log ||
		{ answer error "cannot write to $pool/$dir"; return; }
	setsid timeout -k 5 "$2" sh ./bootstrap.sh >bootstrap.log 2>&1 </dev/null 9>&- &
	script=$!
	keep bootstrap.pid "$script"
	tail -s 0.1 -n +1 --pid="$script" -f bootstrap.log 2>/dev/null 9>&- &
	wait "$script"
	code=$?
	wait
	rm -f bootstrap.pid
	if [ "$code" = 0 ]; then rm -f failed; answer begun; else answer failed "$code"; fi
}

# fail LINE WHY: notes that nobody is to try again.
fail() {
	enter && lock 10 || return
	if ! mine "$1"; then answer lost; return; fi
	dir=slices/${1%% *}
	mkdir -p -- "$dir" && printf '%s\n' "$2" >"$dir/failed.new" && mv -f "$dir/failed.new" "$dir/failed" && answer noted
}

# end LINE SECONDS SCRIPT: runs the script that stops the worker, then gives the host back. A script that is still starting
# the worker is killed.
end() {
	[ -e "$pool" ] || { answer released; return; }
	enter || return
	if ! mine "$1"; then answer released; return; fi
	dir=slices/${1%% *}
	mkdir -p -- "$dir" && : >"$dir/stopping" || { answer error "cannot write to $pool/$dir"; return; }
	exec 9>>lock
	turns=$(($2 * 5))
	until flock -n 9; do
		halt "$dir/bootstrap.pid" 2 >/dev/null
		[ "$turns" -gt 0 ] || { answer busy; return; }
		turns=$((turns - 1))
		sleep 0.2
	done
	if ! mine "$1"; then answer released; return; fi
	cd -- "$dir" && printf '%s\n' "$3" >shutdown.sh || { answer error "cannot write to $pool/$dir"; return; }
	halt bootstrap.pid 2 >/dev/null # one whose shell died with the lock
	setsid timeout -k 5 "$2" sh ./shutdown.sh >shutdown.log 2>&1 </dev/null 9>&- &
	wait $!
	code=$?
	[ "$code" = 0 ] || { tail -n 20 shutdown.log; answer failed "$code"; return; }
	cd -- "$pool" || return
	{ [ ! -e gone ] || tail -n 255 gone; echo "${1%% *}"; } >gone.new && mv -f gone.new gone ||
		{ answer error "cannot write to $pool"; return; }
	rm -rf -- "$dir" 2>/dev/null || { chmod -R u+rwX -- "$dir"; rm -rf -- "$dir"; } ||
		{ answer error "cannot remove $pool/$dir"; return; }
	rm -f reservation && answer released
}

# logs LINE N: prints the last lines of what the worker has said.
logs() {
	cd -- "$pool" 2>/dev/null && mine "$1" || { answer lost; return; }
	file=slices/${1%% *}/worker.log
	[ ! -e "$file" ] || tail -n "$2" -- "$file"
	answer printed
}

# main POOL VERB ARGS... end: what came over a connection that broke has no end, and is not carried out.
main() {
	umask 077
	case $1 in /*) pool=$1 ;; *) pool=$PWD/$1 ;; esac
	verb=$2
	shift 2
	for last; do :; done
	[ "$last" = end ] || { answer error "the order is cut short"; return; }
	"$verb" "$@"
}
