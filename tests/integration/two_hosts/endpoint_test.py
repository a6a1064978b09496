#!/usr/bin/env python3
"""Two hosts behind one endpoint: where containers go, how they are found, what is merged, and streams between hosts."""
import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from cluster import REDIS, Cluster  # noqa: E402
from harness import IMAGE, SKIPPED, ApiError, skip_unless_root, until  # noqa: E402

BULK = 20_000_000


class Endpoint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        anchors = [cls.cluster.create("true") for _ in cls.cluster.named]
        cls.anchors = {cls.cluster.node_of(anchor): anchor for anchor in anchors}  # spread: one on each host

    def docker(self, *arguments, code=0, **options):
        result = self.cluster.docker(*arguments, **options)
        self.assertEqual(result.returncode, code, "%s: %s" % (arguments, result.stderr.decode()))
        return result.stdout.decode()

    def run_detached(self, name, *command, where=()):
        identifier = self.docker("run", "-d", "--name", name, "--network", "none", *where, IMAGE, *command).strip()
        self.addCleanup(self.docker, "rm", "-f", identifier)
        return identifier

    def on(self, node):
        """Options that bring a container to a host: those of one that is there already."""
        return ("--network", "none", "--volumes-from", self.anchors[node])

    def test_ten_runs_put_five_on_each_host(self):
        for number in range(10):
            self.run_detached("spread-%d" % number, "sleep", "1000")
        places = [self.cluster.node_of("spread-%d" % number) for number in range(10)]
        self.assertEqual(sorted(places), ["node-2"] * 5 + ["node-3"] * 5)

    def test_containers_are_found_by_every_name(self):
        for node in self.cluster.named:
            identifier = self.run_detached("found-" + node, "sleep", "1000", where=self.on(node)[2:])
            where = self.cluster.node_of(identifier)
            for name in (identifier, identifier[:12], "found-" + node, "/%s/found-%s" % (where, node), "%s/found-%s" % (where, node)):
                self.assertEqual(self.docker("inspect", "--format", "{{.Id}}", name).strip(), identifier, name)
            self.assertIn("%s/found-%s" % (where, node), self.docker("ps", "--format", "{{.Names}}").split())
            listed = self.docker("ps", "-q", "--no-trunc", "--filter", "name=found-" + node).split()
            self.assertEqual(listed, [identifier])
        with self.assertRaises(ApiError) as missing:
            self.cluster.inspect("nobody")
        self.assertEqual(missing.exception.status, 404)

    def test_a_name_is_taken_in_the_whole_cluster(self):
        self.run_detached("taken", "sleep", "1000")
        for _ in range(2):  # the scheduler would put it on either host
            result = self.cluster.docker("create", "--name", "taken", "--network", "none", IMAGE, "true")
            self.assertIn(b"Conflict", result.stderr)
        outcomes = []

        def create():
            outcomes.append(self.cluster.docker("create", "--name", "raced", "--network", "none", IMAGE, "true").returncode)

        racers = [threading.Thread(target=create) for _ in range(6)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        self.addCleanup(self.docker, "rm", "-f", "raced")
        self.assertEqual(sorted(outcomes), [0] + [1] * 5)
        self.assertEqual(len(self.docker("ps", "-aq", "--filter", "name=raced").split()), 1)

    def test_lists_events_and_images_are_merged(self):
        events, rest, status = self.cluster.open("GET", "/events")
        self.addCleanup(events.close)
        self.assertEqual(status, 200)
        made = [self.run_detached("merged-%d" % number, "sleep", "1000") for number in range(4)]
        self.assertEqual({self.cluster.node_of(container) for container in made}, set(self.cluster.named))
        listed = {row["Id"] for row in self.cluster.get("/containers/json")}
        self.assertGreaterEqual(listed, set(made))
        self.assertEqual(self.docker("images", "-q").split(), [self.docker("images", "-q").split()[0]])
        while not all(rest.count(b'"start"') >= 4 and container.encode() in rest for container in made):
            piece = events.recv(65536)
            self.assertTrue(piece, rest)
            rest += piece
        info = self.cluster.get("/info")
        self.assertEqual(info["ContainersRunning"], len(listed))

    def test_filters_name_what_one_host_has(self):
        made = [self.run_detached("aged-%d" % number, "sleep", "1000") for number in range(4)]
        self.assertEqual({self.cluster.node_of(container) for container in made}, set(self.cluster.named))
        since = self.docker("ps", "-q", "--no-trunc", "--filter", "since=aged-1").split()
        self.assertEqual(set(since), set(made[2:]))
        before = self.docker("ps", "-q", "--no-trunc", "--filter", "name=aged-", "--filter", "before=aged-2").split()
        self.assertEqual(set(before), set(made[:2]))
        self.assertEqual(self.docker("images", "-q", "--filter", "since=" + IMAGE), "")
        self.docker("ps", "--filter", "since=nobody", code=1)

    def test_images_go_to_every_host(self):
        self.docker("tag", IMAGE, "busybox:again")
        for node in self.cluster.named:
            self.assertEqual(self.docker("run", "--rm", *self.on(node), "busybox:again", "echo", "here"), "here\n")
        self.docker("rmi", "busybox:again")
        self.docker("run", "--rm", "--network", "none", "--pull", "never", "busybox:again", "true", code=125)

    def test_streams_between_hosts(self):
        for node in self.cluster.named:
            with self.subTest(node):
                where = self.on(node)
                self.assertEqual(self.docker("run", "--rm", *where, IMAGE, "sh", "-c", "echo out; echo err >&2; exit 0"), "out\n")
                self.docker("run", "--rm", *where, IMAGE, "sh", "-c", "exit 7", code=7)
                self.assertEqual(self.docker("run", "--rm", "-i", *where, IMAGE, "cat", input=b"through"), "through")
                sent = os.urandom(BULK)
                back = self.cluster.docker("run", "--rm", "-i", *where, IMAGE, "cat", input=sent)
                self.assertTrue(back.stdout == sent, "%d of %d bytes, %r" % (len(back.stdout), len(sent), back.stderr))
                self.run_detached("streams-" + node, "sh", "-c", "echo logged; sleep 1000", where=where[2:])
                self.assertEqual(self.docker("exec", "streams-" + node, "echo", "inside"), "inside\n")
                self.docker("exec", "streams-" + node, "sh", "-c", "exit 3", code=3)
                self.assertEqual(self.docker("exec", "-i", "streams-" + node, "cat", input=b"stdin"), "stdin")
                until(lambda name=node: self.docker("logs", "streams-" + name) == "logged\n", 10, "the log of " + node)
                big = self.cluster.docker("exec", "streams-" + node, "dd", "if=/dev/zero", "bs=1000000", "count=20")
                self.assertEqual(len(big.stdout), 20_000_000)

    def test_the_services_need_no_more_rights_in_redis_than_they_have(self):
        self.docker("run", "--rm", "--network", "none", IMAGE, "true")
        refusals = self.cluster.redis_command("ACL", "LOG")
        self.assertEqual(refusals, "", "commands or keys that scripts/certs does not grant")
        keys = self.cluster.redis_command("--scan").split()
        self.assertTrue(keys)
        for key in keys:
            self.assertNotEqual(self.cluster.redis_command("TTL", key), "-1", "%s lives for ever" % key)

    def test_volumes_and_networks_are_listed_with_their_host(self):
        for node in self.cluster.named:
            self.assertEqual(self.docker("run", "--rm", *self.on(node), "-v", "kept-%s:/v" % node, IMAGE, "true"), "")
        names = {volume["Name"] for volume in self.cluster.get("/volumes")["Volumes"]}
        for node in self.cluster.named:
            self.assertTrue({"kept-" + node, "%s/kept-%s" % (node, node)} & names, names)
            self.docker("volume", "rm", "kept-" + node)
        bridges = [row for row in self.cluster.get("/networks") if row["Name"].endswith("bridge")]
        self.assertEqual(len(bridges), 2, json.dumps(bridges)[:500])


class WithoutDiscoveryService(unittest.TestCase):
    def test_hosts_find_each_other_in_redis(self):
        with Cluster(workers=1, discovery="redis") as cluster:
            self.assertEqual(set(cluster.statuses()), set(cluster.named))
            cluster.kill_redis(with_data=False)
            cluster.start()
            self.assertEqual(cluster.redis_command("ACL", "LOG"), "")
            run = cluster.docker("run", "--rm", "--network", "none", IMAGE, "echo", "hi")
            self.assertEqual(run.stdout, b"hi\n", run.stderr)


if __name__ == "__main__":
    skip_unless_root()
    if not REDIS:
        print("SKIP: redis-server is not installed")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2, warnings="ignore")
