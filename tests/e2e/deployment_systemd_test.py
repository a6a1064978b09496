#!/usr/bin/env python3
"""deploy/systemd without a systemd: what `install` installs is verified, and the units' ExecStart lines run as the users,
with the rights, the folders and the sockets that the units say, until containers run through them."""
import configparser
import glob
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import SKIPPED, TOP, bin_dir, skip_unless_root, until  # noqa: E402

UNITS = os.path.join(TOP, "deploy", "systemd")
UNPRIVILEGED = ["redis", "registry-proxy", "discovery", "gateway"]
SERVICES = [*UNPRIVILEGED, "engine"]  # in the order in which systemd starts them (After=)
MOST_EXPOSED = 20  # tenths, of systemd-analyze security
START_LIMIT = 30


def run(*command, check=True, timeout=120, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done


def settings(unit):
    """Those of a service or socket; of what is given several times the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(os.path.join(UNITS, "flotilla-" + unit))
    return dict(parser["Socket" if unit.endswith(".socket") else "Service"])


class Machine:
    """A root file system over this machine's, in namespaces of its own, into which Flotilla is installed."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fl-sd-", dir="/tmp")
        self.name = os.path.basename(self.folder)
        self.processes, self.holder, self.listener = {}, None, None
        for each in ("tree", "top", "lib"):
            os.makedirs(os.path.join(self.folder, each))
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        # /var/lib is a plain file system: the engine puts overlays on top of it.
        script = """set -e
            mount -t tmpfs tmpfs {0}/top
            mkdir {0}/top/upper {0}/top/work
            mount -t overlay overlay -o lowerdir=/,upperdir={0}/top/upper,workdir={0}/top/work {0}/tree
            cd {0}/tree
            mount --bind {0}/lib var/lib
            for each in proc sys dev; do mount --rbind /$each $each; done
            mount -t tmpfs tmpfs run
            mount -t tmpfs tmpfs tmp
            mkdir tmp/old tmp/flotilla tmp/bin
            mount --bind {1} tmp/flotilla
            mount --bind {2} tmp/bin
            pivot_root . tmp/old
            umount -l /tmp/old
            [ -e /usr/bin/redis-server ] || ln -s redis-check-rdb /usr/bin/redis-server
            echo ready
            exec sleep infinity""".format(self.folder, TOP, os.path.realpath(bin_dir()))
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                                       stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError("the machine cannot be made")

    def remove(self):
        for service in list(self.processes):
            self.stop(service, signal.SIGKILL)
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        if self.listener:
            self.listener.close()
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        run("ip", "netns", "del", self.name, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def inside(self, *command):
        return ["nsenter", "--mount=/proc/%d/ns/mnt" % self.holder.pid, "--net=/run/netns/" + self.name, "env", "-C", "/", *command]

    def run(self, *command, **options):
        return run(*self.inside(*command), **options)

    def path(self, path):
        return "/proc/%d/root%s" % (self.holder.pid, path)

    def shims(self):
        """Processes that run the program as it is installed here."""
        found = []
        for exe in glob.glob("/proc/[0-9]*/exe"):
            try:
                program = os.readlink(exe)
                if program == "/usr/lib/flotilla/flotilla-shim" and os.path.samefile(exe, self.path(program)):
                    found.append(int(exe.split("/")[2]))
            except OSError:
                continue
        return found

    # --- what systemd does with a unit

    def make_folders(self, unit, uid, gid):
        for kind, parent in (("RuntimeDirectory", "/run"), ("StateDirectory", "/var/lib")):
            if kind in unit:
                self.run("install", "-d", "-m", unit.get(kind + "Mode", "0755"), "-o", str(uid), "-g", str(gid),
                         os.path.join(parent, unit[kind]))

    def identity(self, unit):
        """(uid, gid) of the machine's own users, which systemd-sysusers made."""
        if "User" not in unit:
            return 0, 0
        return int(self.run("id", "-u", unit["User"]).stdout), int(self.run("id", "-g", unit["Group"]).stdout)

    def listening(self, service):
        """The socket of the service's socket unit, kept over its restarts; None without one."""
        if not os.path.exists(os.path.join(UNITS, "flotilla-%s.socket" % service)):
            return None
        if self.listener is None:
            unit = settings(service + ".socket")
            self.run("install", "-d", "-m", unit["DirectoryMode"], os.path.dirname(unit["ListenStream"]))
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path(unit["ListenStream"]))
            self.run("chgrp", unit["SocketGroup"], unit["ListenStream"])
            self.run("chmod", unit["SocketMode"], unit["ListenStream"])
            self.listener.listen(64)
        return self.listener

    def start(self, service):
        """Runs the unit's ExecStart line; returns once it has said READY=1."""
        unit = settings(service + ".service")
        uid, gid = self.identity(unit)
        self.make_folders(unit, uid, gid)
        command = shlex.split(unit["ExecStart"])
        if uid:
            command = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % gid, "--init-groups", "--no-new-privs",
                       "--bounding-set=-all", "--inh-caps=-all", *command]
        notify = "/run/notify-" + service
        environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": notify}
        listener = self.listening(service)
        passed = ()
        if listener:
            environment["LISTEN_FDS"] = "1"
            passed = (listener.fileno(),)
            # LISTEN_PID is the program's own pid: it replaces the shell.
            command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@" 3<&%d' % passed[0], "sh", *command]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, open(self.log(service), "ab") as log:
            self.run("rm", "-f", notify)
            notices.bind(self.path(notify))
            os.chmod(self.path(notify), 0o777)
            notices.settimeout(START_LIMIT)
            self.processes[service] = subprocess.Popen(self.inside(*command), env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                                       stderr=log, pass_fds=passed, start_new_session=True)
            try:
                while b"READY=1" not in notices.recv(4096).split(b"\n"):
                    pass
            except socket.timeout:
                raise AssertionError("%s did not say READY=1:\n%s" % (service, self.words(service))) from None
        return uid

    def stop(self, service, how=signal.SIGTERM):
        """As KillMode=process does: the main process alone."""
        process = self.processes.pop(service)
        process.send_signal(how)
        return process.wait(40)

    def log(self, service):
        return os.path.join(self.folder, service + ".log")

    def words(self, service):
        with open(self.log(service), encoding="utf-8", errors="replace") as text:
            return "".join(text.readlines()[-20:])

    def docker(self, *arguments, **options):
        return self.run("env", "DOCKER_HOST=unix://" + settings("gateway.socket")["ListenStream"], "docker", *arguments, **options)


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        cls.addClassCleanup(cls.machine.remove)
        cls.machine.run("/tmp/flotilla/deploy/systemd/install", "/tmp/bin")

    def test_systemd_understands_the_units(self):
        units = [os.path.basename(path) for path in sorted(glob.glob(UNITS + "/*.service") + glob.glob(UNITS + "/*.socket"))]
        self.assertEqual(len(units), 6)
        checked = self.machine.run("systemd-analyze", "verify", "--man=no", *("/usr/lib/systemd/system/" + unit for unit in units))
        self.assertEqual([line for line in checked.stderr.splitlines() if "flotilla" in line], [])
        for service in UNPRIVILEGED:
            rated = self.machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=%d" % MOST_EXPOSED,
                                     "/usr/lib/systemd/system/flotilla-%s.service" % service, check=False)
            self.assertEqual(rated.returncode, 0, rated.stdout[-200:] + rated.stderr)

    def test_containers_run_by_the_exec_start_lines(self):
        machine = self.machine
        users = {service: machine.start(service) for service in SERVICES}
        self.assertEqual(users["engine"], 0)
        self.assertEqual(len({users[service] for service in UNPRIVILEGED} - {0}), len(UNPRIVILEGED), users)
        self.no_right_is_left()
        machine.run("/tmp/flotilla/scripts/make-image", "--tag", "busybox:latest", "--output", "/tmp/image.tar")
        machine.docker("load", "-q", "-i", "/tmp/image.tar")
        self.assertEqual(machine.docker("run", "--rm", "busybox", "echo", "hello").stdout, "hello\n")
        machine.docker("run", "-d", "--name", "keeper", "busybox", "sh", "-c", "while :; do echo here; sleep 0.1; done")
        pid = int(machine.docker("inspect", "-f", "{{.State.Pid}}", "keeper").stdout)
        self.assertEqual(settings("engine.service")["KillMode"], "process")
        for service in SERVICES:
            machine.stop(service)
            self.assertTrue(os.path.exists("/proc/%d" % pid), "the container has ended with " + service)
            machine.start(service)
        until(lambda: machine.docker("ps", "-q", check=False).stdout, 30, lambda: "the API answers again: " + machine.words("gateway"))
        self.assertEqual(machine.docker("exec", "keeper", "echo", "again").stdout, "again\n")
        # Only the registry proxy says so: it was asked.
        self.assertIn("127.0.0.1:1: connect: connection refused", machine.docker("pull", "127.0.0.1:1/nothing", check=False).stderr)
        machine.docker("rm", "-f", "keeper")
        for service in reversed(SERVICES):
            self.assertEqual(machine.stop(service), 0, machine.words(service))
        self.assertEqual(machine.shims(), [])

    def no_right_is_left(self):
        for service in UNPRIVILEGED:
            with open("/proc/%d/status" % self.machine.processes[service].pid, encoding="ascii") as status:
                facts = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
            self.assertEqual({facts[each] for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16}, service)
            self.assertEqual(facts["NoNewPrivs"], "1", service)
            # Nobody reads another's key.
            for other in SERVICES:
                readable = self.machine.run("setpriv", "--reuid=" + facts["Uid"].split()[0], "--regid=" + facts["Gid"].split()[0],
                                            "--clear-groups", "test", "-r", "/etc/flotilla/%s/key.pem" % other, check=False)
                self.assertEqual(readable.returncode == 0, other == service, (service, other))


if __name__ == "__main__":
    skip_unless_root()
    for needed in ("systemd-analyze", "systemd-sysusers", "setpriv", "docker", "openssl", "redis-check-rdb"):
        if not shutil.which(needed):
            print("SKIP: there is no " + needed)
            sys.exit(SKIPPED)
    unittest.main(verbosity=2)
