// kafkajs behind lines. It has gzip itself; the other codecs are given to it as its documentation says.
import kafkajs from "kafkajs";
import SnappyCodec from "kafkajs-snappy";
import lz4 from "lz4-napi";
import { ZstdCodec } from "zstd-codec";
import { Shares, bootstrap, inTime, pairs, print, records, serve, show } from "./lines.mjs";

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs;
const kafka = new Kafka({ clientId: "kafkajs", brokers: [bootstrap], logLevel: logLevel.NOTHING });
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
const zstd = new Promise((resolve) => ZstdCodec.run((codec) => resolve(new codec.Streaming())));
CompressionCodecs[CODECS.snappy] = SnappyCodec;
CompressionCodecs[CODECS.lz4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CODECS.zstd] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
});

async function withAdmin(action) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await action(admin);
  } finally {
    await admin.disconnect();
  }
}

async function topics(admin) {
  const metadata = await admin.fetchTopicMetadata();
  metadata.topics.forEach((topic) => print(topic.name, topic.partitions.length));
}

async function create(admin, topic, numPartitions, configs) {
  const configEntries = pairs(configs).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] });
}

async function configs(admin, name) {
  const found = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name }], includeSynonyms: false });
  found.resources[0].configEntries.forEach((entry) => print(entry.configName, entry.configValue));
}

function alter(admin, topic, name, value) {
  return admin.alterConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }],
    validateOnly: false,
  });
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

// What it knows of a topic it must have asked for before.
async function cut(admin, topic, partition, offset) {
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
}

async function describe(admin, groupId) {
  const { groups } = await admin.describeGroups([groupId]);
  print(groups[0].state, groups[0].members.length);
}

async function committed(admin, topic, groupId) {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  found.partitions.forEach((place) => print(place.partition, place.offset));
}

async function produce(topic, codec, count) {
  const messages = (await records(count)).map((record) => ({ ...record, headers: grouped(record.headers) }));
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 5 } });
  await producer.connect();
  try {
    await producer.send({ topic, messages, acks: -1, compression: CODECS[codec] });
  } finally {
    await producer.disconnect();
  }
}

// Headers as an object; a name that comes again has all its values.
function grouped(headers) {
  const found = {};
  for (const [name, value] of headers) found[name] = name in found ? [found[name], value].flat() : value;
  return found;
}

function showMessage({ partition, message }) {
  const headers = Object.entries(message.headers || {}).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  show({ ...message, partition, headers });
}

// A consumer of kafkajs always has a group; reading all is a group of its own that commits nothing.
async function read(admin, topic) {
  const bounds = await admin.fetchTopicOffsets(topic);
  await readFrom(topic, bounds.map(({ partition, low, high }) => ({ partition, low, high })));
}

async function since(admin, topic, when) {
  const bounds = await admin.fetchTopicOffsets(topic);
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, Number(when));
  const lows = new Map(found.map((place) => [place.partition, place.offset]));
  await readFrom(topic, bounds.map(({ partition, high }) => ({ partition, low: lows.get(partition), high })));
}

async function readFrom(topic, bounds) {
  const total = bounds.reduce((sum, bound) => sum + Number(bound.high) - Number(bound.low), 0);
  if (total) await take(topic, `read-${topic}-${process.pid}-${Date.now()}`, total, false, bounds);
}

// Prints each record as it is handled, commits the next offset after it, and leaves once enough were handled.
async function take(topic, groupId, wanted, commit, bounds = []) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 500 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let left = wanted;
  const places = new Map();
  await inTime(() => `${left} records did not come`, (resolve, reject) => {
    const eachMessage = async (payload) => {
      if (left <= 0) return;
      showMessage(payload);
      places.set(payload.partition, String(BigInt(payload.message.offset) + 1n));
      if (--left === 0) resolve();
    };
    consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    bounds.forEach(({ partition, low }) => consumer.seek({ topic, partition, offset: low }));
  });
  const offsets = [...places].map(([partition, offset]) => ({ topic, partition, offset }));
  if (commit) await consumer.commitOffsets(offsets);
  await consumer.disconnect();
}

// Two members share the partitions, and then the other leaves.
async function members(topic, groupId) {
  const [stays, leaves] = [0, 1].map(() => kafka.consumer({ groupId, heartbeatInterval: 500 }));
  const shares = new Shares(2);
  for (const [index, member] of [stays, leaves].entries()) {
    member.on(member.events.GROUP_JOIN, ({ payload }) => shares.set(index, payload.memberAssignment[topic] || []));
    await member.connect();
    await member.subscribe({ topics: [topic], fromBeginning: true });
    await member.run({ autoCommit: false, eachMessage: async () => {} });
  }
  await shares.settled();
  shares.print();
  shares.drop(1);
  await leaves.disconnect();
  await shares.settled();
  shares.print();
  await stays.disconnect();
}

serve({
  create: (topic, partitions, ...configs) => withAdmin((admin) => create(admin, topic, Number(partitions), configs)),
  topics: () => withAdmin(topics),
  delete: (topic) => withAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
  configs: (topic) => withAdmin((admin) => configs(admin, topic)),
  alter: (topic, name, value) => withAdmin((admin) => alter(admin, topic, name, value)),
  grow: (topic, count) => withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count: Number(count) }] })),
  cut: (topic, partition, offset) => withAdmin((admin) => cut(admin, topic, Number(partition), offset)),
  cluster: () => withAdmin(cluster),
  offsets: (topic, when) => withAdmin((admin) => offsets(admin, topic, when)),
  groups: () => withAdmin(async (admin) => (await admin.listGroups()).groups.forEach((group) => print(group.groupId))),
  describe: (groupId) => withAdmin((admin) => describe(admin, groupId)),
  committed: (topic, groupId) => withAdmin((admin) => committed(admin, topic, groupId)),
  forget: (groupId) => withAdmin((admin) => admin.deleteGroups([groupId])),
  produce,
  read: (topic) => withAdmin((admin) => read(admin, topic)),
  since: (topic, when) => withAdmin((admin) => since(admin, topic, when)),
  group: (topic, groupId, count) => take(topic, groupId, Number(count), true),
  members,
});
