// kafkajs behind the lines that tests/clients/lines.py describes.
"use strict";

const readline = require("node:readline");
const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require("kafkajs");

const PATIENCE_MS = 60000;
const kafka = new Kafka({ clientId: "yeoul-tests", brokers: [process.argv[2]], logLevel: logLevel.NOTHING });
const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity })[Symbol.asyncIterator]();

const print = (...words) => process.stdout.write(words.join("\t") + "\n");
const parsed = (word) => (word === "-" ? null : Buffer.from(word.slice(1), "hex"));
const written = (data) => (data === null || data === undefined ? "-" : "x" + data.toString("hex"));

async function words() {
  const { value, done } = await lines.next();
  return done ? null : value.split("\t");
}

async function withAdmin(action) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await action(admin);
  } finally {
    await admin.disconnect();
  }
}

const requests = {
  create: (topic, partitions, ...pairs) => withAdmin((admin) => create(admin, topic, Number(partitions), pairs)),
  topics: () => withAdmin(topics),
  delete: (topic) => withAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
  configs: (topic) => withAdmin((admin) => configs(admin, topic)),
  cluster: () => withAdmin(cluster),
  offsets: (topic, when) => withAdmin((admin) => offsets(admin, topic, when)),
  produce,
  read: (topic) => withAdmin((admin) => read(admin, topic)),
  group,
  members,
};

async function create(admin, topic, numPartitions, pairs) {
  const configEntries = [];
  for (let at = 0; at < pairs.length; at += 2) configEntries.push({ name: pairs[at], value: pairs[at + 1] });
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] });
}

async function topics(admin) {
  const metadata = await admin.fetchTopicMetadata();
  metadata.topics.forEach((topic) => print(topic.name, topic.partitions.length));
}

async function configs(admin, name) {
  const found = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name }], includeSynonyms: false });
  found.resources[0].configEntries.forEach((entry) => print(entry.configName, entry.configValue));
}

async function cluster(admin) {
  const found = await admin.describeCluster();
  print(found.clusterId);
  found.brokers.forEach((broker) => print(broker.nodeId, `${broker.host}:${broker.port}`));
}

// The ends stand for a time that is later than all records: kafkajs says so itself.
async function offsets(admin, topic, when) {
  const bounds = await admin.fetchTopicOffsets(topic);
  if (when === "earliest") return bounds.forEach((bound) => print(bound.partition, bound.low));
  if (when === "latest") return bounds.forEach((bound) => print(bound.partition, bound.high));
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, Number(when));
  const highs = new Map(bounds.map((bound) => [bound.partition, bound.high]));
  found.forEach((place) => print(place.partition, place.offset === highs.get(place.partition) ? -1 : place.offset));
}

async function produce(topic, codec, count) {
  const messages = [];
  for (let index = 0; index < Number(count); index++) messages.push(message(await words()));
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 5 } });
  await producer.connect();
  try {
    await producer.send({ topic, messages, acks: -1, compression: codec === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None });
  } finally {
    await producer.disconnect();
  }
}

function message([partition, timestamp, key, value, ...pairs]) {
  const headers = {};
  for (let at = 0; at < pairs.length; at += 2) headers[pairs[at]] = parsed(pairs[at + 1]);
  return { partition: Number(partition), timestamp, key: parsed(key), value: parsed(value), headers };
}

function show({ partition, message: found }) {
  const headers = Object.entries(found.headers || {}).flatMap(([name, value]) => [name, written(value)]);
  print(partition, found.offset, found.timestamp, written(found.key), written(found.value), ...headers);
}

// A consumer of kafkajs always has a group; reading all is a group of its own that commits nothing.
async function read(admin, topic) {
  const bounds = await admin.fetchTopicOffsets(topic);
  const total = bounds.reduce((sum, bound) => sum + Number(bound.high), 0);
  await take(topic, `read-${process.pid}-${Date.now()}`, total, false);
}

function group(topic, groupId, count) {
  return take(topic, groupId, Number(count), true);
}

// Prints each record as it is handled, commits the next offset after it, and leaves once enough were handled.
async function take(topic, groupId, wanted, commit) {
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let left = wanted;
  const places = new Map();
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${left} records did not come`)), PATIENCE_MS).unref();
    const eachMessage = async (payload) => {
      if (left <= 0) return;
      show(payload);
      places.set(payload.partition, String(BigInt(payload.message.offset) + 1n));
      if (--left === 0) resolve();
    };
    consumer.run({ autoCommit: false, eachMessage }).catch(reject);
  });
  const offsets = [...places].map(([partition, offset]) => ({ topic, partition, offset }));
  if (commit) await consumer.commitOffsets(offsets);
  await consumer.disconnect();
}

async function members(topic, groupId) {
  const both = [kafka.consumer({ groupId }), kafka.consumer({ groupId })];
  const shares = [[], []];
  const settled = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`the members hold ${JSON.stringify(shares)}`)), PATIENCE_MS).unref();
    both.forEach((member, index) =>
      member.on(member.events.GROUP_JOIN, ({ payload }) => {
        shares[index] = payload.memberAssignment[topic] || [];
        if (shares.every((share) => share.length) && shares.flat().length === 3) resolve();
      }),
    );
  });
  for (const member of both) {
    await member.connect();
    await member.subscribe({ topics: [topic], fromBeginning: true });
    await member.run({ autoCommit: false, eachMessage: async () => {} });
  }
  await settled;
  await Promise.all(both.map((member) => member.disconnect()));
  shares.forEach((share) => print(...share));
}

async function serve() {
  for (let request = await words(); request; request = await words()) {
    try {
      await requests[request[0]](...request.slice(1));
    } catch (error) {
      print("!" + String(error.type || error.message).replaceAll("\n", " "));
    }
    print(".");
  }
  process.exit(0);
}

serve();
