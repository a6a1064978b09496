#!/usr/bin/env python3
"""kill -9 of the daemon at random moments under load. What has to hold afterwards:

 - no running container has ended or lost a log line
 - every acknowledged create is there, every acknowledged removal is gone
 - nothing took effect twice; exit codes and `wait` are right
 - nothing is left on the machine

FLO_KILL_ROUNDS and FLO_KILL_SEED repeat a run.
"""
import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import ApiError, Daemon, is_full, skip_unless_root, until  # noqa: E402
from load import COUNTING, Churn, Execs, LoadChecks  # noqa: E402

ROUNDS = int(os.environ.get("FLO_KILL_ROUNDS", "50" if is_full() else "10"))
SEED = int(os.environ.get("FLO_KILL_SEED", str(random.randrange(1 << 30))))


class KillTest(LoadChecks, unittest.TestCase):
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
                if condition == "removed":  # whether it is asked before the removal or after it
                    self.assertEqual(daemon.wait(container, "removed"), 9)
                    self.assertRaises(ApiError, daemon.inspect, container)
                    self.assertEqual(daemon.wait(container, "removed"), 9)
                else:  # a new waiter for the next exit would rightly wait for another one
                    self.assertEqual(daemon.wait(container, "not-running"), 9, condition)


if __name__ == "__main__":
    skip_unless_root()
    print("seed %d, %d rounds" % (SEED, ROUNDS), flush=True)
    unittest.main(verbosity=2, warnings="ignore")
