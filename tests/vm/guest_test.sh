# Runs in the guest as root; one PASS or FAIL line per check, VM-TEST OK only when none failed.
# Speaks to the API through busybox' wget: an emulated processor takes seconds to start a large client.
BB=/bin/busybox
for applet in $($BB --list); do [ -e /bin/$applet ] || $BB ln -s busybox /bin/$applet; done
export DOCKER_HOST=unix:///run/flotilla/flotilla.sock
url=http://127.0.0.1:2375/v1.51
failures=0
check() { # NAME EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then echo "PASS $1"; else echo "FAIL $1: expected '$2', got '$3'"; failures=$((failures + 1)); fi
}
holds() { # NAME TEST...
  name=$1; shift
  test "$@"; check "$name ($*)" 0 $?
}
wait_for() { # SECONDS COMMAND...
  until_s=$(($(cut -d. -f1 /proc/uptime) + $1)); shift
  while [ "$(cut -d. -f1 /proc/uptime)" -lt $until_s ]; do "$@" >/dev/null 2>&1 && return 0; usleep 200000; done
  return 1
}
get() { wget -q -O - "$url$1"; }
post() { wget -q -O - --header 'Content-Type: application/json' --post-data "${2:-}" "$url$1"; }
status() { # of the answer to POST PATH [BODY]
  wget -S -O /dev/null --header 'Content-Type: application/json' --post-data "${2:-}" "$url$1" 2>&1 |
    sed -n 's/.*HTTP\/1.1 \([0-9]*\).*/\1/p' | head -n 1
}
field() { grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2- | tr -d '"[]'; }
create() { # NAME COMMAND-JSON [HOSTCONFIG-JSON]
  limits=${3:-null}
  post "/containers/create?name=$1" "{\"Image\":\"busybox\",\"Cmd\":$2,\"HostConfig\":$limits}" | field Id
}
start() { post "/containers/$1/start"; }
exit_code() { post "/containers/$1/wait" | field StatusCode; }
inspect() { get "/containers/$1/json" | field "$2"; }
in_container() { # NAME COMMAND-JSON: runs it, its output and then its exit code
  id=$(post "/containers/$1/exec" "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":$2}" | field Id)
  post "/exec/$id/start" '{}' | tr -cd 'a-zA-Z0-9 \n'
  get "/exec/$id/json" | field ExitCode
}
daemon() {
  flotilla daemon -H $DOCKER_HOST -H tcp://127.0.0.1:2375 >>/tmp/daemon.log 2>&1 &
  daemon=$!
  wait_for 60 get /_ping || { echo "FAIL daemon did not start"; sed 's/^/INFO /' /tmp/daemon.log; exit 1; }
}

echo "INFO kernel $(uname -r) up $(cut -d' ' -f1 /proc/uptime) s, controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
daemon
check "info says cgroup v2" 2 "$(get /info | field CgroupVersion)"
check "load" "Loaded image: busybox:latest" "$(flotilla load -i /image.tar)"

create first '["sh","-c","echo hello; exit 7"]' >/dev/null
start first; check "exit code" 7 "$(exit_code first)"
check "log" hello "$(get '/containers/first/logs?stdout=1' | tr -cd 'a-z')"

id=$(create limited '["sleep","1000"]' '{"Memory":67108864,"NanoCpus":500000000,"CpuShares":512,"PidsLimit":20,"CpusetCpus":"0"}')
start limited
group=/sys/fs/cgroup/flotilla/$id
check "it is in its cgroup" "0::/flotilla/$id" "$(cat "/proc/$(inspect limited Pid)/cgroup")"
check "memory limit" 67108864 "$(cat "$group/memory.max")"
check "swap limit" 67108864 "$(cat "$group/memory.swap.max")"
check "cpu limit" "50000 100000" "$(cat "$group/cpu.max")"
check "cpu weight" 20 "$(cat "$group/cpu.weight")"
check "cpuset" 0 "$(cat "$group/cpuset.cpus")"
check "pids limit" 20 "$(cat "$group/pids.max")"
check "exec" "inside 3" "$(echo $(in_container limited '["sh","-c","echo inside; exit 3"]'))"
check "its own cgroup namespace" "0" "$(in_container limited '["grep","-qx","0::/","/proc/1/cgroup"]')"
in_container limited '["sh","-c","i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i+1)); done"]' >/dev/null
holds "a fork bomb meets the limit" "$(grep max "$group/pids.events" | cut -d' ' -f2)" -gt 0
in_container limited '["sh","-c","i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]' >/dev/null

