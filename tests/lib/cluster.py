"""Two hosts behind one endpoint, as processes of their own with mutual TLS between them: Redis with users by role,
discovery, gateway, and two engine workers a host. Use as a context manager; calls go to the gateway."""
import os
import shutil
import signal
import subprocess
import sys

from harness import TOP, ApiError, Daemon, bin_dir, until
from hosts import Network

REDIS = shutil.which("redis-server")
CLUSTER = "two"
CERTS = os.path.join(TOP, "scripts", "certs")


class EngineHost:
    """The engine's side of one host: its workers."""

    def __init__(self, cluster, host, workers):
        self.cluster, self.host, self.count = cluster, host, workers
        self.name = host.name
        self.services = ["engine-%d" % number for number in range(workers)]

    def start(self):
        for number in range(self.count):
            self.start_worker(number)

    def running(self, number):
        process = self.host.processes.get(self.services[number])
        return process is not None and process.poll() is None

    def start_worker(self, number, **changes):
        if not self.running(number):
            self.host.start(self.services[number], *self.command(number, **changes))

    def command(self, number, secrets=None, data_root=None, run_dir=None, address=None, certificate=None):
        """A worker's command line; tests change what they break."""
        cluster, host = self.cluster, self.host
        address = address or host.address
        own = certificate or cluster.certificate("engine", address)
        return ["flotilla-engine", *cluster.queue_options("engine", address, secrets),
                "--data-root", data_root or host.root, "--exec-root", run_dir or host.run_dir, "--name", self.name,
                "--label", "host=" + self.name, "--stream-listen", "tcp://%s:%d" % (address, 2374 + number),
                "--tlscacert", cluster.secret("ca.pem"), "--tlscert", own[0], "--tlskey", own[1],
                "--discovery", cluster.discovery_url("engine", address), "--advertise", address + ":2374", "--heartbeat", "1s", "--ttl", "30s",
                "--drain", "5", "--metrics", "unix://" + self.metrics_socket(number)]

    def metrics_socket(self, number):
        return os.path.join(self.host.folder, "m%d" % number)

    def kill_worker(self, number, how=signal.SIGKILL):
        process = self.host.processes[self.services[number]]
        process.send_signal(how)
        return process.wait(30)

    def log(self):
        text = ""
        for path in map(self.host.log_of, self.services):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as lines:
                    text += lines.read()
        return text


