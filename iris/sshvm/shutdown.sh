# Stops the worker, then its keeper, which survives a worker that is killed; the keeper's guard ends the tasks.
halt worker.pid "$grace" || exit 1
rm -f worker.pid
for proc in /proc/[0-9]*; do
	if { tr '\0' '\n' <"$proc/cmdline"; } 2>/dev/null | grep -qxF -e "$PWD/data/keeper"; then
		keep keeper.pid "${proc#/proc/}"
		halt keeper.pid 5 || exit 1
	fi
done
