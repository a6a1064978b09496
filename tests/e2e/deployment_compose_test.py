#!/usr/bin/env python3
"""deploy/compose on a real dockerd: the services come up, and containers live on through scaling, restarts of every
service, an upgrade of the engine with the removal of its image, and the end of it all."""
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import debian_base  # noqa: E402
import dockerd  # noqa: E402
from harness import SKIPPED, TOP, bin_dir, skip_unless_root, until  # noqa: E402

SERVICES = ["redis", "discovery", "registry-proxy", "gateway", "engine"]
COMMAND_TIMEOUT = 180


def run(*command, environment=None, check=True, timeout=COMMAND_TIMEOUT, **options):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done


def why_not():
    if not shutil.which("docker-compose"):
        return "docker-compose is missing (scripts/setup --tests installs it)"
    if dockerd.find() is None:
        return "there is no dockerd (scripts/setup --tests unpacks the distribution's)"
    if not os.path.exists(os.path.join(bin_dir(), "flotilla-engine")):
        return "flotilla-engine is not built"
    return debian_base.why_not()


class Host:
    """A machine with nothing but a dockerd, on which Flotilla is deployed as README says."""

    def __init__(self, endpoint):
        self.folder = tempfile.mkdtemp(prefix="fl-up-", dir="/tmp")
        self.netns = dockerd.netns_of(endpoint)
        self.compose_folder = os.path.join(self.folder, "deploy", "compose")
        self.root, self.run_dir = os.path.join(self.folder, "root"), os.path.join(self.folder, "r")
        self.bin = os.path.join(self.folder, "bin")
        self.environment = {
            **os.environ, "DOCKER_HOST": endpoint, "COMPOSE_PROJECT_NAME": "flotilla", "FLOTILLA_DATA_ROOT": self.root,
            "FLOTILLA_EXEC_ROOT": self.run_dir}
        self.client = {**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1",
                       "DOCKER_CERT_PATH": os.path.join(self.compose_folder, "certs", "client")}
        shutil.copytree(os.path.join(TOP, "deploy"), os.path.join(self.folder, "deploy"),
                        ignore=shutil.ignore_patterns("certs", ".env"))
        os.makedirs(os.path.join(self.folder, "scripts"))
        shutil.copy(os.path.join(TOP, "scripts", "certs"), os.path.join(self.folder, "scripts"))
        os.makedirs(self.bin)
        for program in glob.glob(os.path.join(bin_dir(), "flotilla-*")):
            shutil.copy(program, self.bin)

    # --- what the operator does

    def build(self, *images):
        run(os.path.join(self.folder, "deploy", "images", "build"), self.bin, *images, environment=self.environment)

    def prepare(self):
        run(os.path.join(self.compose_folder, "prepare"), environment=self.environment)

    def compose(self, *arguments, **options):
        return run("docker-compose", *arguments, environment=self.environment, cwd=self.compose_folder, **options)

    def dockerd(self, *arguments, **options):
        return run("docker", *arguments, environment=self.environment, **options)

    # --- what users do

    def docker(self, *arguments, **options):
        return run("nsenter", "--net=/run/netns/" + self.netns, "docker", *arguments, environment=self.client, **options)

    def answers(self):
        return self.docker("ps", "-q", check=False).returncode == 0

    def wait_until_it_answers(self):
        until(self.answers, 60, lambda: "the API answers: %s\n%s" % (
            self.docker("ps", check=False).stderr, self.compose("logs", "--tail=20", check=False).stdout))

    def pid(self, container):
        return int(self.docker("inspect", "-f", "{{.State.Pid}}", container).stdout)

    def versions(self):
        """Digests of the programs that are there for containers."""
        return sorted(name for name in os.listdir(os.path.join(self.root, "bin")) if not name.startswith("."))

    def remove(self):
        """Also after a failure: whatever is left of the containers and of the deployment."""
        if self.answers():
            for container in self.docker("ps", "-aq", check=False).stdout.split():
                self.docker("rm", "-f", "-v", container, check=False)
        self.compose("--profile", "monitoring", "down", "-v", "-t", "10", check=False)
        for pid in shims(self.root) + members(self.root):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def shims(root):
    """Their processes on the host."""
    found = []
    for exe in glob.glob("/proc/[0-9]*/exe"):
        try:
            program = os.readlink(exe)
            if program.startswith(os.path.join(root, "bin")) and program.endswith("/flotilla-shim"):
                found.append(int(exe.split("/")[2]))
        except OSError:
            continue
    return found


def members(root):
    """Processes in containers."""
    found = set()
    for container in glob.glob(os.path.join(root, "containers", "*")):
        for file in glob.glob("/sys/fs/cgroup/*/flotilla/%s/cgroup.procs" % os.path.basename(container)):
            with open(file, encoding="ascii") as pids:
                found.update(int(pid) for pid in pids)
    return list(found)


