#!/usr/bin/env python3
"""Pulling from registries that behave and that do not: what clients see, what the registry is asked, what is kept."""
import base64
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from fake_registry import (LAYER, MANIFEST, OCI_INDEX, OCI_MANIFEST, FakeRegistry, digest_of, layer_of)  # noqa: E402
from harness import TOP, Daemon, bin_dir, skip_unless_root, until  # noqa: E402

OCI_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def busybox_layer():
    with open("/bin/busybox", "rb") as program:
        content = program.read()
    return layer_of({"bin/busybox": content, "bin/sh": content, "bin/cat": content, "bin/sleep": content})


class Pull(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__(None, None, None)

    def setUp(self):
        self.registry = self.serve()

    def serve(self, **options):
        registry = FakeRegistry(netns=self.daemon.netns, **options)
        self.addCleanup(registry.close)
        return registry

    def pull(self, name, tag="1", user=None, **query):
        """(status, [JSON lines])."""
        text = "&".join("%s=%s" % item for item in {"fromImage": name, "tag": tag, **query}.items())
        headers = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(
            {"username": user[0], "password": user[1]}).encode()).decode()} if user else {}
        connection = self.daemon.connection(timeout=90)
        try:
            connection.request("POST", "/images/create?" + text, headers=headers)
            answer = connection.getresponse()
            return answer.status, [json.loads(line) for line in answer.read().splitlines()]
        finally:
            connection.close()

    def pulled(self, name, tag="1", **options):
        status, lines = self.pull(name, tag, **options)
        self.assertEqual(status, 200, lines)
        self.assertNotIn("error", lines[-1], lines[-1])
        return [line["status"] for line in lines]

    def refused(self, name, tag="1", **options):
        status, lines = self.pull(name, tag, **options)
        return status, lines[-1].get("message") or lines[-1].get("error")

    # --- what a pull is

    def test_an_image_arrives_runs_and_is_known_by_digest(self):
        layers = [busybox_layer(), layer_of({"etc/greeting": b"hello\n"})]
        manifest, config, blobs = self.registry.add_image("team/box", "1", layers, config={"Cmd": ["cat", "/etc/greeting"]})
        name = self.registry.name + "/team/box"
        status, lines = self.pull(name)
        self.assertEqual(status, 200)
        steps = [(line["status"], line.get("id")) for line in lines if "progress" not in line]
        self.assertEqual(steps[0], ("Pulling from team/box", "1"))
        for digest in blobs:
            mine = [step for step, layer in steps if layer == digest[7:19]]
            self.assertEqual(mine, ["Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"])
        self.assertEqual([step for step, _ in steps[-2:]],
                         ["Digest: " + manifest, "Status: Downloaded newer image for %s:1" % name])
        image = self.daemon.get("/images/%s:1/json" % name)
        self.assertEqual((image["Id"], image["RepoTags"], image["RepoDigests"]),
                         (config, [name + ":1"], [name + "@" + manifest]))
        ran = self.daemon.docker("run", "--rm", "--network", "none", name + ":1")
        self.assertEqual((ran.returncode, ran.stdout), (0, b"hello\n"), ran.stderr)
        asked = len(self.registry.requests)
        self.assertEqual(self.pulled(name), ["Pulling from team/box", "Digest: " + manifest,
                                             "Status: Image is up to date for %s:1" % name])
        self.assertLessEqual(len(self.registry.requests) - asked, 1)

    def test_pull_by_digest_and_all_tags(self):
        manifest, _, _ = self.registry.add_image("a/b", "1", [layer_of({"by-digest": b"1"})])
        self.registry.add_image("a/b", "2", [layer_of({"by-digest": b"2"})])
        name = self.registry.name + "/a/b"
        self.assertEqual(self.pulled(name, manifest)[-1], "Status: Downloaded newer image for %s@%s" % (name, manifest))
        self.assertEqual(self.daemon.get("/images/%s@%s/json" % (name, manifest))["RepoTags"], [])
        status, lines = self.pull(name, "")
        self.assertEqual((status, [line["id"] for line in lines if line["status"].startswith("Pulling from")]),
                         (200, ["1", "2"]))
        self.assertEqual(lines[-1]["status"], "Status: Downloaded newer image for " + name)

    def test_kinds_of_manifests_and_layers(self):
        tar = layer_of({"file": b"content" * 1000})

        def zstd(content):
            return subprocess.run(["zstd", "-q", "-c"], input=content, stdout=subprocess.PIPE, check=True).stdout
        kinds = [("v2", MANIFEST, LAYER, gzip.compress), ("oci", OCI_MANIFEST, OCI_GZIP, gzip.compress),
                 ("plain", OCI_MANIFEST, "application/vnd.oci.image.layer.v1.tar", None)]
        if shutil.which("zstd"):
            kinds.append(("zstd", OCI_MANIFEST, "application/vnd.oci.image.layer.v1.tar+zstd", zstd))
        for tag, kind, layer_type, compress in kinds:
            base = layer_of({"kind": tag.encode()})
            self.registry.add_image("kinds", tag, [tar + b"\0" * 512, base], kind=kind, layer_type=layer_type,
                                    compress=compress)
            self.assertTrue(self.pulled(self.registry.name + "/kinds", tag)[-1].startswith("Status: Downloaded"))

    def test_platforms_of_an_index(self):
        made = {}
        for arch in ("amd64", "arm64"):
            made[arch], _, _ = self.registry.add_image("multi", None, [layer_of({"arch": arch.encode()})], architecture=arch)
        index = self.registry.add_index("multi", "1", [(made["arm64"], {"os": "linux", "architecture": "arm64", "variant": "v8"}),
                                                       (made["amd64"], {"os": "linux", "architecture": "amd64"})], kind=OCI_INDEX)
        name = self.registry.name + "/multi"
        for wanted, arch in (("", "amd64"), ("linux/arm64", "arm64"), ("linux/arm64/v8", "arm64"), ("linux/amd64", "amd64")):
            self.assertIn("Digest: " + index, self.pulled(name, platform=wanted) if wanted else self.pulled(name))
            self.assertEqual(self.daemon.get("/images/%s:1/json" % name)["Architecture"], arch)
        self.assertEqual(self.refused(name, platform="linux/s390x"),
                         (200, "no matching manifest for linux/s390x in the manifest list entries"))
        self.registry.add_image("multi", "arm", [layer_of({"arch": b"arm64"})], architecture="arm64")
        self.assertEqual(self.pulled(name, "arm", platform="linux/amd64")[-1],
                         "WARNING: image with reference %s:arm was found but its platform (linux/arm64) does not match the "
                         "specified platform (linux/amd64)" % name)
        status, message = self.refused(name, platform="lin@x")
        self.assertEqual(status, 400)
        self.assertIn('"lin@x" is an invalid OS component of "lin@x"', message)

    def test_layers_that_are_there_are_not_fetched_again(self):
        shared = layer_of({"shared": os.urandom(100000)})
        self.registry.add_image("one", "1", [shared])
        self.registry.add_image("two", "1", [shared, layer_of({"more": b"x"})])
        self.pulled(self.registry.name + "/one")
        sent = self.registry.bytes_sent
        self.assertEqual(self.pulled(self.registry.name + "/two").count("Already exists"), 1)
        self.assertLess(self.registry.bytes_sent - sent, 50000)

    def test_the_same_blob_twice_in_an_image(self):
        again = layer_of({"a": b"b" * 1000})
        self.registry.add_image("twice", "1", [again, layer_of({"c": b"d"}), again])
        self.pulled(self.registry.name + "/twice")
        self.assertEqual(len(self.daemon.get("/images/%s/twice:1/json" % self.registry.name)["RootFS"]["Layers"]), 3)

    # --- refusals, in dockerd's words and with its status

    def test_what_is_not_there(self):
        self.registry.add_image("a/b", "1", [layer_of({"x": b"1"})])
        name = self.registry.name + "/a/b"
        unknown = "not found: manifest unknown: manifest unknown"
        self.assertEqual(self.refused(name, "nope"), (404, "manifest for %s:nope %s" % (name, unknown)))
        absent = "sha256:" + "0" * 64
        self.assertEqual(self.refused(name, absent), (404, "manifest for %s@%s %s" % (name, absent, unknown)))
        self.assertEqual(self.refused(self.registry.name + "/no", ""),
                         (404, "repository %s/no not found: name unknown: repository name not known to registry" % self.registry.name))
        self.assertEqual(self.refused("127.0.0.1:1/x"),
                         (500, 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'))
        self.assertEqual(self.refused(name, "..a"), (400, "invalid tag format"))
        self.assertEqual(self.refused("scratch", "latest"), (403, "'scratch' is a reserved name"))

    def test_what_makes_no_sense(self):
        self.registry.add_manifest("odd", b"not json", MANIFEST, "text")
        self.assertEqual(self.pull(self.registry.name + "/odd", "text")[0], 500)
        self.registry.add_manifest("odd", {"schemaVersion": 2, "config": {
            "mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2,
            "digest": self.registry.add_blob("odd", b"{}")}, "layers": []}, OCI_MANIFEST, "helm")
        self.assertEqual(self.refused(self.registry.name + "/odd", "helm"),
                         (200, "unsupported media type application/vnd.cncf.helm.config.v1+json"))

    def test_wrong_bytes_are_never_kept(self):
        _, _, (blob,) = self.registry.add_image("bad", "1", [layer_of({"x": os.urandom(300000)})])
        self.registry.corrupt.add(blob)
        name = self.registry.name + "/bad"
        self.assertEqual(self.refused(name), (200, "filesystem layer verification failed for digest " + blob))
        self.assertEqual(self.daemon.request("GET", "/images/%s:1/json" % name)[0], 404)
        self.registry.corrupt.clear()
        self.assertTrue(self.pulled(name)[-1].startswith("Status: Downloaded"))

    def test_a_blob_that_is_missing(self):
        _, _, (blob,) = self.registry.add_image("gap", "1", [layer_of({"x": b"gap"})])
        self.registry.holds.discard(("gap", blob))
        self.assertEqual(self.refused(self.registry.name + "/gap"), (200, "unknown blob"))

    def test_a_layer_that_is_not_what_the_config_says(self):
        _, _, (blob,) = self.registry.add_image("liar", "1", [layer_of({"x": b"1"})])
        other = self.registry.add_blob("liar", gzip.compress(layer_of({"x": b"2"})))
        kind, content = self.registry.manifests[self.registry.tags[("liar", "1")]]
        manifest = json.loads(content)
        manifest["layers"][0]["digest"] = other
        manifest["layers"][0]["size"] = len(self.registry.blobs[other])
        self.registry.add_manifest("liar", manifest, kind, "2")
        self.assertIn("invalid diffID", self.refused(self.registry.name + "/liar", "2")[1])

    # --- who may

    def test_passwords(self):
        registry = self.serve(users={"u": "p"})
        registry.add_image("mine", "1", [layer_of({"x": b"1"})])
        name = registry.name + "/mine"
        self.assertEqual(self.refused(name), (500, 'Head "http://%s/v2/mine/manifests/1": no basic auth credentials' % registry.name))
        self.assertEqual(self.refused(name, user=("u", "no")), (401, "unauthorized: authentication required"))
        self.pulled(name, user=("u", "p"))
        self.assertEqual(self.refused(name, user=("u", "no"))[0], 401)

    def test_tokens(self):
        registry = self.serve(users={"u": "p"}, scheme="bearer")
        registry.add_image("mine", "1", [layer_of({"x": b"1"}), layer_of({"y": b"2"})])
        name = registry.name + "/mine"
        wrong = (401, 'Head "http://%s/v2/mine/manifests/1": unauthorized: incorrect username or password' % registry.name)
        self.assertEqual(self.refused(name), wrong)
        self.assertEqual(self.refused(name, user=("u", "no")), wrong)
        self.pulled(name, user=("u", "p"))
        self.assertEqual(registry.count("GET /token.*account=u"), 2)  # the wrong one and the right one, once each

    def test_denied_and_busy(self):
        self.registry.add_image("a", "1", [layer_of({"x": b"1"})])
        name = self.registry.name + "/a"
        self.registry.statuses = [(403,)]
        self.assertEqual(self.refused(name), (404, "pull access denied for %s, repository does not exist or may require "
                                              "'docker login': denied: requested access to the resource is denied" % name))
        self.registry.statuses = [(503,), (429, {"Retry-After": "1"}), (502,)]
        self.assertTrue(self.pulled(name)[-1].startswith("Status: Downloaded"))
        self.registry.statuses = [(429, {"Retry-After": "60"})] * 2  # longer than the proxy waits
        connection = self.daemon.connection()
        connection.request("POST", "/images/create?fromImage=%s&tag=1" % name)
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "60"))
        self.assertEqual(json.loads(answer.read())["message"], "toomanyrequests: too many requests")
        connection.close()

    def test_what_is_too_big_is_told(self):
        self.registry.add_manifest("huge", b" " * (9 << 20), "application/vnd.oci.image.manifest.v1+json", tag="1")
        self.assertEqual(self.refused(self.registry.name + "/huge"), (500, "manifests/1 of huge is larger than 8 MiB"))
        self.registry.add_image("config", "1", [layer_of({"x": b"1"})], config={"Labels": {"much": "x" * (9 << 20)}})
        _, lines = self.pull(self.registry.name + "/config")
        self.assertRegex(lines[-1].get("error", ""), "^image config sha256:.* is larger than 8 MiB$")

    def test_the_body_of_a_redirect_is_not_read_to_its_end(self):
        self.registry.add_image("moved", "1", [layer_of({"x": b"1"})])
        there = {"Location": "http://%s/v2/moved/manifests/1" % self.registry.name}
        self.registry.statuses = [(307, there, b"x" * (32 << 20))]
        self.assertTrue(self.pulled(self.registry.name + "/moved")[-1].startswith("Status: Downloaded"))

    # --- what breaks

    def test_broken_off_and_gone_on_with(self):
        _, _, (blob,) = self.registry.add_image("big", "1", [layer_of({"x": os.urandom(3000000)})])
        size = len(self.registry.blobs[blob])
        for breaks in (1000000, 2000000):
            self.registry.break_after = breaks
            self.pulled(self.registry.name + "/big")
            self.assertLess(self.registry.bytes_sent, size * 1.1)
            self.daemon.call("DELETE", "/images/%s/big:1?force=1" % self.registry.name)
            self.registry.bytes_sent = 0

    def test_the_proxy_killed_in_the_middle(self):
        _, _, (blob,) = self.registry.add_image("slow", "1", [layer_of({"x": os.urandom(4000000)})])
        self.registry.rate = 2000000
        answer = []
        thread = threading.Thread(target=lambda: answer.append(self.pull(self.registry.name + "/slow")))
        thread.start()
        until(lambda: self.registry.bytes_sent > 1000000, 30, "the blob is on its way")
        for proxy in self.proxies():
            os.kill(proxy, signal.SIGKILL)
        thread.join(90)
        status, lines = answer[0]
        self.assertEqual((status, lines[-1].get("error")), (200, None))
        self.assertLess(self.registry.bytes_sent, len(self.registry.blobs[blob]) * 1.5)

    def proxies(self):
        children = subprocess.run(["pgrep", "-P", str(self.daemon.process.pid), "-f", "flotilla-registry-proxy"],
                                  capture_output=True, text=True, check=False).stdout.split()
        return [int(pid) for pid in children]

    def test_one_fetch_for_all(self):
        _, _, (blob,) = self.registry.add_image("shared", "1", [layer_of({"x": os.urandom(2000000)})])
        self.registry.rate = 4000000
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.pull(self.registry.name + "/shared"))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([lines[-1].get("error") for _, lines in answers], [None] * 3)
        self.assertEqual(self.registry.count("GET .*blobs/" + blob), 1)

    def test_a_client_that_leaves_ends_its_pull(self):
        self.registry.add_image("left", "1", [layer_of({"x": os.urandom(20000000)})])
        self.registry.rate = 1000000
        connection, _, status = self.daemon.open("POST", "/images/create?fromImage=%s/left&tag=1" % self.registry.name)
        self.assertEqual(status, 200)
        until(lambda: self.registry.bytes_sent > 200000, 30, "the blob is on its way")
        connection.close()
        time.sleep(1.5)  # noticed within a second
        sent = self.registry.bytes_sent
        time.sleep(1)
        self.assertLess(self.registry.bytes_sent - sent, 300000)

    def test_the_proxy_has_no_privileges(self):
        self.registry.add_image("a", "1", [layer_of({"x": b"1"})])
        self.pulled(self.registry.name + "/a")
        (proxy,) = self.proxies()
        with open("/proc/%d/status" % proxy, encoding="ascii") as text:
            status = dict(line.split(":", 1) for line in text)
        self.assertNotIn("0", status["Uid"].split())
        self.assertEqual((status["CapPrm"].strip(), status["CapEff"].strip(), status["NoNewPrivs"].strip()),
                         ("0" * 16, "0" * 16, "1"))

    # --- clients

    def test_the_docker_cli(self):
        own = layer_of({"cli": b"of its own"})
        _, _, blobs = self.registry.add_image("cli", "1", [busybox_layer(), own], config={"Cmd": ["sh"]})
        name = self.registry.name + "/cli:1"
        ran = self.daemon.docker("run", "--rm", "--network", "none", name, "sh", "-c", "echo ran")
        self.assertEqual((ran.returncode, ran.stdout), (0, b"ran\n"), ran.stderr)
        self.assertIn(b"Unable to find image '%s' locally" % name.encode(), ran.stderr)
        self.daemon.docker("rmi", name)
        out = self.daemon.docker("pull", name).stdout.decode().splitlines()
        self.assertEqual((out[0], out[-1]), ("1: Pulling from cli", name))
        self.assertIn(blobs[1][7:19] + ": Pull complete", out)
        listed = self.daemon.docker("images", "--digests", "--format", "{{.Tag}} {{.Digest}}", self.registry.name + "/cli")
        self.assertEqual(listed.stdout.decode().split(), ["1", self.registry.tags[("cli", "1")]])

    def test_our_own_client(self):
        self.registry.add_image("own", "latest", [busybox_layer()], config={"Cmd": ["sh"]})
        name = self.registry.name + "/own"
        first = self.flotilla("pull", name)
        self.assertEqual(first.returncode, 0, first.stderr)
        lines = first.stdout.splitlines()
        self.assertEqual((lines[0], lines[1], lines[-1]), ("Using default tag: latest", "latest: Pulling from own", name + ":latest"))
        self.assertEqual(self.flotilla("pull", "-q", name).stdout, name + ":latest\n")
        self.daemon.call("DELETE", "/images/%s:latest?force=1" % name)
        ran = self.flotilla("run", "--rm", "--network", "none", name, "sh", "-c", "echo ran")
        self.assertEqual((ran.returncode, ran.stdout), (0, "ran\n"), ran.stderr)
        self.assertIn("Unable to find image '%s:latest' locally" % name, ran.stderr)
        bad = self.flotilla("pull", name + ":none")
        self.assertEqual(bad.returncode, 1)
        self.assertTrue(re.search("manifest for .* not found", bad.stderr), bad.stderr)

    def flotilla(self, *arguments):
        return subprocess.run([os.path.join(bin_dir(), "flotilla"), *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "DOCKER_HOST": self.daemon.host}, check=False)


