#!/usr/bin/env python3
"""Bad input at the socket: always an answer of the 4xx kind (or an ended connection), never a crash, never a 5xx
but 501 for what is not there yet.

endpoints.txt lists the methods and paths of the API contract.
"""
import http.client
import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import IMAGE, Daemon, skip_unless_root  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

MALFORMED = {
    "no request": b"\r\n\r\n\r\n\r\n",
    "binary": bytes(range(256)) * 8,
    "TLS hello on a plain socket": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "no version": b"GET /_ping\r\n\r\n",
    "unknown version": b"GET /_ping HTTP/9.9\r\nHost: f\r\n\r\n",
    "space in target": b"GET /_ping x HTTP/1.1\r\nHost: f\r\n\r\n",
    "NUL in target": b"GET /_ping\0x HTTP/1.1\r\nHost: f\r\n\r\n",
    "header without colon": b"GET /_ping HTTP/1.1\r\nHost: f\r\nnonsense\r\n\r\n",
    "two lengths": b"POST /containers/create HTTP/1.1\r\nHost: f\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "length and chunked": b"POST /containers/create HTTP/1.1\r\nHost: f\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"POST /containers/create HTTP/1.1\r\nHost: f\r\nContent-Length: -1\r\n\r\n",
    "huge length": b"POST /containers/create HTTP/1.1\r\nHost: f\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "bad chunk size": b"POST /containers/create HTTP/1.1\r\nHost: f\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "70 KB header": b"GET /_ping HTTP/1.1\r\nHost: f\r\nX: " + b"x" * 70000 + b"\r\n\r\n",
    "a thousand headers": b"GET /_ping HTTP/1.1\r\nHost: f\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n",
}
BAD_JSON = {
    "truncated": b'{"Image": "busybox", "Cmd": [',
    "not JSON": b"\xff\xfe{]",
    "array": b"[1,2,3]",
    "deep": b'{"a":' * 50000,
    "wrong types": json.dumps({"Image": 7, "Cmd": {"a": 1}, "Env": 3, "HostConfig": "x", "Labels": [1], "Tty": "yes",
                               "Container": [], "Name": {}, "Detach": 5, "Memory": "x", "RestartPolicy": 1}).encode(),
}
BAD_NAMES = ["%00", "a%00b", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "a%2fb", "%ff%fe", "x" * 5000, "%0a", "-", ".", "..", "%"]


def endpoints():
    with open(os.path.join(HERE, "endpoints.txt"), encoding="utf-8") as lines:
        return [line.split() for line in lines if line.strip()]


def fill(path, name):
    out, inside = "", False
    for character in path:
        if character == "{":
            inside, out = True, out + name
        elif character == "}":
            inside = False
        elif not inside:
            out += character
    return out


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__(None, None, None)

    def tearDown(self):
        self.assertIsNone(self.daemon.process.poll(), "the daemon has died")
        self.assertEqual(self.daemon.request("GET", "/_ping")[0], 200)

    def raw(self, data, timeout=10):
        """What the daemon says to raw bytes until it closes or nothing comes for a while."""
        answer = b""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(self.daemon.socket)
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while True:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    answer += piece
            except (BrokenPipeError, ConnectionResetError):
                pass
        return answer

    def check_status(self, status, what, allowed=()):
        self.assertTrue(400 <= status < 500 or status == 501 or status in allowed, "%s: %d" % (what[:120], status))

    def test_malformed_requests(self):
        for what, data in MALFORMED.items():
            with self.subTest(what):
                answer = self.raw(data)
                if answer:  # an ended connection is an answer too
                    self.check_status(int(answer.split()[1]), what)

    def test_endless_header_ends(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.daemon.socket)
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: f\r\n")
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for number in range(1_000_000):
                    connection.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1000))

    def test_endless_json_body_ends(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.daemon.socket)
            connection.sendall(b"POST /containers/create HTTP/1.1\r\nHost: f\r\nContent-Type: application/json\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
            # The answer has to come and the connection to end, however much is still sent.
            deadline = time.monotonic() + 30
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                while time.monotonic() < deadline:
                    connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def test_bad_json_everywhere(self):
        container = self.daemon.launch("sleep 1000")
        for method, path in endpoints():
            if method not in ("POST", "PUT"):
                continue
            for what, body in BAD_JSON.items():
                with self.subTest("%s %s: %s" % (method, path, what)):
                    self.check_bad_json(method, fill(path, "no-such-thing"), body)
        self.check_bad_json("POST", "/containers/%s/exec" % container, BAD_JSON["truncated"])
        self.daemon.remove(container)

    def check_bad_json(self, method, target, body):
        try:
            status, answer = self.daemon.request(method, target, body, timeout=20)
        except (http.client.HTTPException, BrokenPipeError, ConnectionResetError):
            return  # the connection was ended
        # Some calls take no body, and prune calls have nothing to complain about.
        ignores_body = target.endswith("/prune") or target in ("/images/load", "/session")
        self.check_status(status, "%s %s" % (method, target), allowed=(200, 204) if ignores_body else ())
        # attach answers in plain text, as dockerd does: it has taken the connection over by then.
        if status >= 400 and not target.endswith("/attach"):
            self.assertIn("message", json.loads(answer), target)

    def test_bad_names_everywhere(self):
        for method, path in endpoints():
            if "{" not in path or path.startswith(("/distribution", "/plugins")):
                continue
            for name in BAD_NAMES:
                with self.subTest("%s %s %s" % (method, path, name[:20])):
                    target = fill(path, name)
                    answer = self.raw(("%s %s HTTP/1.1\r\nHost: f\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (
                        method, target)).encode())
                    if answer:
                        self.check_status(int(answer.split()[1]), target, allowed=(301, 405))

    def test_bad_names_at_create(self):
        body = json.dumps({"Image": IMAGE}).encode()
        for name in [name for name in BAD_NAMES if name != "%" and len(name) < 100]:
            with self.subTest(name[:20]):
                status, _ = self.daemon.request("POST", "/containers/create?name=" + name, body)
                self.check_status(status, name)

    def test_unknown_and_wrong_paths(self):
        for method, target, expected in [("GET", "/nosuch", 404), ("GET", "/v1.24/nosuch", 404), ("GET", "/v9.99/_ping", 400),
                                         ("GET", "/v1.1/info", 400), ("GET", "/containers/", 404)]:
            with self.subTest(target):
                self.assertEqual(self.daemon.request(method, target)[0], expected)

    def test_bad_queries(self):
        for target in ["/containers/json?filters=%7Bx", "/containers/json?filters=[1]", "/containers/json?limit=x",
                       "/images/json?filters=x", "/events?since=x", "/events?filters=%7B%22type%22:1%7D"]:
            with self.subTest(target):
                self.check_status(self.daemon.request("GET", target)[0], target)


if __name__ == "__main__":
    skip_unless_root()
    unittest.main(verbosity=2, warnings="ignore")
