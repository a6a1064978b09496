#!/usr/bin/env python3
"""What a cluster of two hosts refuses, and says so: certificates of another cluster, guessed and replayed tickets,
forged jobs of Redis users with and without rights, and a cloned host."""
import hashlib
import hmac
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from cluster import CERTS, CLUSTER, REDIS, Cluster  # noqa: E402
from harness import SKIPPED, in_namespace, skip_unless_root, until  # noqa: E402

KEYS = "flotilla:{%s}:" % CLUSTER


def field(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"%d:%s," % (len(data), data)


def job_text(engine, gateway, name, args=(), env=None, body="{}", lifetime=30000, identifier=None):
    """As libs/common/queue/job_message.h has it."""
    env = env or {}
    parts = ["job1", engine, gateway, int(time.time() * 1000), lifetime, identifier or os.urandom(16).hex(), name, "", 1, 51,
             len(args), *args, len(env), *(part for pair in sorted(env.items()) for part in pair), body]
    return b"".join(field(part) for part in parts)


def fields_of(text):
    found = []
    while text:
        size, rest = text.split(b":", 1)
        found.append(rest[:int(size)])
        text = rest[int(size) + 1:]
    return found


class Refused(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(hosts=3)
        cls.clone = cls.cluster.engines.pop()  # a host without a service of its own
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.foreign = os.path.join(cls.cluster.folder, "foreign")
        subprocess.run([CERTS, "init", cls.foreign, CLUSTER], check=True, stdout=subprocess.DEVNULL)

    def setUp(self):
        self.engine = self.cluster.engines[0]
        self.cluster.ready()

    def engine_id(self, engine):
        return self.cluster.hosts()[engine.name]["ID"]

    def key(self):
        with open(self.cluster.secret("cluster.key"), "rb") as key:
            return key.read()

    def mac(self, text, key=None):
        return hmac.new(key or self.key(), b"flotilla job\0" + text, hashlib.sha256).digest()

    def push(self, engine, text, mac, user="gateway"):
        """XADD as a Redis user; its answer."""
        with self.redis(user) as connection:
            return self.command(connection, b"XADD", (KEYS + "jobs:" + engine).encode(), b"NOMKSTREAM", b"*", b"job", text,
                                b"mac", mac)

    def tls(self, files, ca=None):
        context = ssl.create_default_context(cafile=ca or self.cluster.secret("ca.pem"))
        if files:
            context.load_cert_chain(*files)
        return context

    def connect(self, host, port, context):
        plain = in_namespace(self.cluster.centre.netns, lambda: socket.create_connection((host, port), 10))
        return context.wrap_socket(plain, server_hostname=host)

    def redis(self, user):
        connection = self.connect(self.cluster.centre.address, 6379, self.tls(self.cluster.certificate("client", "tester")))
        with open(self.cluster.secret("redis-%s.password" % user), "rb") as word:
            answer = self.command(connection, b"AUTH", user.encode(), word.read().strip())
        self.assertTrue(answer.startswith(b"+OK"), answer)
        return connection

    @staticmethod
    def command(connection, *parts):
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return connection.recv(1 << 20)

    def metric(self, engine, line):
        total = 0.0
        for number in range(engine.count):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(10)
                connection.connect(engine.metrics_socket(number))
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n")
                text = b""
                while piece := connection.recv(65536):
                    text += piece
            total += sum(float(row.split()[-1]) for row in text.decode().splitlines() if row.startswith(line + " "))
        return total

    def refused_jobs(self, reason):
        return self.metric(self.engine, 'flotilla_queue_refused_jobs_total{reason="%s"}' % reason)

    # --- jobs

    def test_forged_jobs_of_a_redis_user_with_rights(self):
        engine = self.engine_id(self.engine)
        create = job_text(engine, "nobody", "container_create", env={"id": "f" * 64}, body='{"Image":"busybox"}')
        def waiting():
            return int(self.cluster.redis_command("XLEN", KEYS + "jobs:" + engine))

        length = waiting()  # jobs that last, as the gateway's look at events
        before = self.refused_jobs("forged")
        macs = [b"", b"\0" * 32, os.urandom(32), self.mac(create, os.urandom(32)), self.mac(create + b" ")]
        for mac in macs:
            self.assertTrue(self.push(engine, create, mac).startswith(b"$"))
        until(lambda: self.refused_jobs("forged") == before + len(macs), 10, "every forged job is refused and counted")
        self.assertEqual(self.cluster.get("/containers/json?all=1"), [])
        self.assertIn("a job was refused", self.engine.log())
        until(lambda: waiting() <= length, 10, "they are gone from the queue")

    def test_signed_jobs_for_another_engine_or_too_late(self):
        engine, other = (self.engine_id(each) for each in self.cluster.engines)
        foreign = job_text(other, "nobody", "container_list")
        before = self.refused_jobs("foreign")
        self.push(engine, foreign, self.mac(foreign))
        until(lambda: self.refused_jobs("foreign") == before + 1, 10, "a job of another engine is refused")
        late = job_text(engine, "nobody", "container_list", lifetime=0)
        before = self.refused_jobs("expired")
        self.push(engine, late, self.mac(late))
        until(lambda: self.refused_jobs("expired") == before + 1, 10, "a job past its time is refused")

    def test_redis_users_without_rights(self):
        engine = self.engine_id(self.engine)
        text = job_text(engine, "nobody", "container_list")
        self.assertIn(b"NOPERM", self.push(engine, text, self.mac(text), user="engine"))
        for user, *command in (("gateway", "GET", KEYS + "jobs:" + engine),
                               ("gateway", "SET", KEYS + "owner:" + engine, "me"), ("gateway", "SET", KEYS + "hosts:x", "me"),
                               ("engine", "BLMPOP", "1", "1", KEYS + "reply:x", "LEFT"), ("engine", "KEYS", "*"),
                               ("gateway", "CONFIG", "GET", "*"), ("engine", "SET", "elsewhere", "x"),
                               ("engine", "PUBLISH", KEYS + "cancel:" + engine, "x"), ("gateway", "FLUSHALL")):
            with self.redis(user) as connection:
                self.assertIn(b"NOPERM", self.command(connection, *(part.encode() for part in command)), (user, command))
        with self.connect(self.cluster.centre.address, 6379, self.tls(self.cluster.certificate("client", "tester"))) as connection:
            self.assertIn(b"NOAUTH", self.command(connection, b"PING"))
        self.cluster.redis_command("ACL", "LOG", "RESET")

    # --- certificates and tickets

    def ticket(self):
        """The stream of an exec, as a gateway is told of it: (port, ticket). The job is ours, signed with the real key."""
        container = self.cluster.launch("sleep 1000")
        self.addCleanup(self.cluster.remove, container)
        engine = next(each for each in self.cluster.engines if each.name == self.cluster.node_of(container))
        executed = json.loads(self.cluster.call("POST", "/containers/%s/exec" % container,
                                                {"Cmd": ["echo", "streamed"], "AttachStdout": True}))["Id"]
        gateway = os.urandom(8).hex()
        text = job_text(self.engine_id(engine), gateway, "exec_start", [executed], body="{}")
        self.push(self.engine_id(engine), text, self.mac(text))
        with self.redis("gateway") as connection:
            answer = self.command(connection, b"BLMPOP", b"10", b"1", (KEYS + "reply:" + gateway).encode(), b"LEFT")
        reply = answer[answer.index(b"6:reply1,"):].rsplit(b"\r\n", 1)[0]
        fields = [part.decode() for part in fields_of(reply)]
        address = next(part for part in fields if part.startswith("tls:"))
        return engine, int(address.rsplit(":", 1)[1]), fields[fields.index(address) + 1]

    def show(self, engine, port, ticket):
        """What the stream port answers to a ticket; b"" when it hangs up."""
        with self.connect(engine.host.address, port, self.tls(self.cluster.certificate("gateway", self.cluster.centre.address))) as port:
            port.settimeout(15)
            port.sendall(ticket.encode() + b"\n")
            received = b""
            try:
                while piece := port.recv(65536):
                    received += piece
            except ConnectionResetError:
                pass
            return received

    def test_a_ticket_is_good_once(self):
        engine, port, ticket = self.ticket()
        self.assertIn(b"streamed", self.show(engine, port, ticket))
        self.assertEqual(self.show(engine, port, ticket), b"", "replayed")
        self.assertEqual(self.show(engine, port, os.urandom(16).hex()), b"", "guessed")
        until(lambda: engine.log().count("ticket that is void") >= 2, 10, "both are logged")

    def test_streams_want_a_certificate_of_the_cluster(self):
        address = self.engine.host.address
        theirs = self.cluster.certificate("gateway", self.cluster.centre.address, self.foreign)
        for files in (None, theirs):
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                with self.connect(address, 2374, self.tls(files)) as port:
                    port.settimeout(10)
                    port.sendall(b"0" * 32 + b"\n")  # TLS 1.3: the server's refusal comes with the first read
                    if not port.recv(10):
                        raise ConnectionResetError
        until(lambda: "certificate" in self.engine.log(), 10, "the refusal is logged")
        with self.assertRaises(ssl.SSLError):
            self.connect(address, 2374, self.tls(theirs, os.path.join(self.foreign, "ca.pem")))

    def test_a_worker_with_another_clusters_certificates(self):
        clone = self.clone
        theirs = self.cluster.certificate("engine", clone.host.address, self.foreign)
        command = clone.command(0, certificate=theirs)
        command[command.index("--queue") + 1] = command[command.index("--queue") + 1].replace(
            self.cluster.certificate("engine", clone.host.address)[0], theirs[0]).replace(
                self.cluster.certificate("engine", clone.host.address)[1], theirs[1])
        clone.host.start(clone.services[0], *command)
        try:
            until(lambda: "certificate" in clone.log() or "tls" in clone.log().lower(), 15, "the worker says why it cannot serve")
            healthy = {name for name, status in self.cluster.statuses().items() if status == "Healthy"}
            self.assertEqual(healthy, {engine.name for engine in self.cluster.engines})
        finally:
            clone.host.stop(clone.services[0])
            shutil.rmtree(clone.host.root, ignore_errors=True)

    # --- hosts

    def test_a_cloned_host(self):
        clone = self.clone
        os.makedirs(clone.host.root, exist_ok=True)
        shutil.copy(os.path.join(self.engine.host.root, "engine-id"), clone.host.root)
        clone.host.start(clone.services[0], *clone.command(0))
        try:
            process = clone.host.processes[clone.services[0]]
            until(lambda: process.poll() is not None, 20, "the clone's worker ends")
            self.assertNotEqual(process.returncode, 0)
            self.assertIn("served by another host", clone.log())
            address = clone.host.address + ":2374"

            def shown():
                rows = self.cluster.hosts()
                return [row for row in rows.values() if row["Address"] == address and "another host" in row.get("Error", "")]

            until(shown, 20, lambda: "the reason is shown: %s" % self.cluster.hosts())
            self.assertEqual(shown()[0]["Status"], "Pending")
            self.assertEqual(self.cluster.statuses()[self.engine.name], "Healthy")
            self.cluster.remove(self.cluster.create("true"))
        finally:
            clone.host.stop(clone.services[0])
            shutil.rmtree(clone.host.root, ignore_errors=True)


if __name__ == "__main__":
    skip_unless_root()
    if not REDIS:
        print("SKIP: redis-server is not installed")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2, warnings="ignore")
