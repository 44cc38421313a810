"""Plays a case at one version to one broker, and takes down what comes back."""

import time

from broker import Failure
from codec import Malformed
from schema import request
from script import RAW_ID, Answer, Ask, Case, Hangup, NoTopic, Raw, Topic, Variables, at_path, on_topic
from wire import Closed, Connection, read_answer

READY_SECONDS = 20
# Coordinators make their topics and producer ids when they are first asked; then they load.
AWAKE = Case(
    "FindCoordinator", "coordinators are awake",
    Ask("FindCoordinator", {"coordinator_keys": ["g"]}, until={"coordinators.0.error_code": 0}),
    Ask("Heartbeat", {"group_id": "g", "member_id": "nobody"}, until={"error_code": 25}),
    Ask("InitProducerId", {"transactional_id": None, "transaction_timeout_ms": 60_000}, until={"error_code": 0}))
PAUSE_SECONDS = 0.01
CLOSED, SILENT, HANGS = "closed", "no answer", "hangs"


class Player:
    """One broker, and a connection to it that outlives the cases."""

    def __init__(self, broker, newest):
        self.broker = broker
        # The newest version of each API that both brokers have.
        self.newest = newest
        self.kept = None
        # The ids of topics whose name has no `@`: the first case that wants one makes it for all.
        self.shared = {}

    def play(self, case, versions, own):
        """The outcomes of the steps that are compared, and the variables. `versions` are those under test."""
        run = Run(self, versions, Variables(own))
        try:
            return [outcome for step in case.steps for outcome in run.outcomes(step)], run.variables
        finally:
            run.end()


class Run:
    """One case at one version."""

    def __init__(self, player, versions, variables):
        self.player = player
        self.versions = versions
        self.variables = variables
        self.connections = {}

    def version(self, step):
        if step.version is not None:
            return step.version
        return self.versions.get(step.api, self.player.newest.get(step.api))

    def connection(self, name):
        if name == "a":
            self.player.kept = self.player.kept or Connection(self.player.broker.port)
            return self.player.kept
        if name not in self.connections:
            self.connections[name] = Connection(self.player.broker.port)
        return self.connections[name]

    def hang_up(self, name):
        self.connection(name).close()
        if name == "a":
            self.player.kept = None
        else:
            del self.connections[name]

    def end(self):
        """Ends the connections but the one that is kept, and that one too if it still owes an answer."""
        for name in list(self.connections):
            self.hang_up(name)
        if self.player.kept and self.player.kept.asked:
            self.hang_up("a")

    def outcomes(self, step):
        """The one outcome of a step, or none if it is not compared."""
        found = self.does(step)
        return [found] if getattr(step, "compared", True) and found is not None else []

    def does(self, step):
        match step:
            case Ask():
                return self.ask(step)
            case Answer():
                return self.guarded(step.on, lambda: self.answer(step))
            case Raw():
                return self.guarded("a", lambda: self.raw(step))
            case Topic():
                return self.make(step)
            case NoTopic():
                return self.remove(step)
            case Hangup():
                return self.hang_up(step.on)

    def guarded(self, on, action):
        """What the action returns, or in a word how the connection ended."""
        try:
            return action()
        except Closed:
            found = CLOSED
        except TimeoutError:
            found = HANGS
        except Malformed as error:
            found = f"malformed: {error}"
        self.hang_up(on)
        return found

    def ask(self, step):
        if step.until is None:
            return self.guarded(step.on, lambda: self.ask_once(step))
        deadline = time.monotonic() + READY_SECONDS
        while True:
            found = self.guarded(step.on, lambda: self.ask_once(step))
            if has(found, step.until):
                return found
            if time.monotonic() > deadline:
                raise Failure(f"{step.api} never gave {step.until}: {found}")
            time.sleep(PAUSE_SECONDS)

    def ask_once(self, step):
        connection = self.connection(step.on)
        connection.send(step.api, self.version(step), self.variables.resolve(step.fields))
        if step.later:
            return None
        if not step.answered:
            connection.forget()
            connection.ask("ApiVersions", 0, {})
            return SILENT
        return self.saved(step, connection.receive())

    def answer(self, step):
        return self.saved(step, self.connection(step.on).receive())

    def saved(self, step, answer):
        self.variables.save(step.save, answer)
        return answer

    def raw(self, step):
        connection = self.connection("a")
        version = self.versions.get(step.api, 0)
        connection.send_bytes(step.data(version))
        return read_answer(step.api, version, RAW_ID, connection.receive_frame())

    def make(self, step):
        name = self.variables.text(step.name)
        if name in self.player.shared:
            self.variables.saved[f"{name}.id"] = self.player.shared[name]
            return
        made = self.asked("CreateTopics", topics=[{
            "name": name, "num_partitions": step.partitions, "replication_factor": 1,
            "configs": [{"name": key, "value": value} for key, value in step.configs.items()]}])
        if made["topics"][0]["error_code"]:
            raise Failure(f"topic {name}: {made}")
        topic_id = made["topics"][0]["topic_id"]
        self.variables.saved[f"{name}.id"] = topic_id
        if "@" not in step.name:
            self.player.shared[name] = topic_id
        wanted = [{"partition_index": index, "timestamp": -1} for index in range(step.partitions)]
        self.until(lambda: self.all_lead(name, wanted), f"{name} can be read")

    def all_lead(self, name, wanted):
        listed = self.asked("ListOffsets", topics=[on_topic(name, partitions=wanted)])
        return not any(one["error_code"] for one in listed["topics"][0]["partitions"])

    def remove(self, step):
        name = self.variables.text(step.name)
        self.asked("DeleteTopics", topics=[{"name": name}], timeout_ms=10_000)
        self.until(lambda: self.is_unknown(name), f"{name} is gone")

    def is_unknown(self, name):
        wanted = [{"partition_index": 0, "timestamp": -1}]
        listed = self.asked("ListOffsets", topics=[on_topic(name, partitions=wanted)])
        return listed["topics"][0]["partitions"][0]["error_code"] == 3

    def until(self, condition, sentence):
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"not within {READY_SECONDS} s: {sentence}")
            time.sleep(PAUSE_SECONDS)

    def asked(self, api, **fields):
        return self.connection("a").ask(api, self.player.newest[api], self.variables.resolve(fields))


def has(answer, wanted):
    """Whether an answer has the values at the paths."""
    try:
        return all(at_path(answer, path) == value for path, value in wanted.items())
    except (KeyError, IndexError, TypeError):
        return False


def unknown_fields(case):
    """Names that no version of a request has: mistakes of who wrote the case."""
    known = {"name", "topic", "topic_id", "_tags"}
    return {name for step in case.steps if isinstance(step, Ask)
            for name in names_in(step.fields) - known - request(step.api).names()}


def names_in(value):
    """Every name in nested fields."""
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in names_in(one)}
    if isinstance(value, (list, tuple)):
        return {name for one in value for name in names_in(one)}
    return set()
