"""Hosts of a cluster on one machine: network namespaces with addresses, folders and identities of their own, on one
switch. Services are started in them as on real hosts; a host can be cut off and joined again."""
import itertools
import os
import shutil
import signal
import subprocess
import tempfile

from harness import bin_dir


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


class Host:
    """One namespace on the switch. Its processes end with it."""

    def __init__(self, network, number):
        self.network = network
        self.name = "node-%d" % number
        self.netns = "%s-%d" % (network.prefix, number)
        self.address = "10.77.0.%d" % (10 + number)
        self.port = "%s%d" % (network.link_prefix, number)  # on the switch
        self.folder = os.path.join(network.folder, "h%d" % number)
        self.root = os.path.join(self.folder, "root")
        self.run_dir = os.path.join(self.folder, "r")  # short: socket paths end at 107 bytes
        self.processes = {}
        os.makedirs(self.folder)

    def join(self):
        ip("netns", "add", self.netns)
        ip("-n", self.netns, "link", "set", "lo", "up")
        ip("-n", self.network.netns, "link", "add", self.port, "type", "veth", "peer", "name", "eth0",
           "netns", self.netns)
        ip("-n", self.network.netns, "link", "set", self.port, "master", "switch", "up")
        ip("-n", self.netns, "address", "add", self.address + "/24", "dev", "eth0")
        ip("-n", self.netns, "link", "set", "eth0", "up")
        ip("-n", self.netns, "route", "add", "default", "via", self.network.address)

    def cut(self):
        """Nothing reaches the host any more; its own processes do not notice."""
        ip("-n", self.network.netns, "link", "set", self.port, "down")

    def heal(self):
        ip("-n", self.network.netns, "link", "set", self.port, "up")

    def start(self, service, *command, environment=None):
        """Starts a program of the build (or of the path) on this host; its words go to <service>.log."""
        program = os.path.join(bin_dir(), command[0])
        arguments = [program if os.path.exists(program) else command[0], *command[1:]]
        with open(self.log_of(service), "ab") as log:
            self.processes[service] = subprocess.Popen(
                ["nsenter", "--net=/run/netns/" + self.netns, *arguments], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env={**os.environ, **(environment or {})})
        return self.processes[service]

    def log_of(self, service):
        return os.path.join(self.folder, service + ".log")

    def stop(self, service, how=signal.SIGTERM, timeout=20):
        process = self.processes.pop(service)
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def leave(self):
        for service in list(self.processes):
            try:
                self.stop(service)
            except subprocess.TimeoutExpired:
                print("%s on %s had to be killed" % (service, self.name))
        ip("netns", "del", self.netns, check=False)


class Network:
    """A switch with hosts on it, in a namespace of its own. Use as a context manager: its end removes everything."""

    numbers = itertools.count(1)

    def __init__(self, hosts=2):
        number = next(Network.numbers)
        self.folder = tempfile.mkdtemp(prefix="fh-", dir="/tmp")
        self.prefix = "flo-net-%d-%d" % (os.getpid(), number)
        self.link_prefix = "fl%d-%d-" % (os.getpid() % 100000, number)  # link names end at 15 characters
        self.netns = self.prefix
        self.address = "10.77.0.1"
        self.hosts = [Host(self, index + 1) for index in range(hosts)]

    def __enter__(self):
        try:
            ip("netns", "add", self.netns)
            ip("-n", self.netns, "link", "set", "lo", "up")
            ip("-n", self.netns, "link", "add", "switch", "type", "bridge")
            ip("-n", self.netns, "address", "add", self.address + "/24", "dev", "switch")
            ip("-n", self.netns, "link", "set", "switch", "up")
            for host in self.hosts:
                host.join()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for host in self.hosts:
            if kind is not None:
                self.print_logs(host)
            host.leave()
        ip("netns", "del", self.netns, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def print_logs(host, lines=30):
        for service in host.processes:
            with open(host.log_of(service), encoding="utf-8", errors="replace") as text:
                print("--- %s of %s\n%s---" % (service, host.name, "".join(text.readlines()[-lines:])))
