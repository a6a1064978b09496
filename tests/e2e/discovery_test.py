#!/usr/bin/env python3
"""The discovery service and its clients: protocol, lifetimes, kill -9, TLS, `flotilla swarm create|list|join`."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import bin_dir, until  # noqa: E402


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Discovery(unittest.TestCase):
    options = ()
    scheme = "http"

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fl-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.port = free_port()
        self.base = "%s://127.0.0.1:%d/v1" % (self.scheme, self.port)
        self.process = None
        self.addCleanup(self.stop)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(bin_dir(), "flotilla-discovery"), "-H", "tcp://127.0.0.1:%d" % self.port, "--state-folder",
             os.path.join(self.folder, "state"), *self.options], stderr=subprocess.DEVNULL)
        until(self.answers, 20, "the service answers")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            self.assertIsNone(self.process.poll(), "the service ended")
            return False

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def flotilla(self, *arguments, timeout=30):
        return subprocess.run([os.path.join(bin_dir(), "flotilla"), "swarm", *arguments], capture_output=True, text=True,
                              timeout=timeout, check=False)


class Plain(Discovery):
    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def create(self):
        status, token = self.call("POST", "/v1/clusters")
        self.assertEqual(status, 200)
        self.assertRegex(token, "^[0-9a-f]{32}$")
        return token

    def list(self, token):
        return json.loads(self.call("GET", "/v1/clusters/" + token)[1])

    def test_protocol(self):
        token = self.create()
        self.assertEqual(self.list(token), [])
        for entry in ("b:2375", "10.0.0.1:2375", "[::1]:2375"):
            self.assertEqual(self.call("POST", "/v1/clusters/%s?ttl=60" % token, entry)[0], 200)
        self.assertEqual(self.list(token), ["b:2375", "10.0.0.1:2375", "[::1]:2375"])
        self.assertNotEqual(self.create(), token)
        self.assertIn("flotilla_discovery_entries 3", self.call("GET", "/metrics")[1])
        self.assertEqual(self.call("DELETE", "/v1/clusters/" + token)[0], 200)
        self.assertEqual(self.call("GET", "/v1/clusters/" + token)[0], 404)

    def test_entries_expire(self):
        token = self.create()
        self.call("POST", "/v1/clusters/%s?ttl=1" % token, "short:1")
        self.call("POST", "/v1/clusters/%s?ttl=100" % token, "long:1")
        until(lambda: self.list(token) == ["long:1"], 5, "the short one is gone")

    def test_bad_input(self):
        token = self.create()
        for path, body in (("?ttl=60", ""), ("?ttl=60", "no-port"), ("?ttl=60", '"quoted:1"'), ("?ttl=0", "a:1"), ("?ttl=-1", "a:1"),
                           ("?ttl=x", "a:1"), ("?ttl=99999999999", "a:1"), ("?ttl=60", "a" * 900 + ":1"), ("?ttl=60", "a" * 5000)):
            self.assertEqual(self.call("POST", "/v1/clusters/" + token + path, body)[0], 400, (path, body[:20]))
        self.assertEqual(self.call("POST", "/v1/clusters/" + "0" * 32 + "?ttl=1", "a:1")[0], 404)
        self.assertEqual(self.call("GET", "/v1/clusters")[0], 405)
        self.assertEqual(self.call("PUT", "/v1/clusters/" + token)[0], 405)
        self.assertEqual(self.call("GET", "/")[0], 404)
        self.assertEqual(self.list(token), [])

    def test_killed_and_back(self):
        token = self.create()
        self.stop(signal.SIGKILL)  # at once: the token was told, so it must be there
        self.start()
        self.call("POST", "/v1/clusters/%s?ttl=60" % token, "a:1")
        self.stop()
        self.start()
        self.assertEqual(self.list(token), ["a:1"])

    def test_swarm_verbs(self):
        created = self.flotilla("create", "--service", self.base)
        self.assertEqual(created.returncode, 0, created.stderr)
        url = "token+http://127.0.0.1:%d/v1/%s" % (self.port, created.stdout.strip())
        joining = subprocess.Popen([os.path.join(bin_dir(), "flotilla"), "swarm", "join", "--advertise", "10.1.1.1:2375", "--heartbeat",
                                    "1s", "--ttl", "3s", url], stdout=subprocess.DEVNULL)
        try:
            until(lambda: self.flotilla("list", url).stdout == "10.1.1.1:2375\n", 10, "the host is listed")
        finally:
            joining.terminate()
            joining.wait(10)
        until(lambda: self.flotilla("list", url).stdout == "", 10, "the host that left is gone")
        refusals = [(("join", url), "missing mandatory --advertise flag"),
                    (("join", "--advertise", "x", url), "--advertise should be of the form ip:port or hostname:port"),
                    (("join", "--advertise", "a:1", "--heartbeat", "500s", url), "--ttl must be strictly superior to the heartbeat value"),
                    (("join", "--advertise", "a:1", "--heartbeat", "0.5s", url), "--heartbeat should be at least one second"),
                    (("list",), "discovery required to list a cluster"),
                    (("list", "--timeout", "0s", url), "--timeout should be a positive number"),
                    (("list", "what://x"), "discovery service not supported"),
                    (("list", "token://"), "token is empty"),
                    (("list", url + "0"), "Discovery service returned 404 HTTP status code")]
        for arguments, words in refusals:
            answer = self.flotilla(*arguments)
            self.assertEqual(answer.returncode, 1, arguments)
            self.assertIn(words, answer.stderr, arguments)
        self.assertEqual(self.flotilla("list", "nodes://a:1,b:[2:3]").stdout, "a:1\nb:2\nb:3\n")


class MutualTls(Discovery):
    scheme = "https"

    def setUp(self):
        self.certs = tempfile.mkdtemp(prefix="fl-certs-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.certs, ignore_errors=True)
        os.chmod(self.certs, 0o755)
        self.make("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem")
        for name in ("server", "client"):
            self.make("openssl req -newkey rsa:2048 -nodes -subj /CN=%s -keyout %s.key -out %s.csr" % (name, name, name))
            with open(os.path.join(self.certs, name + ".ext"), "w", encoding="ascii") as extension:
                extension.write("subjectAltName=IP:127.0.0.1\n")
            self.make("openssl x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -in %s.csr -extfile %s.ext -out %s.pem" %
                      (name, name, name))
        self.options = ("--tlscacert", self.file("ca.pem"), "--tlscert", self.file("server.pem"), "--tlskey", self.file("server.key"))
        super().setUp()

    def file(self, name):
        return os.path.join(self.certs, name)

    def make(self, command):
        subprocess.run(command.split(), cwd=self.certs, check=True, capture_output=True)

    def test_only_with_a_certificate(self):
        mine = ("--tlscacert", self.file("ca.pem"), "--tlscert", self.file("client.pem"), "--tlskey", self.file("client.key"))
        created = self.flotilla("create", "--service", self.base, *mine)
        self.assertEqual(created.returncode, 0, created.stderr)
        url = "token://127.0.0.1:%d/v1/%s" % (self.port, created.stdout.strip())
        self.assertEqual(self.flotilla("list", *mine, url).returncode, 0)
        self.assertEqual(self.flotilla("list", *mine[:2], url).returncode, 1)  # no certificate
        self.assertEqual(self.flotilla("list", *mine[2:], url).returncode, 1)  # a server of no known CA


if __name__ == "__main__":
    unittest.main(verbosity=2)
