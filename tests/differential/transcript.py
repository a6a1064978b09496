"""Cases as data, transcripts of what they print, and what counts as the same."""
import json
import re

ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d( [A-Z]{3,4})?))?")
SPAN = r"((Less than )?(a|an|\d+) (second|minute|hour|day|week|month|year)s?|About (a|an) (minute|hour|month|year))"

# In this order. A rule says what may differ between two daemons that behave alike.
RULES = [
    # CLI 20.10 says this or not, by which of its own requests ends first.
    (re.compile(r"^time=.* msg=\"error waiting for container: context canceled\"\n", re.M), ""),
    (re.compile(r"sha256:[0-9a-f]{64}"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<id12>"),
    (ISO_TIME, "<time>"),
    (re.compile(SPAN + " ago"), "<ago>"),
    (re.compile(r"\bUp " + SPAN), "Up <span>"),
    (re.compile(r"\b\d+(\.\d+)?(B|kB|KB|MB|GB)\b"), "<size>"),
    (re.compile(r"\b172\.\d+\.\d+\.\d+\b"), "<ip>"),
    (re.compile(r"(0\.0\.0\.0|\[::\]|::):(3[2-9]|4\d|5\d|6\d)\d{3}\b"), r"\1:<port>"),
    # The runtime's own name and what it adds in front of the cause.
    (re.compile(r"(runc|crun) create failed: "), ""),
    (re.compile(r"mount src=\S+, dst=\S+, dstFd=\S+, flags=\S+: "), ""),
    (re.compile(r'"/\S+/(merged|rootfs)/'), '"<rootfs>/'),
    # dockerd binds a port on IPv4 and IPv6 in any order.
    (re.compile(r"Bind for (0\.0\.0\.0|::):"), "Bind for <any>:"),
    (re.compile(r'"(runc|crun)"'), '"<runtime>"'),
    # What the machine decides: processors, cgroup version.
    (re.compile(r"from 0\.01 to [\d.]+, as there are only \d+ CPUs"), "from 0.01 to <n>, as there are only <n> CPUs"),
    (re.compile(r'"CgroupnsMode": "(host|private)"'), '"CgroupnsMode": "<mode>"'),
    (re.compile(r'"OomKillDisable": (false|null)'), '"OomKillDisable": <unset>'),
    (re.compile(r"execDuration=\d+"), "execDuration=<n>"),
    (re.compile(r"unix:///\S+\.sock"), "<endpoint>"),
    (re.compile(r"/tmp/flodiff-bind-\w+"), "<bind>"),
    (re.compile(r"tcp://[\d.]+:\d+"), "<endpoint>"),
    # Column widths follow the contents that were replaced above.
    (re.compile(r"(?<=\S)[ \t]{2,}"), "  "),
    (re.compile(r"[ \t]+$", re.M), ""),
]


def normalise(text):
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def shape(value, depth):
    """Names and types of a JSON document, without its values."""
    if depth == 0 or value is None or isinstance(value, (bool, int, float, str)):
        return type(value).__name__
    if isinstance(value, dict):
        return {key: shape(item, depth - 1) for key, item in sorted(value.items())}
    return [shape(value[0], depth - 1)] if value else []


class Step:
    """One command of a case: `$ {options} command`, or `- command` for one that is not compared."""

    def __init__(self, line):
        self.recorded = line.startswith("$ ")
        rest = line[2:]
        self.options = []
        if rest.startswith("{"):
            listed, rest = rest[1:].split("}", 1)
            self.options = listed.split()
        self.command = rest.strip()

    def render(self, stdout):
        """What of the output is compared, before names and numbers are replaced."""
        for option in self.options:
            if option == "sort":
                stdout = "".join(sorted(stdout.splitlines(keepends=True)))
            elif option == "words":  # one line holding a set
                stdout = " ".join(sorted(stdout.split())) + "\n"
            elif option == "json" or option.startswith("shape:"):
                try:
                    value = json.loads(stdout)
                except ValueError:
                    continue
                if option != "json":
                    value = shape(value, int(option.split(":")[1]))
                stdout = json.dumps(value, indent=1, sort_keys=True) + "\n"
        return stdout


def load_case(path):
    with open(path, encoding="utf-8") as lines:
        return [Step(line.rstrip("\n")) for line in lines if line.startswith(("$ ", "- "))]


def entry(step, result):
    """One step of a transcript as text."""
    text = "$ " + step.command + "\n" + normalise(step.render(result.stdout))
    if text and not text.endswith("\n"):
        text += "\n"
    for line in normalise(result.stderr).splitlines():
        text += "! " + line + "\n"
    return text + "[exit %d]\n" % result.returncode


def split_entries(text):
    """A transcript's text as {command: [entry, ...]} in order, as (command, entry) pairs."""
    entries, current = [], None
    for line in text.splitlines(keepends=True):
        if current is None:
            current = line
        else:
            current += line
            if re.fullmatch(r"\[exit -?\d+\]\n", line):
                entries.append((current.split("\n", 1)[0][2:], current))
                current = None
    return entries