class Keeper:
    """A container that counts, to see that it never stops."""

    def __init__(self, host, name, *options):
        self.host, self.name = host, name
        host.docker("run", "-d", "--name", name, *options, "busybox", "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done")
        self.pid = host.pid(name)
        self.born = self.started()
        record = json.loads(host.docker("inspect", name).stdout)[0]
        self.log = os.path.join(host.root, "containers", record["Id"], record["Id"] + "-json.log")

    def started(self):
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]

    def count(self):
        with open(self.log, encoding="utf-8") as log:
            return len(log.readlines())

    def assert_alive(self, test):
        test.assertTrue(os.path.exists("/proc/%d" % self.pid), self.name + " has ended")
        test.assertEqual(self.started(), self.born, self.name + " is another process")
        before = self.count()
        until(lambda: self.count() > before, 5, self.name + " goes on counting")


class Deployment(unittest.TestCase):
    def setUp(self):
        packages = run(os.path.join(TOP, "deploy", "images", "packages"), bin_dir()).stdout.split()
        base = debian_base.archive([*packages, "redis-server", "prometheus"])
        running = dockerd.dockerd(dockerd.find()[0])
        endpoint = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        self.host = Host(endpoint)
        self.addCleanup(self.host.remove)
        self.step("images")
        self.host.dockerd("import", base, "debian:%s-slim" % debian_base.suite())
        self.host.build()
        self.host.prepare()

    started = time.monotonic()

    def step(self, name):
        print("[%5.1f s] %s" % (time.monotonic() - Deployment.started, name), flush=True)

    def load_busybox(self):
        archive = os.path.join(self.host.folder, "busybox.tar")
        run(sys.executable, os.path.join(TOP, "scripts", "make-image"), "--tag", "busybox:latest", "--output", archive)
        self.host.docker("load", "-q", "-i", archive)

    def test_containers_outlive_everything(self):
        host = self.host
        self.step("up")
        host.compose("up", "-d", *SERVICES)
        host.wait_until_it_answers()
        self.no_privileged_service()
        # Only the registry proxy says so: it was asked.
        self.assertIn("127.0.0.1:1: connect: connection refused", host.docker("pull", "127.0.0.1:1/nothing", check=False).stderr)
        self.load_busybox()
        keeper = Keeper(host, "keeper", "--restart", "always", "-v", "/etc/hostname:/host-name:ro")
        other = Keeper(host, "other", "--network", "none", "--init")
        self.used_as_usual(keeper)

        self.step("scale")
        host.compose("up", "-d", "--no-recreate", "--scale", "engine=3", "engine")
        self.assertEqual(len(host.compose("ps", "-q", "engine").stdout.split()), 3)
        until(lambda: self.workers() == 3, 30, "three workers serve")
        for number in range(6):
            self.assertEqual(host.docker("run", "--rm", "busybox", "echo", str(number)).stdout, "%d\n" % number)
        host.dockerd("kill", host.compose("ps", "-q", "engine").stdout.split()[0])
        self.used_as_usual(keeper)

        self.step("every service restarted")
        for service in SERVICES:
            host.compose("restart", "-t", "5", service)
            host.wait_until_it_answers()
            keeper.assert_alive(self)
            other.assert_alive(self)

        self.step("figures")
        self.figures()

        self.step("down, image removed")
        (old,) = host.versions()
        host.compose("--profile", "monitoring", "down", "-t", "10")
        host.dockerd("rmi", "flotilla/engine")
        self.assertEqual(host.dockerd("images", "-q", "flotilla/engine").stdout, "")
        keeper.assert_alive(self)
        other.assert_alive(self)

        self.step("another version built and up")
        with open(os.path.join(host.bin, "flotilla-shim"), "ab") as program:
            program.write(b"another version")
        host.build("engine")
        host.compose("up", "-d", *SERVICES)
        host.wait_until_it_answers()
        self.assertEqual(len(host.versions()), 2)
        self.used_as_usual(keeper)  # its shim is of the old version
        other.assert_alive(self)
        self.assertIn(old, os.readlink("/proc/%d/exe" % self.shim_of(keeper)))
        host.docker("restart", "-t", "0", "keeper")
        self.assertEqual(host.docker("exec", "keeper", "echo", "again").stdout, "again\n")
        host.docker("rm", "-f", "keeper", "other")
        until(lambda: not shims(host.root), 10, "no shim is left")
        host.compose("restart", "-t", "5", "engine")
        host.wait_until_it_answers()
        self.assertEqual(len(host.versions()), 1)
        self.assertNotEqual(host.versions(), [old])

        self.step("down")
        last = Keeper(host, "last")
        host.compose("down", "-t", "10")
        last.assert_alive(self)
        host.compose("up", "-d", *SERVICES)
        host.wait_until_it_answers()
        host.docker("rm", "-f", "last")
        host.compose("down", "-v", "-t", "10")
        self.nothing_left()

    def no_privileged_service(self):
        for container in self.host.dockerd("ps", "-q").stdout.split():
            record = json.loads(self.host.dockerd("inspect", container).stdout)[0]
            self.assertFalse(record["HostConfig"]["Privileged"], record["Name"])
            if "engine" not in record["Name"]:
                self.assertEqual(record["HostConfig"]["CapDrop"], ["ALL"], record["Name"])
        gateway = self.host.compose("ps", "-q", "gateway").stdout.strip()
        uid = self.host.dockerd("top", gateway, "-eo", "pid,uid,comm").stdout.splitlines()[1].split()[1]
        self.assertEqual(uid, "10500")
        self.assertEqual(self.curl("-X", "POST", "https://127.0.0.1:5080/v1/clusters").returncode, 0)
        for port in (2376, 5080):
            stranger = run("nsenter", "--net=/run/netns/" + self.host.netns, "curl", "-sSk", "https://127.0.0.1:%d/" % port, check=False)
            self.assertNotEqual(stranger.returncode, 0, stranger.stdout)
            self.assertIn("certificate required", stranger.stderr)

    def curl(self, *arguments):
        certs = self.host.client["DOCKER_CERT_PATH"]
        return run("nsenter", "--net=/run/netns/" + self.host.netns, "curl", "-sS", "--cacert", certs + "/ca.pem", "--cert",
                   certs + "/cert.pem", "--key", certs + "/key.pem", *arguments)

    def used_as_usual(self, keeper):
        host = self.host
        self.assertEqual(host.docker("run", "--rm", "busybox", "echo", "hello").stdout, "hello\n")
        with open("/etc/hostname", encoding="utf-8") as name:
            self.assertEqual(host.docker("exec", keeper.name, "cat", "/host-name").stdout, name.read())
        keeper.assert_alive(self)
        self.assertTrue(host.docker("logs", "--tail", "3", keeper.name).stdout.strip())
        text = "x" * 1000000
        fed = host.docker("run", "--rm", "-i", "busybox", "sha256sum", input=text)
        self.assertEqual(fed.stdout.split()[0], hashlib.sha256(text.encode()).hexdigest())

    def workers(self):
        """Those that hold their lock."""
        found = 0
        for path in glob.glob(os.path.join(self.host.run_dir, "workers", "*")):
            with open(path, encoding="utf-8") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    found += 1
        return found

    def shim_of(self, keeper):
        with open("/proc/%d/stat" % keeper.pid, encoding="ascii") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])

    def figures(self):
        """Prometheus gets at everything, and each query of the dashboard has an answer."""
        host = self.host
        host.compose("--profile", "monitoring", "up", "-d", "prometheus")
        prometheus = host.compose("--profile", "monitoring", "ps", "-q", "prometheus").stdout.strip()
        address = host.dockerd("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", prometheus).stdout.strip()

        def ask(path, **query):
            answer = run("nsenter", "--net=/run/netns/" + host.netns, "curl", "-sS", "http://%s:9090/api/v1/%s?%s" % (
                address, path, urllib.parse.urlencode(query)), check=False)
            return json.loads(answer.stdout) if answer.returncode == 0 else {"status": answer.stderr}

        def jobs_up():
            found = ask("query", query="sum by (job) (up)")
            return {each["metric"]["job"]: int(each["value"][1]) for each in found.get("data", {}).get("result", [])}
        wanted = {"gateway": 1, "discovery": 1, "registry-proxy": 1, "engine": 3}
        until(lambda: jobs_up() == wanted, 60, lambda: "all are scraped: %s" % jobs_up())
        host.docker("run", "--rm", "busybox", "true")
        with open(os.path.join(TOP, "deploy", "compose", "grafana", "dashboards", "flotilla.json"), encoding="utf-8") as text:
            dashboard = json.load(text)
        queries = [target["expr"].replace("$__rate_interval", "1m") for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 5)
        for query in queries:
            until(lambda query=query: ask("query", query=query).get("data", {}).get("result"), 30,
                  lambda query=query: "%s has an answer: %s" % (query, ask("query", query=query)))

    def nothing_left(self):
        host = self.host
        self.assertEqual(host.dockerd("ps", "-aq").stdout, "")
        until(lambda: not shims(host.root), 10, "no shim is left")
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            self.assertEqual([line for line in mounts if host.folder in line], [])
        self.assertEqual(os.listdir(os.path.join(host.root, "containers")), [])
        self.assertEqual(os.listdir(os.path.join(host.run_dir, "containers")), [])


class File(unittest.TestCase):
    def test_compose_v2_reads_it_too(self):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
        if plugin.returncode != 0:
            self.skipTest("docker has no compose v2 here")
        file = os.path.join(TOP, "deploy", "compose", "compose.yaml")
        read = run("docker", "compose", "-f", file, "--profile", "monitoring", "config", "--services")
        self.assertEqual(sorted(read.stdout.split()), sorted([*SERVICES, "prometheus", "grafana"]))

    def test_monitoring_is_a_profile(self):
        file = os.path.join(TOP, "deploy", "compose", "compose.yaml")
        plain = run("docker-compose", "-f", file, "config", "--services").stdout.split()
        self.assertTrue(set(SERVICES) <= set(plain))
        with open(file, encoding="utf-8") as text:
            services = re.split(r"\n  (?=[a-z-]+:\n)", text.read())
        for each in services:
            if each.startswith(("prometheus:", "grafana:")) and "image:" in each:
                self.assertIn("profiles: [monitoring]", each)


if __name__ == "__main__":
    skip_unless_root()
    reason = why_not()
    if reason:
        print("SKIP: " + reason)
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
