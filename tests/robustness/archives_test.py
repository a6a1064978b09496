#!/usr/bin/env python3
"""Hostile image archives: refused with a message, nothing written outside the store, no crash."""
import hashlib
import io
import json
import os
import sys
import tarfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import Daemon, skip_unless_root  # noqa: E402


def entry(name, kind=tarfile.REGTYPE, content=b"", link="", device=(0, 0)):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), link
    info.devmajor, info.devminor = device
    return info, content


def tar(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def image(layer, diff_id=None, tag="hostile:1", config_name=None, layer_name="layer.tar"):
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]}, "rootfs": {
        "type": "layers", "diff_ids": [diff_id or "sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    config_name = config_name or hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [tag], "Layers": [layer_name]}]).encode()
    return tar(entry(config_name, content=config), entry(layer_name, content=layer), entry("manifest.json", content=manifest))




class HostileArchives(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon().__enter__()
        cls.outside = os.path.join(cls.daemon.folder, "outside")
        os.mkdir(cls.outside)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__(None, None, None)

    def layers(self):
        target = self.outside
        up = "../" * 40
        return {
            "dots": tar(entry(up + target[1:] + "/dots", content=b"x")),
            "dots inside": tar(entry("a/../../../../../../../../.." + target + "/dots2", content=b"x")),
            "link out": tar(entry("out", tarfile.SYMTYPE, link=target), entry("out/through", content=b"x")),
            "relative link out": tar(entry("out", tarfile.SYMTYPE, link=up + target[1:]), entry("out/through2", content=b"x")),
            "hard link out": tar(entry("hard", tarfile.LNKTYPE, link="/etc/passwd"), entry("hard", content=b"x")),
            "hard link up": tar(entry("hard", tarfile.LNKTYPE, link=up + "etc/passwd")),
        }

    def load(self, archive):
        """(refused, message)"""
        status, answer = self.daemon.request("POST", "/images/load", archive, "application/x-tar")
        self.assertLess(status, 500, answer)
        text = answer.decode(errors="replace")
        if status >= 400:
            return True, json.loads(text)["message"]
        errors = [json.loads(line)["error"] for line in text.splitlines() if '"error"' in line]
        return bool(errors), errors[0] if errors else text

    def check(self, what, archive, must_refuse=True):
        before = os.stat("/etc/passwd")
        refused, message = self.load(archive)
        self.assertEqual(os.listdir(self.outside), [], what)
        after = os.stat("/etc/passwd")
        self.assertEqual((before.st_size, before.st_nlink, before.st_mtime), (after.st_size, after.st_nlink, after.st_mtime))
        self.assertIsNone(self.daemon.process.poll(), "the daemon has died")
        if must_refuse:
            self.assertTrue(refused, "%s was taken: %s" % (what, message))
            self.assertTrue(message.strip(), "no message")

    def test_layers_that_leave_their_root(self):
        for what, layer in self.layers().items():
            with self.subTest(what):
                # An absolute name or link may also be taken relative to the layer's root, as Docker does.
                self.check(what, image(layer), must_refuse="dots" in what or "up" in what)

    def test_absolute_names_stay_inside(self):
        self.check("absolute", image(tar(entry(self.outside + "/absolute", content=b"x"))), must_refuse=False)

    def test_archives_whose_own_members_leave(self):
        layer = tar(entry("a", content=b"x"))
        self.check("config outside", image(layer, config_name="../../../../../../../../etc/passwd"))
        self.check("layer outside", image(layer, layer_name="/etc/shadow"), must_refuse=False)
        manifest = json.dumps([{"Config": "../../../../etc/passwd", "RepoTags": None, "Layers": ["/etc/passwd"]}]).encode()
        self.check("nothing but a manifest", tar(entry("manifest.json", content=manifest)))
        self.check("manifest is a link", tar(entry("manifest.json", tarfile.SYMTYPE, link="/etc/passwd")))

    def test_wrong_digests(self):
        self.check("diff id", image(tar(entry("a", content=b"x")), diff_id="sha256:" + "0" * 64))
        self.check("no digest", image(tar(entry("a", content=b"x")), diff_id="sha256:../../x"))

    def test_truncated_streams(self):
        whole = image(tar(entry("a", content=os.urandom(200_000))))
        for size in (0, 1, 511, 512, 700, len(whole) // 2, len(whole) - 30_000):
            with self.subTest(size):
                self.check("truncated", whole[:size])

    def test_no_archive(self):
        for body in (b"not a tar", os.urandom(100_000), b"\x1f\x8b\x08" + b"\0" * 1000, b"\x28\xb5\x2f\xfd" + b"x" * 100):
            with self.subTest(body[:10]):
                self.check("no archive", body)

    def test_bad_manifests(self):
        for text in (b"", b"{}", b"[]x", b"null", b"[1]", b'[{"Config":5,"Layers":{}}]', b'[{"Config":"x","RepoTags":["Bad Name"],"Layers":[]}]'):
            with self.subTest(text):
                self.check("manifest", tar(entry("manifest.json", content=text)))

    def test_import_of_hostile_trees(self):
        for what, layer in self.layers().items():
            with self.subTest(what):
                status, answer = self.daemon.request("POST", "/images/create?fromSrc=-&repo=hostile&tag=i", layer, "application/x-tar")
                self.assertLess(status, 500, answer)
                self.assertEqual(os.listdir(self.outside), [])

    def test_devices_do_not_reach_the_host(self):
        layer = tar(entry("dev/sda", tarfile.BLKTYPE, device=(8, 0)), entry("dev/mem", tarfile.CHRTYPE, device=(1, 1)))
        self.check("devices", image(layer), must_refuse=False)


if __name__ == "__main__":
    skip_unless_root()
    unittest.main(verbosity=2, warnings="ignore")
