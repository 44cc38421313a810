"""The house style over every command: help, exit codes, completion by a shell, JSON as docs/commands.md tells it, and a terminal."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from broker import CLUSTER_ID, check, wait_until, yeoul_binary

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "commands.md"
SECONDS_MAX = 60
# Those that stand for no tool of Kafka's.
OWN = ["server", "cache", "install-tools", "completion"]
ESCAPE = b"\x1b"
# Those that take the flags that lead to a cluster, and come to none; and one whose file of settings is first of all that of a controller.
OFFLINE = {("features", "version-mapping"), ("features", "feature-dependencies"), ("metadata-quorum", "add-controller")}
# What a shell offers for flags, and what was typed of it.
OFFERED = {("--output", ""): ["text", "json"], ("--output", "j"): ["json"], ("--type", "C"): ["Consumer", "Classic"]}


def run(*words, stdin=b"", environment=None):
    """The finished command."""
    environment = {**os.environ, **(environment or {})}
    return subprocess.run([yeoul_binary(), *words], input=stdin, capture_output=True, timeout=SECONDS_MAX, env=environment)


def on_a_terminal(*words, environment=None):
    """What a command writes on a terminal that is its standard error, and on a pipe that is its standard output."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **(environment or {})}
    process = subprocess.Popen([yeoul_binary(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    # The terminal is at its end once nobody holds the other side.
    while select.select([ours], [], [], SECONDS_MAX)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    out = process.stdout.read()
    return process.wait(SECONDS_MAX), out, shown


class House:
    """Every command that does something, by the words that lead to it, with its help."""

    def __init__(self):
        self.helps = {}
        self.find([])

    def find(self, path):
        done = run(*path, "--help")
        check(done.returncode == 0 and not done.stderr, f"{path} --help ended with {done.returncode}: {done.stderr}")
        text = done.stdout.decode()
        inner = re.search(r"\nCommands:\n((?:  .*\n)+)", text)
        if not inner:
            self.helps[tuple(path)] = text
        for line in inner[1].splitlines() if inner else []:
            self.find([*path, line.split()[0]])

    def flags(self, path):
        """The long flags that help tells of."""
        return set(re.findall(r"^ +(?:-\w, )?(--[\w.-]+)", self.helps[path], re.M))

    def help(self):
        """What it does, then examples, on standard output."""
        for path, text in self.helps.items():
            about, empty, examples = text.splitlines()[:3]
            check(about and not empty and examples == "Examples:", f"{path}: {text[:200]}")
        return f"{len(self.helps)} commands"

    def version(self):
        """Kafka's of what stands for a tool of Kafka's."""
        for path in self.helps:
            done = run(*path, "--version")
            told = done.stdout.decode()
            check(done.returncode == 0, f"{path} ended with {done.returncode}")
            check((told == "4.3.1\n") == (path[0] not in OWN), f"{path} printed {told}")

    def nonsense(self):
        """A line that makes no sense: nothing on standard output, and the code that the page tells."""
        for path in self.helps:
            done = run(*path, "--no-such-flag")
            wanted = 2 if path[0] in OWN else 1
            check(done.returncode == wanted and not done.stdout and done.stderr, f"{path} ended with {done.returncode}: {done}")

    def completion(self):
        """A shell completes the flags that help tells of, and words that a flag takes."""
        script = ['source <("$0" completion bash)']
        for path in self.helps:
            words = " ".join(["yeoul", *path, "--"])
            script.append(f'COMP_WORDS=({words}); COMP_CWORD={len(path) + 1}; _yeoul yeoul -- {path[-1]}; echo "${{COMPREPLY[@]}}"')
        for flag, typed in OFFERED:
            words = f"yeoul consumer-groups {flag} {typed}"
            script.append(f'COMP_WORDS=({words}); COMP_CWORD=3; _yeoul yeoul "{typed}" {flag}; echo "${{COMPREPLY[@]}}"')
        done = subprocess.run(["bash", "-c", "\n".join(script), yeoul_binary()], capture_output=True, text=True, timeout=SECONDS_MAX)
        lines = done.stdout.splitlines()
        check(len(lines) == len(self.helps) + len(OFFERED), f"{len(lines)} answers: {done.stderr[-500:]}")
        offered = [line.split() for line in lines[len(self.helps):]]
        check(offered == list(OFFERED.values()), f"a shell offers {offered}")
        for path, line in zip(self.helps, lines):
            known = {word for word in line.split() if word.startswith("--")}
            check(known >= self.flags(path), f"{path}: a shell does not know {self.flags(path) - known}")

    def example(self, path):
        """The first example of a command, in one line."""
        _, _, after = self.helps[path].partition("Examples:\n")
        return after.partition("\n\n")[0].replace("\\\n", " ").splitlines()[0].strip()

    def settings(self):
        """Every command that talks to a broker reads a client's settings: what it does not know is told, what it cannot do is refused."""
        with tempfile.TemporaryDirectory(prefix="house-") as home:
            file = Path(home) / "client.properties"
            file.write_text("no.such.setting=1\nsecurity.protocol=SASL_SSL\n")
            (Path(home) / "topics.json").write_text('{"topics": [{"topic": "flights"}], "version": 1}')
            for path in [path for path in self.helps if "--command-config" in self.flags(path)]:
                if path in OFFLINE:
                    continue
                # A trial may have no need of the cluster.
                line = f"{self.example(path).replace(' --dry-run', '')} --command-config {file}"
                done = subprocess.run(["bash", "-c", f"yeoul() {{ '{yeoul_binary()}' \"$@\"; }}; {line}"], cwd=home, capture_output=True,
                                      text=True, timeout=SECONDS_MAX)
                told = done.stdout + done.stderr
                check("no.such.setting is not used" in done.stderr, f"{line}: {told}")
                check("security.protocol=SASL_SSL is not supported" in told, f"{line}: {told}")
                check(done.returncode == (0 if path == ("consumer-groups",) else 1), f"{line} ended with {done.returncode}")

    def progress(self):
        """What takes longer than a second is shown on a terminal, until it is done, and nowhere else."""
        with tempfile.TemporaryDirectory(prefix="house-") as home, socket.create_server(("127.0.0.1", 0)) as silent:
            file = Path(home) / "client.properties"
            file.write_text("default.api.timeout.ms=1600\nrequest.timeout.ms=1600\n")
            place = f"127.0.0.1:{silent.getsockname()[1]}"
            words = ("topics", "--bootstrap-server", place, "--list", "--command-config", str(file))
            code, _, shown = on_a_terminal(*words)
            text = shown.decode()
            line = f"connecting to {place}: 1 s"
            check(code == 1 and f"\r{line}" in text, f"a terminal was shown {shown}")
            _, _, after = text.rpartition(line)
            check(after.startswith("\r" + " " * len(line) + "\r") and line not in after, f"it was not taken back: {shown}")
            check("connecting" not in run(*words).stderr.decode().replace("cannot connect", ""), "it is shown in a pipe")

    def colour(self):
        """Colours on a terminal alone, and not where NO_COLOR says so."""
        words = ("topics", "--no-such-flag")
        _, _, shown = on_a_terminal(*words)
        check(ESCAPE in shown, f"a terminal was shown {shown}")
        _, _, shown = on_a_terminal(*words, environment={"NO_COLOR": "1"})
        check(shown and ESCAPE not in shown, f"in spite of NO_COLOR a terminal was shown {shown}")
        check(ESCAPE not in run(*words).stderr, "there are colours in a pipe")



TOPIC = "house"
GROUP = "tenants"
# The calls whose JSON is looked at, for each command that has it. What the fields are is on the page, all of them and no others.
BROKER = "--bootstrap-server {broker}"
CALLS = {
    "storage info": ["--config {home}/server.properties"],
    "storage version-mapping": [""],
    "storage feature-dependencies": ["--feature transaction.version=2 --feature eligible.leader.replicas.version=1"],
    "storage recover": ["--log-dir {home}/recovered"],
    "topics": [f"{BROKER} --list", f"{BROKER} --describe", f"{BROKER} --describe --topics-with-overrides", f"{BROKER} --list --topic none"],
    "configs": [f"{BROKER} --describe --topic {TOPIC}", f"{BROKER} --describe --broker-defaults"],
    "console-consumer": [f"{BROKER} --topic {TOPIC} --from-beginning --max-messages 1"],
    "consumer-groups": [
        f"{BROKER} --list", *[f"{BROKER} --describe --group {GROUP} {view}" for view in ("", "--lag-time", "--members", "--state", "--watch 1")],
        f"{BROKER} --reset-offsets --group {GROUP}-gone --topic {TOPIC} --to-latest --dry-run",
        f"{BROKER} --delete-offsets --group {GROUP}-gone --topic {TOPIC}", f"{BROKER} --delete --group {GROUP}-gone"],
    "groups": [f"{BROKER} --list"],
    "get-offsets": [f"{BROKER} --topic {TOPIC}"],
    "delete-records": [f"{BROKER} --topic {TOPIC} --partition 0 --before-offset 0"],
    "client-metrics": [f"{BROKER} --list", f"{BROKER} --describe"],
    "broker-api-versions": [BROKER],
    "cluster cluster-id": [BROKER],
    "cluster list-endpoints": [BROKER],
    "cluster api-versions": [BROKER],
    "features describe": [BROKER],
    "features upgrade": [f"{BROKER} --feature group.version=1 --dry-run"],
    "features downgrade": [f"{BROKER} --feature group.version=0 --dry-run"],
    "features disable": [f"{BROKER} --feature share.version --dry-run"],
    "features version-mapping": ["--release-version 4.0"],
    "features feature-dependencies": ["--feature group.version=1"],
    "leader-election": [f"{BROKER} --election-type preferred --topic {TOPIC} --partition 0"],
    "log-dirs": [f"{BROKER} --describe --topic-list {TOPIC}"],
    "producer-perf-test": [
        f"{BROKER} --topic {TOPIC} --num-records 20 --record-size 10 --throughput -1 --reporting-interval 1 --warmup-records 5"],
    "consumer-perf-test": [f"{BROKER} --topic {TOPIC} --messages 1 --show-detailed-stats --reporting-interval 1"],
    "e2e-latency": [f"{BROKER} --topic {TOPIC}-late --num-records 3 --producer-acks 1 --record-size 8"],
    "metadata-quorum describe": [f"{BROKER} --replication", f"{BROKER} --status"],
}
# How commands end otherwise than with 0 for what was done, 1 for what was not, and the code for a line that makes no sense.
EXITS = [
    ("storage info --config {home}/nowhere.properties", 1),
    (f"console-consumer {BROKER} --topic {TOPIC}-late --timeout-ms 200", 0),
    (f"consumer-groups {BROKER} --delete --group nobody", 0),
    (f"consumer-groups {BROKER} --delete --group nobody --output json", 1),
    (f"get-offsets {BROKER} --topic nothing-like-it", 1),
    (f"delete-records {BROKER} --topic {TOPIC} --partition 0 --before-offset 999", 0),
    (f"leader-election {BROKER} --election-type preferred --topic nothing-like-it --partition 0", 1),
    (f"features {BROKER} upgrade --feature group.version=99", 1),
    (f"consumer-perf-test {BROKER} --topic {TOPIC}-late --num-records 1000 --timeout 200", 0),
    (f"topics {BROKER} --create --topic {TOPIC}", 1),
]
# `tests/run seen` looks at that of `cache`, `transactions.py` at those of a broker that has transactions.
OF_TRANSACTIONS = {f"transactions {command}" for command in ("list", "describe", "describe-producers", "find-hanging")}
ELSEWHERE = {"cache", *OF_TRANSACTIONS}
# Fields that come of what Yeoul does not serve yet: they may be missing.
ELSEWHERE_FIELDS = {"configs": {"entity", "quotas", "credentials", "mechanism", "iterations"}}
# Fields whose names are settings.
MAPS = {"configs"}


def rows():
    """What `--output json` writes, by command, as the page tells it."""
    cells = [line.split("|")[1:3] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {command.strip(" `"): form.strip() for command, form in cells}


def fields(command, told):
    """The names of fields that the page has for a command; of one that is as another, the other's."""
    cell = told[command]
    others = re.findall(r"as `([\w -]+)`", cell)
    own = set(re.findall(r"`(\w+)`", re.sub(r"as `[^`]+`", "", cell)))
    return own.union(*[fields(other, told) for other in others])


def names(value, inside=""):
    """The names of fields in JSON; those of a map of settings are none."""
    if isinstance(value, list):
        return set().union(*[names(one) for one in value])
    if isinstance(value, dict):
        deeper = [names(one, name) for name, one in value.items()]
        return set().union(*deeper) if inside in MAPS else set(value).union(*deeper)
    return set()


def first_line(words):
    """The first line of standard output of a command that is then told to stop, or has ended by itself."""
    process = subprocess.Popen([yeoul_binary(), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, error = process.communicate(timeout=SECONDS_MAX)
    check(not rest or "--watch" in words, f"{words} has more to say: {rest[:200]}")
    check(line, f"{words} says nothing: {error.decode()[-500:]}")
    return line


class Json:
    """The JSON of every command that has it, beside what the page tells of it."""

    def __init__(self, commands, house):
        self.places = {"broker": commands.broker.bootstrap, "home": str(commands.broker.home)}
        self.told = rows()
        self.wanted = {" ".join(path) for path in house.helps if "--output" in house.flags(path)}

    def all_are_looked_at(self):
        """No command that has it is forgotten here."""
        check(self.wanted == set(CALLS) | ELSEWHERE, f"forgotten or gone: {self.wanted ^ (set(CALLS) | ELSEWHERE)}")

    def of(self, command):
        """What a command writes is one line of an array, or of an object where the page says so, with the fields of the page."""
        found = set()
        for call in CALLS[command]:
            words = [*command.split(), *call.format(**self.places).split(), "--output", "json"]
            value = json.loads(first_line(words))
            is_single = "an object" in self.told[command] or "a line" in self.told[command]
            check(isinstance(value, list) or is_single, f"{words} wrote {value}")
            found |= names(value)
        told = fields(command, self.told)
        check(found <= told, f"not on the page: {found - told}")
        check(told - found <= ELSEWHERE_FIELDS.get(command, set()), f"on the page alone: {told - found}")


def exits(commands):
    """What ends otherwise does so as the page tells."""
    places = {"broker": commands.broker.bootstrap, "home": str(commands.broker.home)}
    (commands.broker.home / "nowhere.properties").write_text(
        (commands.broker.home / "recovered.properties").read_text().replace("/recovered", "/nowhere"))
    for line, code in EXITS:
        done = run(*line.format(**places).split())
        check(done.returncode == code, f"{line} ended with {done.returncode}: {done.stdout} {done.stderr}")


def prepare(commands):
    """A directory that is formatted, a topic with a record, a group that has left and one that has a member, a resource of clients' metrics."""
    commands.create(TOPIC, 1)
    commands.produce(TOPIC, ["h:v\tkey\tvalue"], "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
    for words in (["configs", "--alter", "--topic", TOPIC, "--add-config", "retention.ms=90000000"],
                  ["client-metrics", "--alter", "--name", TOPIC, "--metrics", "org"]):
        done = run(words[0], "--bootstrap-server", commands.broker.bootstrap, *words[1:])
        check(done.returncode == 0, f"{words} ended with {done.returncode}: {done.stderr}")
    commands.consume(TOPIC, 1, "--group", f"{GROUP}-gone")
    properties = commands.broker.home / "recovered.properties"
    lines = {**commands.broker.properties(), "log.dirs": str(commands.broker.home / "recovered")}
    properties.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    done = run("storage", "format", "--cluster-id", CLUSTER_ID, "--config", str(properties))
    check(done.returncode == 0, f"format ended with {done.returncode}: {done.stderr}")


def run_all(commands, suite):
    """All of it."""
    house = House()
    for step in (house.help, house.version, house.nonsense, house.completion, house.settings, house.colour, house.progress):
        suite.step(f"every command: {step.__name__}", step)
    prepare(commands)
    reader = commands.ours("console-consumer", "--bootstrap-server", commands.broker.bootstrap, "--topic", TOPIC, "--group", GROUP,
                           "--from-beginning", "--command-property", "auto.commit.interval.ms=100")
    member = subprocess.Popen(reader, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: commands.is_settled(GROUP, 1, 1), SECONDS_MAX, "the member has read all and said so")
        told = Json(commands, house)
        suite.step("json: every command that has it", told.all_are_looked_at)
        for command in CALLS:
            suite.step(f"json: {command}", told.of, command)
        suite.step("every command: how it ends otherwise", exits, commands)
    finally:
        member.kill()
        member.wait()
