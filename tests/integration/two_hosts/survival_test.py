#!/usr/bin/env python3
"""Two hosts under load while services are killed and stopped and a host is cut off: what runs goes on, what was
acknowledged holds, nothing happens twice, and what is broken is said.

FLO_KILL_ROUNDS and FLO_KILL_SEED repeat a run.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from cluster import REDIS, Cluster  # noqa: E402
from harness import IMAGE, SKIPPED, ApiError, is_full, skip_unless_root, until  # noqa: E402
from load import COUNTING, Churn, Execs, LoadChecks  # noqa: E402

ROUNDS = int(os.environ.get("FLO_KILL_ROUNDS", "50" if is_full() else "10"))
SEED = int(os.environ.get("FLO_KILL_SEED", str(random.randrange(1 << 30))))


class Killed(LoadChecks, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)

    def setUp(self):
        self.random = random.Random(SEED)
        self.cluster.start()
        marks = os.path.join(self.cluster.folder, "marks")
        os.makedirs(marks)
        self.addCleanup(shutil.rmtree, marks)
        self.addCleanup(self.cluster.remove_all)
        self.addCleanup(self.cluster.start)

    def under_load(self, disturb, rounds, execs_too=True):
        """Runs the load while disturb(round) does its worst, then checks everything."""
        cluster = self.cluster
        steady = [cluster.launch(COUNTING, name="steady-%d" % number) for number in range(4)]
        before = [cluster.inspect(container)["State"] for container in steady]
        stop = threading.Event()
        churns = [Churn(cluster, number, stop) for number in range(3)]
        threads = [*churns] + ([Execs(cluster, steady[0], stop)] if execs_too else [])
        for thread in threads:
            thread.start()
        try:
            for number in range(rounds):
                time.sleep(self.random.uniform(0.1, 1.0))
                disturb(number)
                cluster.ready()
                self.check_steady(cluster, steady, before, number)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([problem for thread in threads for problem in thread.problems], [])
        for churn in churns:
            self.check_churn(cluster, churn)
        self.check_logs(cluster, steady)
        print("runs: %s" % [churn.runs for churn in churns], flush=True)
        names = [name for row in cluster.get("/containers/json?all=1") for name in row["Names"]]
        self.assertEqual(len(names), len(set(names)), "a container is listed twice")

    def test_kills_of_any_service(self):
        engines = [(engine, number) for engine in self.cluster.engines for number in range(engine.count)]
        victims = [*engines, *engines, "gateway", "gateway", "discovery", "redis"]

        def disturb(_):
            victim = self.random.choice(victims)
            if isinstance(victim, str):
                self.cluster.kill(victim)
            else:
                victim[0].kill_worker(victim[1])
            self.cluster.start()

        self.under_load(disturb, ROUNDS)

    def test_an_exec_whose_stream_is_cut_is_no_success(self):
        container = self.cluster.launch("sleep 1000")
        engine = self.cluster.named[self.cluster.node_of(container)]
        script = "echo begun; sleep 4; echo ended; exit 0"
        client = subprocess.Popen(["docker", "exec", container, "sh", "-c", script], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env={**os.environ, "DOCKER_HOST": self.cluster.host})
        self.assertEqual(client.stdout.readline(), b"begun\n")
        for number in range(engine.count):  # one of them relays the stream to the gateway
            engine.kill_worker(number)
        self.cluster.start()
        output, errors = client.communicate(timeout=30)
        self.assertNotIn(b"ended", output)
        self.assertNotEqual(client.returncode, 0)
        self.assertIn(b"was cut before its end", errors)
        self.assertEqual(self.cluster.docker("exec", container, "echo", "again").stdout, b"again\n")

    def test_redis_without_its_data(self):
        def disturb(_):
            self.cluster.kill_redis(with_data=False)
            self.cluster.start_redis()

        self.under_load(disturb, 2, execs_too=False)

    def test_redis_stopped(self):
        def disturb(_):
            self.cluster.centre.processes["redis"].send_signal(signal.SIGSTOP)
            time.sleep(10)
            self.cluster.centre.processes["redis"].send_signal(signal.SIGCONT)

        self.under_load(disturb, 1, execs_too=False)

    def test_a_stopped_worker_does_nothing_twice(self):
        def disturb(_):
            engine = self.cluster.engines[0]
            stopped = engine.host.processes[engine.services[0]]
            stopped.send_signal(signal.SIGSTOP)
            time.sleep(30 if is_full() else 8)
            stopped.send_signal(signal.SIGCONT)

        self.under_load(disturb, 1, execs_too=False)


class CutOff(unittest.TestCase):
    """A host that nothing reaches."""

    def timed(self, most, call, *arguments):
        began = time.monotonic()
        answer = call(*arguments)
        self.assertLess(time.monotonic() - began, most, arguments)
        return answer

    def check_absence(self, cluster, lost):
        """What is said of a host that is Unhealthy, or of what it may have."""
        for path in ("/containers/json", "/containers/json?all=1", "/images/json", "/volumes", "/networks"):
            warnings = self.timed(3, cluster.warnings, path)
            self.assertEqual(len(warnings), 1, (path, warnings))
            self.assertIn(lost.name + ": ", warnings[0])
        for path in ("/containers/nobody/json", "/volumes/nothing", "/networks/nothing", "/exec/none/json"):
            with self.assertRaises(ApiError) as unknown:
                self.timed(3, cluster.get, path)
            self.assertEqual(unknown.exception.status, 503, path)
            self.assertIn(lost.name + ": ", str(unknown.exception))
        with self.assertRaises(ApiError) as unknown:
            self.timed(3, cluster.get, "/images/nothing/json")
        self.assertEqual(unknown.exception.status, 404, "clients pull it then")

    def test_a_host_is_cut_off_and_comes_back(self):
        with Cluster() as cluster:
            made = {}
            for number in range(4):
                container = cluster.launch("sleep 1000", name="cut-%d" % number)
                made.setdefault(cluster.node_of(container), []).append(container)
            lost, kept = cluster.engines
            before = {container: cluster.inspect(container)["State"]["Pid"] for part in made.values() for container in part}

            lost.host.cut()
            # At once, and before anybody knows why it is silent: calls about others are not delayed.
            self.timed(3, cluster.inspect, made[kept.name][0])
            self.timed(3, cluster.call, "POST", "/containers/%s/pause" % made[kept.name][0])
            self.timed(3, cluster.call, "POST", "/containers/%s/unpause" % made[kept.name][0])
            rows = self.timed(8, cluster.get, "/containers/json")
            self.assertGreaterEqual({row["Id"] for row in rows}, set(made[kept.name]))
            until(lambda: cluster.statuses().get(lost.name) == "Unhealthy", 40, lambda: "unhealthy: %s" % cluster.statuses())
            self.assertEqual(cluster.statuses()[kept.name], "Healthy")
            self.assertIn("Error", cluster.hosts()[lost.name])
            listed = {row["Id"]: row["Status"] for row in self.timed(3, cluster.get, "/containers/json?all=1")}
            self.assertEqual({listed[container] for container in made[lost.name]}, {"Host Down"})
            self.assertNotIn("Host Down", {listed[container] for container in made[kept.name]})
            for container in made[lost.name]:
                with self.assertRaises(ApiError) as refused:
                    self.timed(3, cluster.call, "POST", "/containers/%s/stop" % container)
                self.assertEqual(refused.exception.status, 503)
                self.assertIn(lost.name, str(refused.exception))
            self.check_absence(cluster, lost)
            extra = self.timed(10, cluster.docker, "run", "-d", "--name", "extra", "--network", "none", IMAGE, "sleep", "1000")
            self.assertEqual(extra.returncode, 0, extra.stderr)
            self.assertEqual(cluster.node_of(extra.stdout.decode().strip()), kept.name)
            time.sleep(20 if is_full() else 5)

            lost.host.heal()
            cluster.ready(60)
            for container, pid in before.items():
                self.assertEqual(cluster.inspect(container)["State"]["Pid"], pid)
            rows = cluster.get("/containers/json?all=1")
            self.assertEqual(len(rows), len({row["Id"] for row in rows}))
            self.assertEqual(len(rows), 5)
            self.assertNotIn("Host Down", {row["Status"] for row in rows})
            self.assertEqual(cluster.warnings("/containers/json"), [])
            hosts = cluster.hosts()
            self.assertEqual(set(hosts), {lost.name, kept.name})
            again = cluster.docker("exec", made[lost.name][0], "echo", "back")
            self.assertEqual(again.stdout, b"back\n", again.stderr)


if __name__ == "__main__":
    skip_unless_root()
    if not REDIS:
        print("SKIP: redis-server is not installed")
        sys.exit(SKIPPED)
    print("seed %d, %d rounds" % (SEED, ROUNDS), flush=True)
    unittest.main(verbosity=2, warnings="ignore")