class Cluster(Daemon):
    """What Daemon is, over two hosts; host 0 has Redis, discovery and gateway, the others engines."""

    def __init__(self, hosts=2, workers=2, append_only=True, gateway_options=(), discovery="token"):
        super().__init__()
        self.network = Network(hosts=hosts + 1)
        self.centre = self.network.hosts[0]
        self.append_only, self.gateway_options = append_only, gateway_options
        self.secrets = os.path.join(self.folder, "secrets")
        self.discovery, self.token = discovery, ""  # token: the service's, redis: the queue's Redis
        self.engines = [EngineHost(self, host, workers) for host in self.network.hosts[1:]]
        self.named = {engine.name: engine for engine in self.engines}

    # --- secrets

    def secret(self, name):
        return os.path.join(self.secrets, name)

    def certificate(self, role, name, folder=None):
        """Files of certificate and key, made when there are none."""
        folder = folder or self.secrets
        files = [os.path.join(folder, "%s-%s%s.pem" % (role, name, part)) for part in ("", "-key")]
        if not os.path.exists(files[0]):
            subprocess.run([CERTS, "issue", folder, role, name], check=True, stdout=subprocess.DEVNULL)
        return files

    def redis_url(self, user, name):
        own = self.certificate(user, name)
        return "rediss://%s@%s:6379?password-file=%s&cacert=%s&cert=%s&key=%s" % (
            user, self.centre.address, self.secret("redis-%s.password" % user), self.secret("ca.pem"), *own)

    def discovery_url(self, user, name):
        if self.discovery == "redis":
            return self.redis_url(user, name)
        return "token://%s:5080/v1/%s" % (self.centre.address, self.token)

    def queue_options(self, user, name, key=None):
        return ["--queue", self.redis_url(user, name), "--cluster", CLUSTER, "--cluster-key", key or self.secret("cluster.key")]

    def let_tests_look(self):
        """A Redis user that may do all, which no service knows."""
        with open(self.secret("redis-users.acl"), "a", encoding="ascii") as users:
            users.write("user tester on >tester ~* &* +@all\n")
        with open(self.secret("redis-tester.password"), "w", encoding="ascii") as word:
            word.write("tester\n")

    # --- services

    def __enter__(self):
        try:
            self.network.__enter__()
            subprocess.run([CERTS, "init", self.secrets, CLUSTER], check=True, stdout=subprocess.DEVNULL)
            self.let_tests_look()
            self.start_redis()
            if self.discovery == "token":
                self.start_discovery()
                self.token = self.make_token()
            self.start()
            self.load_image()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.print_log()
        try:
            if kind is None:
                self.start()  # what a test left ended: the clean-up needs it
            self.remove_all()
        except (OSError, ApiError, RuntimeError, AssertionError) as problem:
            print("while ending the cluster: %s" % problem)
        self.network.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_all(self):
        if "gateway" in self.centre.processes:
            for container in self.get("/containers/json?all=1"):
                self.call("DELETE", "/containers/%s?force=1&v=1" % container["Id"])

    def print_log(self, lines=25):
        for host in self.network.hosts:
            self.network.print_logs(host, lines)

    def start(self, timeout=40):
        """Whatever does not run is started; returns when every host is healthy."""
        self.start_redis()
        if self.discovery == "token":
            self.start_discovery()
        for engine in self.engines:
            engine.start()
        self.start_gateway()
        self.ready(timeout)

    def starts(self, service):
        process = self.centre.processes.get(service)
        return process is None or process.poll() is not None

    def start_redis(self):
        if self.starts("redis"):
            own = self.certificate("redis", self.centre.address)
            self.centre.start("redis", REDIS, "--port", "0", "--tls-port", "6379", "--bind", self.centre.address,
                              "--tls-cert-file", own[0], "--tls-key-file", own[1], "--tls-ca-cert-file", self.secret("ca.pem"),
                              "--tls-auth-clients", "yes", "--aclfile", self.secret("redis-users.acl"), "--dir", self.folder,
                              "--save", "", "--appendonly", "yes" if self.append_only else "no", "--appendfsync", "always",
                              "--loglevel", "warning")
            # With much to read back it refuses for longer than a request waits for it.
            until(lambda: self.redis_command("PING") == "PONG", 60, "Redis has read its data")

    def start_discovery(self):
        if self.starts("discovery"):
            own = self.certificate("discovery", self.centre.address)
            self.centre.start("discovery", "flotilla-discovery", "-H", "tcp://%s:5080" % self.centre.address, "--state-folder",
                              os.path.join(self.folder, "discovery"), "--tlscacert", self.secret("ca.pem"), "--tlscert", own[0],
                              "--tlskey", own[1])

    def start_gateway(self):
        if self.starts("gateway"):
            own = self.certificate("gateway", self.centre.address)
            self.centre.start("gateway", "flotilla-api-gateway", *self.queue_options("gateway", self.centre.address),
                              "-H", self.host, "--exec-root", os.path.join(self.folder, "g"), "--discovery",
                              self.discovery_url("gateway", self.centre.address),
                              "--cluster-heartbeat", "1s", "--cluster-tlscacert", self.secret("ca.pem"), "--cluster-tlscert",
                              own[0], "--cluster-tlskey", own[1], *self.gateway_options)
            self.process = self.centre.processes["gateway"]

    def kill(self, service="gateway"):
        process = self.centre.processes[service]
        process.kill()
        process.wait()

    def kill_redis(self, with_data=True):
        self.kill("redis")
        if not with_data:
            shutil.rmtree(os.path.join(self.folder, "appendonlydir"), ignore_errors=True)

    def make_token(self):
        own = self.certificate("client", "tester")
        made = []

        def make():
            done = subprocess.run(
                ["nsenter", "--net=/run/netns/" + self.centre.netns, os.path.join(bin_dir(), "flotilla"), "swarm", "create",
                 "--service", "https://%s:5080/v1" % self.centre.address, "--tlscacert", self.secret("ca.pem"), "--tlscert",
                 own[0], "--tlskey", own[1]], capture_output=True, text=True, check=False, timeout=20)
            made[:] = [done.stdout.strip()] if done.returncode == 0 else []
            return bool(made)

        until(make, 20, "the discovery service does not make a token")
        return made[0]

    # --- what is seen of it

    def warnings(self, path):
        """The Warning headers of a GET."""
        connection = self.connection(60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.headers.get_all("Warning") or []
        finally:
            connection.close()

    def hosts(self):
        """Rows of `docker info` by host: {"node-2": {"Status": "Healthy", ...}}; pending ones by address."""
        found, current = {}, None
        for key, value in self.get("/info").get("SystemStatus") or []:
            if key.startswith("  "):
                current[key.strip(" \u2514")] = value
            elif key.startswith(" "):
                name = key.strip()
                current = found.setdefault(value if name == "(unknown)" else name, {"Address": value})
        return found

    def statuses(self):
        try:
            return {name: rows.get("Status") for name, rows in self.hosts().items()}
        except (OSError, ApiError) as problem:
            return {"error": str(problem)}

    def ready(self, timeout=40):
        names = {engine.name for engine in self.engines}
        until(lambda: {name for name, status in self.statuses().items() if status == "Healthy"} >= names, timeout,
              lambda: "every host is healthy: %s" % self.statuses())

    def node_of(self, container):
        return self.inspect(container)["Node"]["Name"]

    def redis_command(self, *arguments, user="tester"):
        """redis-cli as one of the users: its words."""
        own = self.certificate("client", "tester")
        with open(self.secret("redis-%s.password" % user), encoding="ascii") as word:
            password = word.read().strip()
        done = subprocess.run(
            ["nsenter", "--net=/run/netns/" + self.centre.netns, "redis-cli", "-h", self.centre.address, "-p", "6379", "--tls",
             "--cacert", self.secret("ca.pem"), "--cert", own[0], "--key", own[1], "--user", user, "--no-auth-warning",
             *arguments], env={**os.environ, "REDISCLI_AUTH": password}, capture_output=True, text=True, check=False, timeout=20)
        return (done.stdout + done.stderr).strip()
