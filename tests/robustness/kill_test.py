#!/usr/bin/env python3
"""kill -9 of the daemon at random moments under load. What has to hold afterwards:

 - no running container has ended or lost a log line
 - every acknowledged create is there, every acknowledged removal is gone
 - nothing took effect twice; exit codes and `wait` are right
 - nothing is left on the machine

FLO_KILL_ROUNDS and FLO_KILL_SEED repeat a run.
"""
import http.client
import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import ApiError, Daemon, is_full, skip_unless_root, until  # noqa: E402

ROUNDS = int(os.environ.get("FLO_KILL_ROUNDS", "50" if is_full() else "10"))
SEED = int(os.environ.get("FLO_KILL_SEED", str(random.randrange(1 << 30))))
CUT = (OSError, http.client.HTTPException)  # what a killed daemon's client sees
COUNTING = "i=0; while :; do echo $i; i=$((i+1)); usleep 3000; done"


class Churn(threading.Thread):
    """Creates, starts, waits for and removes containers; remembers what the daemon acknowledged."""

    def __init__(self, daemon, number, stop):
        super().__init__()
        self.daemon_under_test, self.number, self.stop = daemon, number, stop
        self.created, self.started, self.removed = {}, set(), set()  # created: name -> (id, exit code)
        self.asked_to_start, self.asked_to_remove = set(), set()
        self.problems = []
        self.runs = 0

    def run(self):
        while not self.stop.is_set():
            self.runs += 1
            try:
                self.one("churn-%d-%d" % (self.number, self.runs), self.runs % 7)
            except CUT:
                time.sleep(0.02)
            except ApiError as problem:
                if problem.status not in (503,):
                    self.problems.append("%s" % problem)

    def one(self, name, code):
        daemon = self.daemon_under_test
        container = daemon.create("echo once >> /marks/%s; exit %d" % (name, code), name=name,
                                  host_config={"Binds": [os.path.join(daemon.folder, "marks") + ":/marks"]})
        self.created[name] = (container, code)
        self.asked_to_start.add(name)
        daemon.start_container(container)
        self.started.add(name)
        got = daemon.wait(container)
        if got != code:
            self.problems.append("%s: wait answered %d, not %d" % (name, got, code))
        if self.runs % 3 == 0:
            self.asked_to_remove.add(name)
            daemon.remove(container)
            self.removed.add(name)


class Execs(threading.Thread):
    """Execs whose output and exit code are checked when the daemon lived to the end of them."""

    def __init__(self, daemon, container, stop):
        super().__init__()
        self.daemon_under_test, self.container, self.stop = daemon, container, stop
        self.problems = []
        self.done = 0

    def run(self):
        while not self.stop.is_set():
            result = self.daemon_under_test.docker("exec", self.container, "sh", "-c", "echo token; exit 3")
            errors = result.stderr.decode()
            if result.returncode == 3 and result.stdout == b"token\n":
                self.done += 1
            elif result.returncode == 3:
                self.problems.append("exec gave 3 with output %r" % result.stdout)
            elif result.returncode == 0:
                self.problems.append("exec gave 0 instead of 3: %r" % errors)
            else:
                time.sleep(0.02)


