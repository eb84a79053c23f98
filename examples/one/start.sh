# A cluster on this machine, in one process: two workers of 4 CPU and 16 GiB. docs/first-job.md and docs/first-fault.md walk
# through it. Source it in bash, at the root of the repository, after `make build`. It ends with the shell; sourced again, it
# begins anew. What follows its name are flags for `iris cluster start`.

PATH=$PWD/bin:$PATH
export IRIS_CONTROLLER=127.0.0.1:27070

finish() {
	[[ -z ${cluster:-} ]] || { kill "$cluster" && wait "$cluster"; } || true
	cluster=
} 2>/dev/null # the shell would say that it was killed
trap finish EXIT
finish

iris cluster start --local --listen "$IRIS_CONTROLLER" --log-level error "$@" >/dev/null &
cluster=$!
until [[ $(iris worker list 2>/dev/null | grep -c ' LIVE ') = 2 ]]; do
	kill -0 "$cluster" || return # it has said why
	sleep 0.2
done
iris worker list