REGISTRY = shutil.which("docker-registry") or shutil.which(os.path.join(TOP, "build", "tools", "docker-registry"))


@unittest.skipUnless(REGISTRY, "docker-registry is not installed (scripts/setup --tests fetches it)")
class RealRegistry(unittest.TestCase):
    """Debian's docker-registry on the daemon's loopback."""

    def setUp(self):
        self.daemon = Daemon().__enter__()
        self.addCleanup(lambda: self.daemon.__exit__(None, None, None))
        folder = os.path.join(self.daemon.folder, "registry")
        os.mkdir(folder)
        with open(folder + ".yml", "w", encoding="ascii") as config:
            config.write("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\n"
                         "http: {addr: 127.0.0.1:5000}\n" % folder)
        server = subprocess.Popen(["nsenter", "--net=/run/netns/" + self.daemon.netns, REGISTRY, "serve", folder + ".yml"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        until(lambda: self.curl("/v2/").returncode == 0, 20, "docker-registry answers")

    def curl(self, path, *arguments, **options):
        return subprocess.run(["nsenter", "--net=/run/netns/" + self.daemon.netns, "curl", "-sSf", *arguments,
                               path if path.startswith("http") else "http://127.0.0.1:5000" + path],
                              capture_output=True, check=False, **options)

    def upload(self, content):
        location = self.curl("/v2/real/blobs/uploads/", "-X", "POST", "-D", "-", "-o", "/dev/null").stdout.decode()
        url = re.search(r"(?im)^location: (\S+)", location).group(1)
        done = self.curl(url + "&digest=" + digest_of(content), "-X", "PUT", "-H", "Content-Type: application/octet-stream",
                         "--data-binary", "@-", input=content)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_pull_from_it(self):
        source = FakeRegistry()
        self.addCleanup(source.close)
        source.add_image("real", "1", [busybox_layer(), layer_of({"x": os.urandom(200000)})], config={"Cmd": ["sh"]})
        for content in source.blobs.values():
            self.upload(content)
        kind, manifest = source.manifests[source.tags[("real", "1")]]
        put = self.curl("/v2/real/manifests/1", "-X", "PUT", "-H", "Content-Type: " + kind, "--data-binary", "@-", input=manifest)
        self.assertEqual(put.returncode, 0, put.stderr)
        pulled = self.daemon.docker("pull", "127.0.0.1:5000/real:1")
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        self.assertIn(b"Digest: " + digest_of(manifest).encode(), pulled.stdout)
        ran = self.daemon.docker("run", "--rm", "--network", "none", "127.0.0.1:5000/real:1", "sh", "-c", "echo ran")
        self.assertEqual((ran.returncode, ran.stdout), (0, b"ran\n"), ran.stderr)


if __name__ == "__main__":
    skip_unless_root()
    unittest.main(verbosity=2)