get '/containers/limited/stats?stream=0&one-shot=1' >/tmp/stats
check "stats: memory limit" 67108864 "$(sed 's/.*"memory_stats"//' /tmp/stats | field limit)"
holds "stats: memory" "$(sed 's/.*"memory_stats"//' /tmp/stats | field usage)" -gt 0
holds "stats: anonymous memory" "$(field anon </tmp/stats)" -gt 0
check "stats: pids" "$(cat "$group/pids.current")" "$(sed 's/.*"pids_stats"//' /tmp/stats | field current)"
check "stats: pids limit" 20 "$(sed 's/.*"pids_stats"//' /tmp/stats | field limit)"
holds "stats: cpu" "$(field total_usage </tmp/stats)" -gt 1000000
holds "stats: cpu periods" "$(field periods </tmp/stats)" -gt 0
check "stats: nothing per cpu on v2" "" "$(field percpu_usage </tmp/stats)"
holds "stats: received" "$(field rx_bytes </tmp/stats)" -ge 0
check "stats of one that does not run" "{}}" "$(get '/containers/first/stats?stream=0' | grep -o '"memory_stats":.*' | cut -d: -f2)"

check "update" 200 "$(status /containers/limited/update '{"Memory":100663296,"MemorySwap":134217728,"NanoCpus":250000000,"PidsLimit":30}')"
check "new memory limit" 100663296 "$(cat "$group/memory.max")"
check "new swap limit" 33554432 "$(cat "$group/memory.swap.max")"
check "new cpu limit" "25000 100000" "$(cat "$group/cpu.max")"
check "new pids limit" 30 "$(cat "$group/pids.max")"
check "no pids limit" 200 "$(status /containers/limited/update '{"PidsLimit":-1}')"
check "pids limit is gone" max "$(cat "$group/pids.max")"
check "update in conflict" 409 "$(status /containers/limited/update '{"Memory":536870912}')"

check "pause" 204 "$(status /containers/limited/pause)"
check "frozen" "frozen 1" "$(grep frozen "$group/cgroup.events")"
check "paused status" paused "$(inspect limited Status)"
check "no exec in a paused one" 409 "$(status /containers/limited/exec '{"Cmd":["true"]}')"
check "unpause" 204 "$(status /containers/limited/unpause)"
check "thawed" "frozen 0" "$(grep frozen "$group/cgroup.events")"
check "kill" 204 "$(status /containers/limited/kill)"
check "killed is 137" 137 "$(exit_code limited)"
wait_for 5 test ! -e "$group"; check "its cgroup is gone" 0 $?

create oom '["sh","-c","x=a; while true; do x=$x$x; done"]' '{"Memory":16777216}' >/dev/null
start oom; check "out of memory is 137" 137 "$(exit_code oom)"
check "out of memory is said" true "$(inspect oom OOMKilled)"
create unlimited '["sh","-c","trap \"exit 5\" TERM; while :; do sleep 0.1; done"]' >/dev/null
start unlimited
holds "stats: the host's memory without a limit" \
  "$(get '/containers/unlimited/stats?stream=0' | sed 's/.*"memory_stats"//' | field limit)" -gt 1000000000
check "stop" 204 "$(status /containers/unlimited/stop)"
check "stopped by its signal" 5 "$(inspect unlimited ExitCode)"

check "docker run" hello "$(docker run --rm busybox echo hello 2>&1)"
start unlimited
docker stats --no-stream --format '{{.Name}} {{.PIDs}}' unlimited >/tmp/stats 2>&1; check "docker stats" 0 $?
check "docker stats names it" unlimited "$(cut -d' ' -f1 /tmp/stats)"

kill -9 $daemon; wait $daemon 2>/dev/null
daemon
check "container outlives the daemon" running "$(inspect unlimited Status)"
flotilla rm -f unlimited limited oom first >/dev/null; check "rm -f" 0 $?
wait_for 10 sh -c '[ -z "$(ls -d /sys/fs/cgroup/flotilla/*/ 2>/dev/null)" ]'; check "no cgroup is left" 0 $?
kill $daemon; wait $daemon; check "daemon ends cleanly" 0 $?
echo "INFO done after $(cut -d' ' -f1 /proc/uptime) s"
[ $failures -eq 0 ] && echo "VM-TEST OK" || { echo "INFO daemon log:"; tail -n 20 /tmp/daemon.log | sed 's/^/INFO /'; echo "VM-TEST FAILED $failures"; }
