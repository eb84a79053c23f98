# Three controllers and three workers on this machine, with certificates: what docs/walkthrough.md sets up by hand. Source it
# in bash, at the root of the repository, after `make build`. They and all that they keep end with the shell. What follows its name
# are flags for the controllers.

home=$(mktemp -d)
flags=("$@")
PATH=$PWD/bin:$PATH
declare -A pids # of the daemons, by id

# controller N [flag…] starts controller c-N, which joins c-0.
controller() {
	local join=(--join 127.0.0.1:27070)
	[[ $1 != 0 ]] || join=()
	iris controller --id "c-$1" --listen "127.0.0.1:2707$1" --data-dir "$home/c-$1" "${join[@]}" \
		--cert "$home/secrets/controller.pem" --key "$home/secrets/controller-key.pem" \
		--chaos --log-level error "${flags[@]}" "${@:2}" &
	pids[c-$1]=$!
}

# worker N [flag…] starts worker w-N.
worker() {
	iris worker --id "w-$1" --cpu 2 --memory 1GiB --data-dir "$home/w-$1" --poll-interval 100ms --heartbeat-interval 1s \
		--cert "$home/secrets/worker-w-$1.pem" --key "$home/secrets/worker-w-$1-key.pem" \
		--chaos --log-level error "${@:2}" &
	pids[w-$1]=$!
}

# end SIGNAL ID sends a daemon a signal and waits for its end.
end() {
	kill "-$1" "${pids[$2]}"
	{ wait "${pids[$2]}" || true; } 2>/dev/null # the shell would say that it was killed
	unset "pids[$2]"
}

# until_ COMMAND… waits until a command succeeds, for half a minute at most.
until_() {
	local tries
	for ((tries = 0; tries < 150; tries++)); do
		if "$@"; then
			return
		fi
		sleep 0.2
	done
	echo "never came true: $*" >&2
	return 1
}

members() { [[ $(iris cluster members list | grep -cE ' (leads|follows) ') = "$1" ]]; } # members N: there are so many
workers() { [[ $(iris worker list | grep -c ' LIVE ') = "$1" ]]; }                      # workers N: so many live
leader() { iris cluster members list | awk '$2 == "leads" { print $1 }'; }              # its id

finish() {
	local id workers=()
	for id in "${!pids[@]}"; do
		[[ $id != w-* ]] || workers+=("${pids[$id]}")
	done
	kill "${workers[@]}"
	wait "${workers[@]}" # while there are controllers to take their last word
	for id in "${!pids[@]}"; do
		[[ $id = w-* ]] || kill -KILL "${pids[$id]}"
	done
	wait
	rm -rf "$home"
} 2>/dev/null
trap finish EXIT

iris auth init --dir "$home/secrets" --worker w-0 --worker w-1 --worker w-2 >"$home/auth.log"
export IRIS_CONTROLLER=127.0.0.1:27070,127.0.0.1:27071,127.0.0.1:27072
export IRIS_CA=$home/secrets/ca.pem IRIS_CERT=$home/secrets/admin.pem IRIS_KEY=$home/secrets/admin-key.pem
{
	controller 0
	until_ members 1
	controller 1
	controller 2
	until_ members 3
	worker 0
	worker 1
	worker 2
	until_ workers 3
} >"$home/start.log" 2>&1 || { cat "$home/start.log" >&2 && exit 1; }
