"""Redis, engine workers and gateways as processes of their own, as one endpoint for tests."""
import os
import shutil
import signal
import socket
import subprocess
import time

from harness import ApiError, Daemon, bin_dir

REDIS = shutil.which("redis-server")


class Apart(Daemon):
    """What Daemon is, made of services: calls go to the first gateway. Append-only Redis unless told otherwise."""

    def __init__(self, workers=2, gateways=1, append_only=True, worker_options=()):
        super().__init__()
        self.worker_count, self.gateway_count, self.append_only = workers, gateways, append_only
        self.worker_options = list(worker_options)
        self.redis = None
        self.workers, self.gateways = [None] * workers, [None] * gateways
        self.redis_socket = os.path.join(self.folder, "redis.sock")
        self.key = os.path.join(self.folder, "cluster.key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as key:
            key.write(os.urandom(32))
        self.engine_id = "engine-%d" % os.getpid()
        self.queue = ["--queue", "unix://" + self.redis_socket, "--cluster", "test", "--cluster-key", self.key]

    def print_log(self, lines=40):
        super().print_log(lines)

    def spawn(self, *command):
        with open(self.log, "ab") as log:
            return subprocess.Popen(["nsenter", "--net=/run/netns/" + self.netns, *command], stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log, start_new_session=True)

    # --- the services

    def start(self, timeout=30):
        """Whatever does not run is started; returns when the endpoint answers."""
        if self.redis is None or self.redis.poll() is not None:
            self.start_redis()
        for number in range(self.worker_count):
            self.start_worker(number)
        for number in range(self.gateway_count):
            self.start_gateway(number)
        self.process = self.gateways[0]
        self.ready(timeout)

    def ready(self, timeout=30):
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.call("GET", "/containers/json", timeout=15)
                return
            except (OSError, ApiError) as problem:
                if time.monotonic() > deadline:
                    self.print_log()
                    raise RuntimeError("the services did not answer within %d s: %s" % (timeout, problem)) from problem
                time.sleep(0.05)

    def start_redis(self):
        self.redis = self.spawn(REDIS, "--port", "0", "--unixsocket", self.redis_socket, "--dir", self.folder, "--save",
                                "", "--appendonly", "yes" if self.append_only else "no", "--appendfsync", "always",
                                "--loglevel", "warning")

    def kill_redis(self, with_data=True):
        self.redis.kill()
        self.redis.wait()
        if not with_data:
            shutil.rmtree(os.path.join(self.folder, "appendonlydir"), ignore_errors=True)

    def start_worker(self, number):
        if self.workers[number] is None or self.workers[number].poll() is not None:
            self.workers[number] = self.spawn(
                os.path.join(bin_dir(), "flotilla-engine"), *self.queue, "--engine-id", self.engine_id, "--data-root",
                self.root, "--exec-root", self.run_dir, "--drain", "5", "--metrics", "unix://" + self.metrics_socket(number),
                *self.worker_options)

    def kill_worker(self, number, with_signal=signal.SIGKILL):
        self.workers[number].send_signal(with_signal)
        return self.workers[number].wait(30)

    def gateway_socket(self, number):
        return self.socket if number == 0 else "%s.%d" % (self.socket, number)

    def start_gateway(self, number):
        if self.gateways[number] is None or self.gateways[number].poll() is not None:
            self.gateways[number] = self.spawn(
                os.path.join(bin_dir(), "flotilla-api-gateway"), *self.queue, "--engine", self.engine_id, "-H",
                "unix://" + self.gateway_socket(number))
            self.process = self.gateways[0]

    def kill_gateway(self, number):
        self.gateways[number].kill()
        self.gateways[number].wait()

    def stop(self, timeout=30):
        running = [process for process in [*self.gateways, *self.workers] if process and process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(timeout)

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.start()  # what a test left ended: the clean-up needs it
            super().__exit__(kind, value, trace)
        finally:
            for process in [*self.gateways, *self.workers, self.redis]:
                if process and process.poll() is None:
                    process.kill()
                    process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what they say

    def metrics_socket(self, number):
        return os.path.join(self.folder, "metrics-%d.sock" % number)

    def metric(self, line):
        """The sum over all workers."""
        total = 0.0
        for number in range(self.worker_count):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(10)
                connection.connect(self.metrics_socket(number))
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n")
                text = b""
                while piece := connection.recv(65536):
                    text += piece
            total += sum(float(row.split()[-1]) for row in text.decode().splitlines() if row.startswith(line + " "))
        return total

    def redis_command(self, *arguments):
        """One command, its raw reply."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.redis_socket)
            parts = [part if isinstance(part, bytes) else str(part).encode() for part in arguments]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            return connection.recv(65536)
