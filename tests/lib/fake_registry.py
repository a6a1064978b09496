"""A small registry in this process, for what a real one cannot be made to do: count what it is asked, break off, send
wrong bytes, be slow, ask for tokens or passwords."""
import base64
import gzip
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
import time
import urllib.parse

from harness import in_namespace

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer_of(files):
    """A tar with these files: {path: bytes}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


class FakeRegistry:
    """Serves on 127.0.0.1:port until close(). `users`: {name: password} asks for authentication, by `scheme`
    "basic" or "bearer" (tokens from /token). `private`: only these repositories ask."""

    def __init__(self, users=None, scheme="basic", address="127.0.0.1", tls=None, netns=None):
        self.users, self.scheme = users or {}, scheme
        self.blobs, self.manifests, self.tags = {}, {}, {}  # digest: bytes; digest: (type, bytes); (repo, tag): digest
        self.holds = set()  # (repo, digest)
        self.requests, self.bytes_sent = [], 0
        self.tokens = {}
        self.break_after = None      # a blob's answer ends after so many bytes, once
        self.always_break_after = None
        self.corrupt = set()         # digests sent with a wrong byte
        self.statuses = []           # [(status, headers, body)] answered first, whatever is asked
        self.delay = 0.0             # before every answer
        self.rate = 0                # bytes a second of blobs
        self.no_ranges = False
        self.lock = threading.Lock()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                registry.answer(self)

            do_HEAD = do_GET

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                registry.answer(self)

        def make():
            return http.server.ThreadingHTTPServer((address, 0), Handler)

        self.server = in_namespace(netns, make) if netns else make()
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that left; its traceback would be noise
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.name = "%s:%d" % (address, self.port)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # --- content

    def add_blob(self, repository, content):
        digest = digest_of(content)
        self.blobs[digest] = content
        self.holds.add((repository, digest))
        return digest

    def add_manifest(self, repository, document, kind, tag=None):
        content = json.dumps(document).encode() if isinstance(document, dict) else document
        digest = digest_of(content)
        self.manifests[digest] = (kind, content)
        self.holds.add((repository, digest))
        if tag:
            self.tags[(repository, tag)] = digest
        return digest

    def add_image(self, repository, tag, layers, kind=MANIFEST, compress=gzip.compress, layer_type=LAYER,
                  architecture="amd64", system="linux", config=None):
        """layers: tars. Returns (manifest digest, config digest, layer digests)."""
        blobs = [compress(tar) if compress else tar for tar in layers]
        document = {"architecture": architecture, "os": system, "config": config or {"Cmd": ["sh"]},
                    "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in layers]},
                    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "test"} for _ in layers]}
        text = json.dumps(document).encode()
        config_type = ("application/vnd.docker.container.image.v1+json" if kind == MANIFEST
                       else "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": kind,
                    "config": {"mediaType": config_type, "size": len(text), "digest": self.add_blob(repository, text)},
                    "layers": [{"mediaType": layer_type, "size": len(blob), "digest": self.add_blob(repository, blob)}
                               for blob in blobs]}
        return (self.add_manifest(repository, manifest, kind, tag), digest_of(text),
                [layer["digest"] for layer in manifest["layers"]])

    def add_index(self, repository, tag, platforms, kind=MANIFEST_LIST):
        """platforms: [(manifest digest, {"os", "architecture", ...})]."""
        entries = [{"mediaType": self.manifests[digest][0], "size": len(self.manifests[digest][1]), "digest": digest,
                    "platform": platform} for digest, platform in platforms]
        return self.add_manifest(repository, {"schemaVersion": 2, "mediaType": kind, "manifests": entries}, kind, tag)

    def count(self, pattern):
        with self.lock:
            return sum(1 for line in self.requests if re.search(pattern, line))

    # --- answers

    def answer(self, handler):
        with self.lock:
            self.requests.append("%s %s" % (handler.command, handler.path))
            forced = self.statuses.pop(0) if self.statuses else None
        if self.delay:
            time.sleep(self.delay)
        if forced:
            self.send(handler, forced[0], forced[1] if len(forced) > 1 else {}, forced[2] if len(forced) > 2 else b"")
            return
        url = urllib.parse.urlsplit(handler.path)
        if url.path == "/token":
            self.give_token(handler, urllib.parse.parse_qs(url.query))
            return
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)", url.path)
        if self.users and not self.is_allowed(handler, match.group(1) if match else ""):
            self.ask(handler, match.group(1) if match else "")
        elif url.path == "/v2/":
            self.send(handler, 200, {"Content-Type": "application/json"}, b"{}")
        elif match:
            getattr(self, "give_" + match.group(2))(handler, match.group(1), match.group(3))
        else:
            self.fail(handler, 404, "UNSUPPORTED", "page not found")

    def send(self, handler, status, headers, body):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if "Content-Length" not in headers:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def fail(self, handler, status, code, message, headers=None):
        body = json.dumps({"errors": [{"code": code, "message": message, "detail": {}}]}).encode()
        self.send(handler, status, {"Content-Type": "application/json", **(headers or {})}, body)

    def basic(self, handler):
        kind, _, value = handler.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return None
        name, _, password = base64.b64decode(value).decode().partition(":")
        return name if self.users.get(name) == password else ""

    def is_allowed(self, handler, repository):
        if self.scheme == "basic":
            return bool(self.basic(handler))
        kind, _, value = handler.headers.get("Authorization", "").partition(" ")
        return kind == "Bearer" and self.tokens.get(value) in ("*", repository)

    def ask(self, handler, repository):
        if self.scheme == "basic":
            challenge = 'Basic realm="fake"'
        else:
            challenge = 'Bearer realm="http://%s/token",service="fake",scope="repository:%s:pull"' % (self.name, repository)
        self.fail(handler, 401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})

    def give_token(self, handler, query):
        user = self.basic(handler)
        if not user:
            self.fail(handler, 401, "UNAUTHORIZED", "incorrect username or password")
            return
        token = "token-%d" % len(self.tokens)
        self.tokens[token] = query.get("scope", ["::"])[0].split(":")[1]
        self.send(handler, 200, {"Content-Type": "application/json"},
                  json.dumps({"token": token, "expires_in": 300}).encode())

    def give_tags(self, handler, repository, _):
        tags = sorted(tag for repo, tag in self.tags if repo == repository)
        if tags:
            self.send(handler, 200, {"Content-Type": "application/json"},
                      json.dumps({"name": repository, "tags": tags}).encode())
        else:
            self.fail(handler, 404, "NAME_UNKNOWN", "repository name not known to registry")

    def give_manifests(self, handler, repository, reference):
        digest = reference if reference.startswith("sha256:") else self.tags.get((repository, reference))
        if (repository, digest) not in self.holds:
            self.fail(handler, 404, "MANIFEST_UNKNOWN", "manifest unknown")
            return
        kind, content = self.manifests[digest]
        if digest in self.corrupt:
            content = content + b" "
        self.send(handler, 200, {"Content-Type": kind, "Docker-Content-Digest": digest}, content)

    def give_blobs(self, handler, repository, digest):
        if (repository, digest) not in self.holds:
            self.fail(handler, 404, "BLOB_UNKNOWN", "blob unknown to registry")
            return
        content = self.blobs[digest]
        if digest in self.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        status, first = 200, 0
        if wanted and not self.no_ranges:
            first = int(wanted.group(1))
            status = 206
            headers["Content-Range"] = "bytes %d-%d/%d" % (first, len(content) - 1, len(content))
        part = content[first:]
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(part))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        with self.lock:
            limit = self.always_break_after if self.always_break_after is not None else self.break_after
            self.break_after = None
        for at in range(0, len(part), 65536):
            piece = part[at:at + 65536]
            if limit is not None and at + len(piece) > limit:
                handler.wfile.write(piece[:max(0, limit - at)])
                handler.wfile.flush()
                handler.close_connection = True
                handler.connection.close()
                return
            handler.wfile.write(piece)
            with self.lock:
                self.bytes_sent += len(piece)
            if self.rate:
                time.sleep(len(piece) / self.rate)
