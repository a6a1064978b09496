"""A daemon of its own for a test, in a network namespace and folders of its own, and plain calls of its API."""
import ctypes
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SKIPPED = 77
IMAGE = "busybox:latest"
sys.path.insert(0, os.path.join(TOP, "tests"))


def bin_dir():
    """Where flotilla and flotilla-shim were built: FLO_BIN, or the ci preset's."""
    return os.environ.get("FLO_BIN", os.path.join(TOP, "build", "ci", "bin"))


def skip_unless_root():
    if os.getuid() != 0:
        print("SKIP: root is needed to run containers")
        sys.exit(SKIPPED)


def is_full():
    return bool(os.environ.get("FLO_TEST_FULL"))


def docker_clis():
    """The system's docker CLI (FLO_DOCKER names another) and those in FLO_DOCKER_CLIS, colon separated."""
    system = shutil.which(os.environ.get("FLO_DOCKER", "docker"))
    named = [cli for cli in os.environ.get("FLO_DOCKER_CLIS", "").split(":") if cli]
    return list(dict.fromkeys(([system] if system else []) + named))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("flotilla", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__("%d: %s" % (status, message))
        self.status = status


class Daemon:
    """`flotilla daemon` under test. Use as a context manager: its end removes everything it made."""

    numbers = itertools.count(1)

    def __init__(self, hosts=(), options=()):
        self.folder = tempfile.mkdtemp(prefix="fl-", dir="/tmp")
        self.netns = "flo-test-%d-%d" % (os.getpid(), next(Daemon.numbers))
        self.socket = os.path.join(self.folder, "flotilla.sock")
        self.host = "unix://" + self.socket
        self.root = os.path.join(self.folder, "root")
        self.run_dir = os.path.join(self.folder, "r")  # short: socket paths end at 107 bytes
        self.log = os.path.join(self.folder, "daemon.log")
        self.command = ["nsenter", "--net=/run/netns/" + self.netns, os.path.join(bin_dir(), "flotilla"), "daemon",
                        "--data-root", self.root, "--exec-root", self.run_dir, "-H", self.host,
                        "--pidfile", os.path.join(self.folder, "pid")]
        for host in hosts:
            self.command += ["-H", host]
        self.command += options
        self.process = None

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        subprocess.run(["ip", "-n", self.netns, "link", "set", "lo", "up"], check=True)
        try:
            self.start()
            self.load_image()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if self.process and self.process.poll() is not None:
                self.start()
            if self.process:
                for container in self.get("/containers/json?all=1"):
                    self.call("DELETE", "/containers/%s?force=1&v=1" % container["Id"])
                self.stop()
        except (OSError, ApiError, RuntimeError) as problem:
            print("while ending the daemon: %s" % problem)
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if kind is not None:
                self.print_log()
            subprocess.run(["ip", "netns", "del", self.netns], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)

    def print_log(self, lines=40):
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8", errors="replace") as text:
                print("--- the daemon's last words\n" + "".join(text.readlines()[-lines:]) + "---")

    def start(self, timeout=20):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.call("GET", "/_ping", timeout=5)
                return
            except (OSError, http.client.HTTPException, ApiError):
                if self.process.poll() is not None:
                    self.print_log()
                    raise RuntimeError("the daemon ended with %d" % self.process.returncode)
                if time.monotonic() > deadline:
                    self.print_log()
                    raise RuntimeError("the daemon did not answer within %d s" % timeout)
                time.sleep(0.02)

    def stop(self, timeout=20):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def load_image(self):
        archive = os.path.join(self.folder, "image.tar")
        subprocess.run([sys.executable, os.path.join(TOP, "scripts", "make-image"), "--tag", IMAGE, "--output", archive,
                        "--config", '{"Labels": {"flotilla.test": "1"}}'], check=True)
        with open(archive, "rb") as content:
            answer = self.call("POST", "/images/load?quiet=1", body=content.read(), content_type="application/x-tar")
        if b"error" in answer:
            raise RuntimeError("loading the test image: %s" % answer.decode())

    # --- the API

    def connection(self, timeout=60):
        return UnixConnection(self.socket, timeout)

    def request(self, method, path, body=None, content_type="application/json", timeout=60):
        """(status, body)."""
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, content_type="application/json", timeout=60):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        status, answer = self.request(method, path, body, content_type, timeout)
        if status >= 300 and status != 304:
            raise ApiError(status, answer.decode(errors="replace"))
        return answer

    def get(self, path):
        return json.loads(self.call("GET", path))

    def create(self, command, name="", host_config=None, **config):
        body = {"Image": IMAGE, "Cmd": ["sh", "-c", command], "HostConfig": {"NetworkMode": "none", **(host_config or {})}}
        body.update(config)
        return json.loads(self.call("POST", "/containers/create" + ("?name=" + name if name else ""), body))["Id"]

    def start_container(self, container):
        self.call("POST", "/containers/%s/start" % container)

    def launch(self, command, **options):
        container = self.create(command, **options)
        self.start_container(container)
        return container

    def wait(self, container, condition="not-running", timeout=60):
        return json.loads(self.call("POST", "/containers/%s/wait?condition=%s" % (container, condition),
                                    timeout=timeout))["StatusCode"]

    def inspect(self, container):
        return self.get("/containers/%s/json" % container)

    def remove(self, container):
        self.call("DELETE", "/containers/%s?force=1&v=1" % container)

    def logs(self, container):
        """stdout of a container that has no terminal, as bytes."""
        return demultiplex(self.call("GET", "/containers/%s/logs?stdout=1" % container, timeout=300))

    def open(self, method, path, body=b"", upgrade=False, timeout=60):
        """A raw connection after its response header: (socket, first bytes, status)."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(self.socket)
        head = "%s %s HTTP/1.1\r\nHost: f\r\nContent-Length: %d\r\n" % (method, path, len(body))
        head += "Content-Type: application/json\r\n" if body else ""
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
        connection.sendall((head + "\r\n").encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("closed before the response header: %r" % received)
            received += piece
        header, rest = received.split(b"\r\n\r\n", 1)
        return connection, rest, int(header.split()[1])

    # --- the docker CLI

    def docker(self, *arguments, timeout=120, **options):
        environment = {**os.environ, "DOCKER_HOST": self.host}
        return subprocess.run([os.environ.get("FLO_DOCKER", "docker"), *arguments], env=environment, timeout=timeout,
                              capture_output=True, check=False, **options)

    # --- its process

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.process.pid))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))


def demultiplex(data, stream=1):
    """The bytes of one stream out of Docker's 8-byte frames."""
    out, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4:at + 8], "big")
        if data[at] == stream:
            out.append(data[at + 8:at + 8 + size])
        at += 8 + size
    return b"".join(out)


def in_namespace(name, make):
    """What `make` returns when a thread of its own runs it in the network namespace: sockets made there stay there."""
    result = []

    def run():
        with open("/run/netns/" + name, "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        result.append(make())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


def until(condition, timeout, message):
    """Waits for something to come true; the deadline is a failure."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within %g s: %s" % (timeout, message() if callable(message) else message))
        time.sleep(0.02)
