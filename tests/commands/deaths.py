"""What happens under commands while they run: the broker is killed and comes back, a topic goes and is made anew."""

import json
import signal
import subprocess
import threading

import absences
from broker import Runner, check, wait_until

SECONDS_MAX = 60
NUMBERS, LINES, PACED, REBORN = "mortal-numbers", "mortal-lines", "mortal-paced", "reborn"
SETTINGS = "retries=2147483647\nenable.idempotence=true\nheartbeat.interval.ms=300\nsession.timeout.ms=6000\n"
# How many records are acknowledged before the broker dies, and once it is back.
ENOUGH = 200


class Running(Runner):
    """A command that runs beside the test, and the lines that it has printed."""

    def __init__(self, commands, *words):
        command = commands.ours(*words, "--bootstrap-server", commands.broker.bootstrap)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.name, self.lines, self.said = words[0], [], []
        self.threads = [threading.Thread(target=self.read, args=pipe, daemon=True)
                        for pipe in ((self.process.stdout, self.lines), (self.process.stderr, self.said))]
        for thread in self.threads:
            thread.start()

    def read(self, pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    def feed(self, lines):
        """Gives it lines of input."""
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def events(self, name):
        """The events of this name, where it tells events."""
        told = [json.loads(line) for line in list(self.lines)]
        return [event for event in told if event["name"] == name]

    def end(self, with_signal=None):
        """Ends its input, or it by a signal; it must end with the code of that, and not complain of more than the broker."""
        if with_signal:
            self.process.send_signal(with_signal)
        else:
            self.process.stdin.close()
        code = self.process.wait(SECONDS_MAX)
        for thread in self.threads:
            thread.join(SECONDS_MAX)
        wanted = 128 + with_signal if with_signal else 0
        check(code == wanted and not any("panicked" in line for line in self.said), f"{self.name} ended with {code}: {self.said[-3:]}")


def killed(commands):
    """The broker is killed under everything that runs for long: all of it goes on, nothing acknowledged is lost, nothing is there twice."""
    settings = ("--command-config", str(commands.home / "mortal.properties"))
    group = ("--formatter-property", "print.offset=true", "--group", LINES, "--from-beginning")
    with (Running(commands, "verifiable-producer", "--topic", NUMBERS, "--throughput", "500", *settings) as numbers,
          Running(commands, "verifiable-consumer", "--topic", NUMBERS, "--group-id", NUMBERS, *settings) as reader,
          Running(commands, "console-producer", "--topic", LINES, "--timeout", "5", *settings) as lines,
          Running(commands, "console-consumer", "--topic", LINES, *group, *settings) as printer,
          Running(commands, "producer-perf-test", "--topic", PACED, "--num-records", "1000000", "--record-size", "10", "--throughput", "500",
                  *settings) as paced):
        lines.feed(range(ENOUGH))
        wait_until(lambda: acked(numbers) >= ENOUGH, SECONDS_MAX, "the producer is at work")
        wait_until(lambda: is_settled(reader), SECONDS_MAX, "the member is at work")
        wait_until(lambda: len(printer.lines) >= ENOUGH, SECONDS_MAX, "the lines are read")
        # A group that is not there yet cannot be watched.
        with Running(commands, "consumer-groups", "--describe", "--group", NUMBERS, "--watch", "1", "--output", "json", *settings) as watch:
            wait_until(lambda: watch.lines, SECONDS_MAX, "the group is watched")
            die_and_go_on(commands, numbers, reader, lines, printer, watch)
            watch.end(signal.SIGINT)
        for running in (numbers, reader, printer, paced):
            running.end(signal.SIGTERM)
    check("50th" in paced.lines[-1], f"it printed {paced.lines[-1:]}")
    check_numbers(commands, numbers)
    check_reader(reader, acked(numbers))
    came = commands.consume(LINES, 3 * ENOUGH)
    check(came == [str(number) for number in range(3 * ENOUGH)], f"{len(came)} lines are there, or in another order")


def die_and_go_on(commands, numbers, reader, lines, printer, watch):
    """The broker is killed and started again: everybody goes on."""
    commands.broker.kill()
    lines.feed(range(ENOUGH, 2 * ENOUGH))
    before, watched, commits = acked(numbers), len(watch.lines), len(reader.events("offsets_committed"))
    commands.broker.restart()
    lines.feed(range(2 * ENOUGH, 3 * ENOUGH))
    wait_until(lambda: acked(numbers) >= before + ENOUGH, SECONDS_MAX, "the producer goes on")
    wait_until(lambda: any(event["success"] for event in reader.events("offsets_committed")[commits:]), SECONDS_MAX, "the member goes on")
    wait_until(lambda: {int(line.split("\t")[1]) for line in list(printer.lines)} == set(range(3 * ENOUGH)), SECONDS_MAX,
               "all lines are read")
    wait_until(lambda: len(watch.lines) > watched, SECONDS_MAX, "the watch goes on")
    lines.end()


def acked(producer):
    """How many numbers were acknowledged."""
    return len(producer.events("producer_send_success"))


def is_settled(reader):
    """Whether the member has committed."""
    return any(event["success"] for event in reader.events("offsets_committed"))


def check_numbers(commands, producer):
    """Every number is there once, in order, where the producer was told."""
    told = producer.events("producer_send_success")
    check(not producer.events("producer_send_error"), f"not sent: {producer.events('producer_send_error')[:3]}")
    came = commands.consume(NUMBERS, len(told))
    check(came == [event["value"] for event in told], f"{len(told)} were acknowledged, {len(set(came))} of {len(came)} are there")
    check([event["offset"] for event in told] == list(range(len(told))), "they are not where it was told")


def check_reader(reader, count):
    """The member read every number at least once, and what it read twice it had not committed."""
    seen = set()
    for event in reader.events("records_consumed"):
        for part in event["partitions"]:
            check(part["minOffset"] <= len(seen), f"it left out {len(seen)} to {part['minOffset']}")
            seen |= set(range(part["minOffset"], part["maxOffset"] + 1))
    check(len(seen) > count / 2, f"it read {len(seen)} of {count}")


def reborn(commands):
    """A topic is deleted and made anew under a producer and a reader: both go on with the new one."""
    with (Running(commands, "console-consumer", "--topic", REBORN, "--from-beginning") as reader,
          Running(commands, "console-producer", "--topic", REBORN, "--timeout", "5") as producer):
        producer.feed(["a", "b", "c"])
        wait_until(lambda: reader.lines == ["a", "b", "c"], SECONDS_MAX, "the first lines are read")
        topics(commands, "--delete", "--topic", REBORN)
        # Somebody who asks for the topic may have made it by then.
        topics(commands, "--create", "--if-not-exists", "--topic", REBORN, "--partitions", "1")
        producer.feed(["d"])
        producer.end()
        wait_until(lambda: "d" in reader.lines, SECONDS_MAX, "what was sent to the new topic is read")
        reader.end(signal.SIGTERM)


def topics(commands, *words):
    done = subprocess.run(commands.ours("topics", "--bootstrap-server", commands.broker.bootstrap, *words), capture_output=True, text=True,
                          timeout=SECONDS_MAX)
    check(done.returncode == 0, f"topics {words} ended with {done.returncode}: {done.stdout}")


def run(commands, suite):
    """All of it."""
    (commands.home / "mortal.properties").write_text(SETTINGS)
    for topic in (NUMBERS, LINES, PACED, REBORN):
        commands.create(topic, 1)
    suite.step("a broker that is killed under everything", killed, commands)
    suite.step("a broker that is killed under a member whose output nobody reads", absences.survives, commands)
    suite.step("a topic that is made anew", reborn, commands)
