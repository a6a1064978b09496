#!/usr/bin/env python3
"""Gateway, two workers and Redis as processes of their own: what a client sees, and what holds when they die.

FLO_KILL_ROUNDS and FLO_KILL_SEED repeat a run.
"""
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from apart import REDIS, Apart  # noqa: E402
from harness import SKIPPED, ApiError, is_full, skip_unless_root, until  # noqa: E402
from load import COUNTING, Churn, Execs, LoadChecks  # noqa: E402

ROUNDS = int(os.environ.get("FLO_KILL_ROUNDS", "50" if is_full() else "10"))
SEED = int(os.environ.get("FLO_KILL_SEED", str(random.randrange(1 << 30))))


class Docker(unittest.TestCase):
    """The docker CLI in front of all that."""

    def test_flow(self):
        with Apart() as services:
            def docker(*arguments, code=0, **options):
                result = services.docker(*arguments, **options)
                self.assertEqual(result.returncode, code, "%s: %s" % (arguments, result.stderr.decode()))
                return result.stdout.decode()

            self.assertEqual(docker("run", "--rm", "--network", "none", "busybox", "echo", "hi"), "hi\n")
            docker("run", "--rm", "--network", "none", "busybox", "sh", "-c", "exit 7", code=7)
            self.assertEqual(docker("run", "--rm", "-i", "--network", "none", "busybox", "cat", input=b"through"), "through")
            name = docker("run", "-d", "--name", "web", "--network", "none", "busybox", "sh", "-c",
                          "echo started; sleep 1000").strip()
            self.assertEqual(docker("exec", "web", "echo", "inside"), "inside\n")
            docker("exec", "web", "sh", "-c", "exit 3", code=3)
            until(lambda: docker("logs", "web") == "started\n", 10, "the log")
            self.assertIn(name[:12], docker("ps"))
            docker("rename", "web", "site")
            docker("pause", "site")
            docker("unpause", "site")
            docker("stop", "-t", "1", "site")
            self.assertEqual(docker("wait", "site"), "137\n")
            docker("start", "site")
            docker("rm", "-f", "site")
            self.assertNotIn(name[:12], docker("ps", "-a"))
            docker("inspect", "site", code=1)

    def test_every_worker_makes_networks(self):
        with Apart() as services:
            addresses = set()
            for alone in (None, 0, 1):  # both, the second, the first
                if alone is not None:
                    services.kill_worker(alone)
                    services.ready()
                for number in range(4):
                    name = "net-%s-%d" % (alone, number)
                    run = services.docker("run", "-d", "--name", name, "-p", "80", "busybox", "sleep", "1000")
                    self.assertEqual(run.returncode, 0, run.stderr)
                    network = services.inspect(name)["NetworkSettings"]
                    addresses.add(network["Networks"]["bridge"]["IPAddress"])
                    self.assertTrue(network["Ports"]["80/tcp"])
                if alone is not None:
                    services.start_worker(alone)
            self.assertEqual(len(addresses), 12, addresses)
            first, last = services.inspect("net-None-0"), services.inspect("net-1-3")
            heard = services.docker("exec", "net-1-3", "ping", "-c", "1", "-w", "5",
                                    first["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
            self.assertEqual(heard.returncode, 0, heard.stdout)
            self.assertTrue(last["State"]["Running"])

    def test_bytes_arrive_whole(self):
        with Apart() as services:
            result = services.docker("run", "--rm", "--network", "none", "busybox", "sh", "-c",
                                     "dd if=/dev/zero bs=1000000 count=50 2>/dev/null")
            self.assertEqual(len(result.stdout), 50_000_000, result.stderr)

    def test_events_of_all_workers(self):
        with Apart() as services:
            connection, _, status = services.open("GET", "/events")
            self.assertEqual(status, 200)
            for number in range(8):  # either worker may do any of it
                services.remove(services.create("true", name="seen-%d" % number))
            received = b""
            while received.count(b'"destroy"') < 8:
                piece = connection.recv(65536)
                self.assertTrue(piece, received)
                received += piece
            connection.close()


class Killed(LoadChecks, unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)

    def under_load(self, services, disturb, rounds=ROUNDS, execs_too=True):
        """Runs the load while disturb(round) does its worst, then checks everything."""
        os.makedirs(os.path.join(services.folder, "marks"), exist_ok=True)
        steady = [services.launch(COUNTING, name="steady-%d" % n) for n in range(3)]
        before = [services.inspect(container)["State"] for container in steady]
        stop = threading.Event()
        churns = [Churn(services, number, stop) for number in range(3)]
        threads = [*churns] + ([Execs(services, steady[0], stop)] if execs_too else [])
        for thread in threads:
            thread.start()
        try:
            for number in range(rounds):
                time.sleep(self.random.uniform(0.1, 1.2))
                disturb(number)
                self.check_steady(services, steady, before, number)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([problem for thread in threads for problem in thread.problems], [])
        for churn in churns:
            self.check_churn(services, churn)
        self.check_logs(services, steady)
        print("runs: %s" % [churn.runs for churn in churns], flush=True)

    def test_workers(self):
        with Apart() as services:
            def disturb(number):
                services.kill_worker(number % 2)
                services.ready()  # the other one serves
                services.start_worker(number % 2)

            self.under_load(services, disturb)

    def test_gateways(self):
        with Apart(gateways=1) as services:
            def disturb(_):
                services.kill_gateway(0)
                services.start_gateway(0)
                services.ready()

            self.under_load(services, disturb)

    def test_redis_with_its_data(self):
        with Apart() as services:
            def disturb(_):
                services.kill_redis()
                services.start_redis()
                services.ready()

            self.under_load(services, disturb, rounds=3, execs_too=False)

    def test_redis_without_its_data(self):
        with Apart() as services:
            def disturb(_):
                services.kill_redis(with_data=False)
                services.start_redis()
                services.ready()

            self.under_load(services, disturb, rounds=3, execs_too=False)

    def test_redis_stopped(self):
        with Apart() as services:
            def disturb(_):
                services.redis.send_signal(signal.SIGSTOP)
                time.sleep(10)
                services.redis.send_signal(signal.SIGCONT)
                services.ready()

            self.under_load(services, disturb, rounds=1, execs_too=False)

    def test_redis_gone_is_named(self):
        with Apart() as services:
            services.kill_redis()
            status, answer = services.request("GET", "/containers/json")
            self.assertEqual(status, 503)
            self.assertIn(b"job queue", answer)
            self.assertIn(services.redis_socket.encode(), answer)
            services.start_redis()
            services.ready()

    def test_a_stopped_worker_does_nothing_twice(self):
        with Apart() as services:
            def disturb(_):
                services.workers[0].send_signal(signal.SIGSTOP)
                time.sleep(30 if is_full() else 8)
                services.workers[0].send_signal(signal.SIGCONT)
                services.ready()

            self.under_load(services, disturb, rounds=1, execs_too=False)

    def test_a_drained_worker_leaves_no_error(self):
        with Apart() as services:
            def disturb(number):
                self.assertEqual(services.kill_worker(number % 2, signal.SIGTERM), 0)
                services.start_worker(number % 2)

            self.under_load(services, disturb, rounds=4)

    def test_wait_outlives_its_worker(self):
        with Apart() as services:
            for condition in ("next-exit", "removed"):
                container = services.create("exit 7", host_config={"AutoRemove": condition == "removed"})
                waiting, rest, status = services.open("POST", "/containers/%s/wait?condition=%s" % (container, condition))
                self.assertEqual(status, 200)
                for number in (0, 1):  # whichever has the wait
                    services.kill_worker(number)
                    services.start_worker(number)
                services.ready()
                services.start_container(container)
                while b"StatusCode" not in rest:
                    piece = waiting.recv(4096)
                    self.assertTrue(piece)
                    rest += piece
                self.assertIn(b'"StatusCode":7', rest, condition)
                waiting.close()


class Cut(unittest.TestCase):
    """A download whose worker dies is no short success."""

    BIG = 40_000_000  # far beyond what sockets hold

    def import_big(self, services):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            member = tarfile.TarInfo("random")
            member.size = self.BIG
            archive.addfile(member, io.BytesIO(os.urandom(self.BIG)))
        answer = services.call("POST", "/images/create?fromSrc=-&repo=big", body=content.getvalue(),
                               content_type="application/x-tar")
        self.assertNotIn(b"error", answer)

    @staticmethod
    def begin(services, *arguments):
        """A docker command that is under way: its first byte has come, and nobody reads on."""
        process = subprocess.Popen([os.environ.get("FLO_DOCKER", "docker"), *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env={**os.environ, "DOCKER_HOST": services.host})
        return process, process.stdout.read(1)

    @staticmethod
    def rest_of(connection):
        received = bytearray()
        try:
            while piece := connection.recv(1 << 20):
                received += piece
        except ConnectionResetError:
            pass
        connection.close()
        return received

    def test_downloads_of_killed_workers(self):
        with Apart() as services:
            self.import_big(services)
            text = "yes %s | head -c %d" % ("x" * 1000, self.BIG)
            services.wait(services.launch(text, name="talked"))
            services.launch("echo begun; sleep 1000", name="talks")
            commands = (["save", "big"], ["logs", "talked"], ["logs", "-f", "talks"], ["events", "--since", "1"])
            begun = [(command, *self.begin(services, *command)) for command in commands]
            raw, start, status = services.open("GET", "/images/big/get")
            self.assertEqual(status, 200)
            for number in (0, 1):  # whichever has what
                services.kill_worker(number)
            for number in (0, 1):
                services.start_worker(number)
            services.ready()
            for command, process, first in begun:
                output, error = process.communicate(timeout=60)
                self.assertTrue(0 < len(first + output) < self.BIG, command)
                self.assertNotEqual(process.returncode, 0, command)
                self.assertIn(b"unexpected EOF", error, command)
            body = start + self.rest_of(raw)
            self.assertLess(len(body), self.BIG)
            self.assertFalse(body.endswith(b"0\r\n\r\n"))

    def test_downloads_end_well_otherwise(self):
        with Apart() as services:
            self.import_big(services)
            saved = services.docker("save", "big")
            self.assertEqual(saved.returncode, 0, saved.stderr)
            self.assertGreater(len(saved.stdout), self.BIG)
            services.launch("echo begun; sleep 1; echo done", name="talks")
            followed = services.docker("logs", "-f", "talks")
            self.assertEqual((followed.returncode, followed.stdout), (0, b"begun\ndone\n"), followed.stderr)
            events = services.docker("events", "--since", "1", "--until", str(int(time.time())))
            self.assertEqual(events.returncode, 0, events.stderr)
            self.assertIn(b"start", events.stdout)


class Supervised(unittest.TestCase):
    """flotilla-engine --workers N: one process that keeps N workers."""

    @staticmethod
    def children(process):
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as pids:
            return {int(pid) for pid in pids.read().split()}

    def test_workers_are_started_again_and_end_together(self):
        with Apart(workers=1, worker_options=["--workers", "3"]) as services:
            supervisor = services.workers[0]
            until(lambda: len(self.children(supervisor)) == 3, 10, "three workers")
            container = services.launch("sleep 1000")
            for _ in range(3):
                before = self.children(supervisor)
                victim = before.pop()
                os.kill(victim, signal.SIGKILL)
                until(lambda gone=victim: len(self.children(supervisor)) == 3 and gone not in self.children(supervisor), 20,
                      "another worker takes its place")
                services.ready()
            self.assertTrue(services.inspect(container)["State"]["Running"])
            self.assertEqual(services.docker("exec", container, "echo", "on").stdout, b"on\n")
            workers = self.children(supervisor)
            self.assertEqual(services.kill_worker(0, signal.SIGTERM), 0)
            self.assertEqual([pid for pid in workers if os.path.exists("/proc/%d" % pid)], [])


class Refused(unittest.TestCase):
    def test_forged_jobs(self):
        with Apart() as services:
            text = b"4:job1,%d:%s,1:g,1:0,8:99999999,1:j,16:container_create,0:,1:1,2:51,1:0,1:0,2:{}," % (
                len(services.engine_id), services.engine_id.encode())
            key = "flotilla:{test}:jobs:" + services.engine_id
            for mac in (b"", b"\0" * 32, os.urandom(32)):
                services.redis_command("XADD", key, "*", "job", text, "mac", mac)
            until(lambda: services.metric('flotilla_queue_refused_jobs_total{reason="forged"}') == 3, 10, "three refusals")
            self.assertEqual(services.get("/containers/json?all=1"), [])
            until(lambda: services.redis_command("XLEN", key) == b":0\r\n", 10, "the entries go")

    def test_a_clone_of_the_host(self):
        with Apart(workers=1) as services:
            clone = subprocess.run(
                services.workers[0].args[:2] + services.workers[0].args[2:3] + services.queue + [
                    "--engine-id", services.engine_id, "--data-root", services.root + "-clone", "--exec-root",
                    services.run_dir + "c", "--bridge", "flo-clone", "--firewall-table", "floclone"],
                capture_output=True, timeout=60, check=False)
            self.assertNotEqual(clone.returncode, 0)
            self.assertIn(b"another host", clone.stderr)
            services.remove(services.create("true"))

    def test_a_worker_with_another_key(self):
        with Apart(workers=1) as services:
            services.kill_worker(0)
            with open(services.key, "wb") as key:
                key.write(os.urandom(32))
            services.start_worker(0)
            self.assertRaises(ApiError, services.call, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})
            until(lambda: services.metric('flotilla_queue_refused_jobs_total{reason="forged"}') >= 1, 10, "a refusal")
            services.kill_gateway(0)  # with the new key all is well again


if __name__ == "__main__":
    skip_unless_root()
    if not REDIS:
        print("SKIP: redis-server is not installed")
        sys.exit(SKIPPED)
    print("seed %d, %d rounds" % (SEED, ROUNDS), flush=True)
    unittest.main(verbosity=2, warnings="ignore")
