// Serves the requests that tests/clients/lines.py describes.
import readline from "node:readline";

const PATIENCE_MS = 60000;
const input = readline.createInterface({ input: process.stdin, crlfDelay: Infinity })[Symbol.asyncIterator]();

export const bootstrap = process.argv[2];

// A line of the answer.
export const print = (...words) => process.stdout.write(words.join("\t") + "\n");
const parsed = (word) => (word === "-" ? null : Buffer.from(word.slice(1), "hex"));
const written = (data) => (data === null || data === undefined ? "-" : "x" + data.toString("hex"));

async function words() {
  const { value, done } = await input.next();
  return done ? null : value.split("\t");
}

// [name, value] of names and values that follow one another.
export function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]]);
}

// The records that follow a request to send them.
export async function records(count) {
  const found = [];
  while (found.length < Number(count)) {
    const [partition, timestamp, key, value, ...headers] = await words();
    const named = pairs(headers).map(([name, data]) => [name, parsed(data)]);
    found.push({ partition: Number(partition), timestamp, key: parsed(key), value: parsed(value), headers: named });
  }
  return found;
}

// A record that was read; its headers are [name, value].
export function show({ partition, offset, timestamp, key, value, headers }) {
  print(partition, offset, timestamp, written(key), written(value), ...headers.flatMap(([name, data]) => [name, written(data)]));
}

// What `begin` promises by calling its first argument, or an error once it takes too long.
export function inTime(sentence, begin) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(sentence())), PATIENCE_MS).unref();
    begin(resolve, reject);
  });
}

// What the members of a group hold; `settled` resolves once all hold something, and all three partitions together.
export class Shares {
  #held;
  #waiting = null;

  constructor(count) {
    this.#held = Array.from({ length: count }, () => []);
  }

  set(member, partitions) {
    this.#held[member] = partitions;
    this.#look();
  }

  drop(member) {
    this.#held.splice(member, 1);
  }

  settled() {
    return inTime(() => `the members hold ${JSON.stringify(this.#held)}`, (resolve) => {
      this.#waiting = resolve;
      this.#look();
    });
  }

  #look() {
    if (this.#waiting && this.#held.every((share) => share.length) && this.#held.flat().length === 3) {
      this.#waiting();
      this.#waiting = null;
    }
  }

  print() {
    this.#held.forEach((share) => print(...share));
  }
}

// Answers requests until there are no more.
export async function serve(requests) {
  for (let request = await words(); request; request = await words()) {
    try {
      await requests[request[0]](...request.slice(1));
    } catch (error) {
      print("!" + reason(error).replaceAll("\n", " "));
    }
    print(".");
  }
  process.exit(0);
}

// The innermost of errors that hold others, by its code if it has one.
function reason(error) {
  const inner = error.errors?.[0] ?? error.cause;
  return inner ? reason(inner) : String(error.type || error.apiId || error.message);
}
