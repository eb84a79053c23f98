# Starts the worker "$@" in the background, unless it runs.
if pid=$(living worker.pid); then
	echo "the worker runs already, as process $pid"
	exit 0
fi
if ! command -v "$1" >/dev/null; then
	echo "there is no program $1 on this host; install it, or name where it is"
	exit 1
fi
echo "phase: worker_start"
setsid "$@" >>worker.log 2>&1 </dev/null &
pid=$!
keep worker.pid "$pid"
ticks=5 # one that cannot run at all ends within half a second
while living worker.pid >/dev/null; do
	if [ "$ticks" -le 0 ]; then
		echo "the worker runs as process $pid"
		exit 0
	fi
	ticks=$((ticks - 1))
	sleep 0.1
done
tail -n 20 worker.log
echo "the worker ended at once: $(tail -n 1 worker.log)"
rm -f worker.pid
exit 1