class KillTest(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)

    def test_killed_under_load(self):
        with Daemon() as daemon:
            os.mkdir(os.path.join(daemon.folder, "marks"))
            steady = [daemon.launch(COUNTING, name="steady-%d" % n) for n in range(3)]
            before = [daemon.inspect(container)["State"] for container in steady]
            stop = threading.Event()
            churns = [Churn(daemon, number, stop) for number in range(4)]
            execs = Execs(daemon, steady[0], stop)
            for thread in [*churns, execs]:
                thread.start()
            try:
                for number in range(ROUNDS):
                    time.sleep(self.random.uniform(0.05, 1.5))
                    daemon.kill()
                    daemon.start()
                    self.check_steady(daemon, steady, before, number)
            finally:
                stop.set()
                for thread in [*churns, execs]:
                    thread.join()
            self.assertEqual([problem for thread in [*churns, execs] for problem in thread.problems], [])
            self.assertGreater(execs.done, 0)
            for churn in churns:
                self.check_churn(daemon, churn)
            self.check_logs(daemon, steady)

    def check_steady(self, daemon, steady, before, number):
        for container, old in zip(steady, before):
            state = daemon.inspect(container)["State"]
            self.assertEqual((state["Status"], state["Pid"], state["StartedAt"]), ("running", old["Pid"], old["StartedAt"]),
                             "round %d" % number)

    def check_churn(self, daemon, churn):
        self.assertGreater(churn.runs, 0)
        for name, (container, code) in churn.created.items():
            marks = os.path.join(daemon.folder, "marks", name)
            if name in churn.removed:
                self.assertRaises(ApiError, daemon.inspect, container)
            elif name not in churn.asked_to_remove:
                self.assertEqual(daemon.inspect(container)["Name"], "/" + name, "an acknowledged create is gone")
                if name in churn.started:
                    self.assertEqual(daemon.wait(container), code)
                    self.assertEqual(daemon.inspect(container)["State"]["ExitCode"], code)
            ran = 0
            if os.path.exists(marks):
                with open(marks, encoding="utf-8") as lines:
                    ran = len(lines.readlines())
            if name in churn.started:
                self.assertEqual(ran, 1, "%s ran %d times" % (name, ran))
            else:
                self.assertLessEqual(ran, 1, "%s ran %d times" % (name, ran))

    def check_logs(self, daemon, steady):
        for container in steady:
            daemon.call("POST", "/containers/%s/kill" % container)
            daemon.wait(container)
            lines = daemon.logs(container).decode().split()
            self.assertGreater(len(lines), 100)
            self.assertEqual(lines, [str(number) for number in range(len(lines))], "log lines are missing or twice there")

    def test_killed_between_wait_and_start(self):
        with Daemon() as daemon:
            for condition in ("not-running", "next-exit", "removed"):
                container = daemon.create("exit 7", host_config={"AutoRemove": condition == "removed"})
                if condition != "not-running":  # that one answers at once for a created container
                    waiting, _, status = daemon.open("POST", "/containers/%s/wait?condition=%s" % (container, condition))
                    self.assertEqual(status, 200)
                    daemon.kill()
                    waiting.close()
                    daemon.start()
                waiting, rest, status = daemon.open("POST", "/containers/%s/wait?condition=%s" % (
                    container, "next-exit" if condition == "not-running" else condition))
                self.assertEqual(status, 200)
                daemon.start_container(container)
                self.assertIn(b'"StatusCode":7', rest + waiting.recv(4096), condition)
                waiting.close()

    def test_killed_between_exit_and_answer(self):
        with Daemon() as daemon:
            for condition in ("not-running", "next-exit", "removed"):
                gate = os.path.join(daemon.folder, "gate-" + condition)
                os.mkdir(gate)
                container = daemon.launch("while [ ! -e /gate/open ]; do usleep 10000; done; exit 9",
                                          host_config={"AutoRemove": condition == "removed", "Binds": [gate + ":/gate"]})
                pid = daemon.inspect(container)["State"]["Pid"]
                waiting, _, _ = daemon.open("POST", "/containers/%s/wait?condition=%s" % (container, condition))
                daemon.kill()
                waiting.close()
                open(os.path.join(gate, "open"), "w", encoding="utf-8").close()
                until(lambda: not os.path.exists("/proc/%d" % pid), 10, "the container's end")
                daemon.start()
                if condition == "removed":
                    self.wait_for_removed(daemon, container, 9)
                else:  # a new waiter for the next exit would rightly wait for another one
                    self.assertEqual(daemon.wait(container, "not-running"), 9, condition)

    def wait_for_removed(self, daemon, container, code):
        """The exit code, or as dockerd answers a question that comes too late: no such container."""
        try:
            self.assertEqual(daemon.wait(container, "removed"), code)
        except ApiError as gone:
            self.assertEqual(gone.status, 404)
        self.assertRaises(ApiError, daemon.inspect, container)


if __name__ == "__main__":
    skip_unless_root()
    print("seed %d, %d rounds" % (SEED, ROUNDS), flush=True)
    unittest.main(verbosity=2, warnings="ignore")
