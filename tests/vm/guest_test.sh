# Runs in the guest as root; one PASS or FAIL line per check, VM-TEST OK only when none failed.
BB=/bin/busybox
for applet in $($BB --list); do [ -e /bin/$applet ] || $BB ln -s busybox /bin/$applet; done
export DOCKER_HOST=unix:///run/flotilla/flotilla.sock
failures=0
check() { # NAME EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then echo "PASS $1"; else echo "FAIL $1: expected '$2', got '$3'"; failures=$((failures + 1)); fi
}
wait_for() { # SECONDS COMMAND...
  tries=$(($1 * 10)); shift
  while [ $tries -gt 0 ]; do "$@" >/dev/null 2>&1 && return 0; tries=$((tries - 1)); usleep 100000; done
  return 1
}
cgroup_of() { sed 's/^0:://' "/proc/$(docker inspect -f '{{.State.Pid}}' "$1")/cgroup"; }

echo "INFO kernel $(uname -r), cgroup controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
flotilla daemon >/tmp/daemon.log 2>&1 &
daemon=$!
if ! wait_for 60 docker version; then echo "FAIL daemon did not start"; tail -n 20 /tmp/daemon.log; exit 1; fi
docker import -c 'CMD ["sh"]' - busybox:latest </image.tar >/dev/null

check "info says cgroup v2" "2" "$(docker info -f '{{.CgroupVersion}}' 2>/dev/null)"
check "run prints" "hello" "$(docker run --rm busybox echo hello 2>&1)"
docker run --rm busybox sh -c 'exit 7'; check "exit code" 7 $?

docker run -d --name limited --memory 64m --cpus 0.5 --pids-limit 20 busybox sleep 1000 >/dev/null
group=/sys/fs/cgroup$(cgroup_of limited)
check "memory limit" 67108864 "$(cat "$group/memory.max")"
check "cpu limit" "50000 100000" "$(cat "$group/cpu.max")"
check "pids limit" 20 "$(cat "$group/pids.max")"
[ "$(cat "$group/memory.current")" -gt 0 ]; check "memory is accounted" 0 $?
check "fork bomb is stopped" "stopped" "$(docker exec limited sh -c 'i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i+1)); done' >/dev/null 2>&1; [ "$(cat "$group/pids.current")" -le 20 ] && echo stopped)"
docker run --name oom --memory 16m busybox sh -c 'x=a; while true; do x=$x$x; done' >/dev/null 2>&1
check "out of memory is 137" 137 $?
check "out of memory is said" true "$(docker inspect -f '{{.State.OOMKilled}}' oom)"

docker pause limited >/dev/null; check "pause" 0 $?
check "frozen" "frozen 1" "$(grep frozen "$group/cgroup.events")"
check "paused status" paused "$(docker inspect -f '{{.State.Status}}' limited)"
docker unpause limited >/dev/null; check "unpause" 0 $?
check "thawed" "frozen 0" "$(grep frozen "$group/cgroup.events")"
docker stats --no-stream limited >/tmp/stats 2>&1; check "stats" 0 $?
docker kill limited >/dev/null; check "kill" 0 $?
check "killed is 137" 137 "$(docker wait limited)"
docker rm limited oom >/dev/null; check "rm" 0 $?
wait_for 5 test ! -e "$group"; check "cgroup is gone" 0 $?

docker run -d --name survivor busybox sleep 1000 >/dev/null
kill -9 $daemon; wait $daemon 2>/dev/null
flotilla daemon >>/tmp/daemon.log 2>&1 &
daemon=$!
wait_for 60 docker version
check "container outlives the daemon" running "$(docker inspect -f '{{.State.Status}}' survivor)"
docker rm -f survivor >/dev/null; check "rm -f" 0 $?
kill $daemon; wait $daemon; check "daemon ends cleanly" 0 $?
[ $failures -eq 0 ] && echo "VM-TEST OK" || { echo "INFO daemon log:"; tail -n 20 /tmp/daemon.log | sed 's/^/INFO /'; echo "VM-TEST FAILED $failures"; }
