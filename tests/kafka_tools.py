"""Apache Kafka's tools, all in one JVM: what a suite calls of them costs no start of its own."""

import base64
import subprocess

from broker import REPOSITORY, check, java

ALONE_SECONDS_MAX = 90


class KafkaTools:
    """The JVM; as a context it ends with the block."""

    def __init__(self):
        command = java(["Calls.java"])
        command[-1] = str(REPOSITORY / "tests" / "commands" / "Calls.java")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # (tool, words) of each call.
        self.called = []

    def call(self, tool, words, stdin):
        """Exit code, standard output and standard error of a tool, which is named by its class."""
        self.called.append((tool, list(words)))
        texts = [tool, *words, stdin]
        self.process.stdin.write(" ".join(base64.b64encode(text.encode()).decode() for text in texts) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n").split(" ")
        check(len(answer) == 3, f"no answer from Kafka's tools: {answer}")
        return int(answer[0]), *(base64.b64decode(text).decode(errors="replace") for text in answer[1:])

    def call_alone(self, tool, words, stdin):
        """The same in a JVM of its own: some tools say their last words as the JVM ends."""
        self.called.append((tool, list(words)))
        command = java([tool, *words], log_level="ERROR")
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=ALONE_SECONDS_MAX)
        return done.returncode, done.stdout, done.stderr

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
