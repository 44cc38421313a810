// @platformatic/kafka behind lines.
import {
  Admin, Consumer, MessagesStreamFallbackModes, MessagesStreamModes, ProduceAcks, Producer,
} from "@platformatic/kafka";
import { Shares, bootstrap, inTime, pairs, print, records, serve, show } from "./lines.mjs";

const who = { clientId: "platformatic", bootstrapBrokers: [bootstrap] };
const TOPIC_RESOURCE = 2;
const SET = 0;
const TIMES = { earliest: -2n, latest: -1n };

// Runs an action with something that is closed at the end, whatever becomes of it.
async function closing(thing, action, ...how) {
  try {
    return await action(thing);
  } finally {
    await thing.close(...how);
  }
}

const withAdmin = (action) => closing(new Admin(who), action);

function create(admin, topic, partitions, configs) {
  return admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: pairs(configs).map(([name, value]) => ({ name, value })) });
}

async function topics(admin) {
  const metadata = await admin.metadata({ topics: await admin.listTopics() });
  metadata.topics.forEach((topic, name) => print(name, topic.partitionsCount));
}

async function configs(admin, topic) {
  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: null }];
  const [found] = await admin.describeConfigs({ resources });
  found.configs.forEach((entry) => print(entry.name, entry.value));
}

function alter(admin, topic, name, value) {
  const configs = [{ name, configOperation: SET, value }];
  return admin.incrementalAlterConfigs({ resources: [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configs }] });
}

async function cluster(admin) {
  const metadata = await admin.metadata({});
  print(metadata.id);
  metadata.brokers.forEach((broker, id) => print(id, `${broker.host}:${broker.port}`));
}

async function count(admin, topic) {
  return (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount;
}

// [partition, offset] at a time.
async function listed(admin, topic, timestamp) {
  const partitions = Array.from({ length: await count(admin, topic) }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
  const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
  return found.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]);
}

async function offsets(admin, topic, when) {
  (await listed(admin, topic, TIMES[when] ?? BigInt(when))).forEach((place) => print(...place));
}

async function describe(admin, groupId) {
  const found = (await admin.describeGroups({ groups: [groupId] })).get(groupId);
  print(found.state, found.members.size);
}

async function committed(admin, topic, groupId) {
  const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
  const found = group.topics.find(({ name }) => name === topic);
  found.partitions.forEach(({ partitionIndex, committedOffset }) => print(partitionIndex, committedOffset));
}

function cut(admin, topic, partition, offset) {
  return admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: Number(partition), offset: BigInt(offset) }] }] });
}

async function produce(topic, codec, count) {
  const messages = (await records(count)).map(({ partition, timestamp, key, value, headers }) => ({
    topic, partition, key, value, timestamp: BigInt(timestamp),
    headers: new Map(headers.map(([name, data]) => [Buffer.from(name), data])),
  }));
  await closing(new Producer({ ...who, idempotent: true, acks: ProduceAcks.ALL, compression: codec, retries: 5 }), (producer) => producer.send({ messages }));
}

function showMessage(message) {
  show({ ...message, ...fields(message), headers: [...message.headers].map(([name, data]) => [name.toString(), data]) });
}

const fields = ({ partition, offset, timestamp, key, value }) => ({ partition, offset, timestamp, key, value });

const consumer = (groupId, more = {}) => new Consumer({ ...who, groupId, heartbeatInterval: 500, maxWaitTime: 500, autocommit: false, ...more });

// Prints so many records of a stream; the last of each partition.
async function take(stream, wanted) {
  const last = new Map();
  let left = wanted;
  await inTime(() => `${left} records did not come`, (resolve, reject) => {
    stream.on("error", reject);
    stream.on("data", (message) => {
      if (left <= 0) return;
      showMessage(message);
      last.set(message.partition, message);
      if (--left === 0) resolve();
    });
  });
  return last;
}

// A consumer of this client always has a group; reading all is a group of its own that commits nothing.
async function readFrom(admin, topic, timestamp) {
  const begins = await listed(admin, topic, timestamp);
  const ends = new Map(await listed(admin, topic, TIMES.latest));
  const total = begins.reduce((sum, [partition, offset]) => sum + Number(ends.get(partition) - offset), 0);
  const places = begins.map(([partition, offset]) => ({ topic, partition, offset }));
  if (total) await closing(consumer(`read-${topic}-${process.pid}-${Date.now()}`), async (reader) => {
    await take(await reader.consume({ topics: [topic], mode: MessagesStreamModes.MANUAL, offsets: places }), total);
  }, true);
}

const committing = { mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.EARLIEST };

async function group(topic, groupId, count) {
  await closing(consumer(groupId), async (member) => {
    const last = await take(await member.consume({ topics: [topic], ...committing }), Number(count));
    for (const message of last.values()) await message.commit();
  }, true);
}

// Two members share the partitions, and then the other leaves.
async function members(topic, groupId) {
  const [stays, leaves] = [consumer(groupId), consumer(groupId)];
  const shares = new Shares(2);
  for (const [index, member] of [stays, leaves].entries()) {
    member.on("consumer:group:join", ({ assignments }) =>
      shares.set(index, (assignments || []).filter((share) => share.topic === topic).flatMap((share) => share.partitions)));
    (await member.consume({ topics: [topic], ...committing })).resume();
  }
  await shares.settled();
  shares.print();
  shares.drop(1);
  await leaves.close(true);
  await shares.settled();
  shares.print();
  await stays.close(true);
}

serve({
  create: (topic, partitions, ...configs) => withAdmin((admin) => create(admin, topic, Number(partitions), configs)),
  topics: () => withAdmin(topics),
  delete: (topic) => withAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
  configs: (topic) => withAdmin((admin) => configs(admin, topic)),
  alter: (topic, name, value) => withAdmin((admin) => alter(admin, topic, name, value)),
  grow: (topic, total) => withAdmin((admin) => admin.createPartitions({ topics: [{ name: topic, count: Number(total) }] })),
  cut: (topic, partition, offset) => withAdmin((admin) => cut(admin, topic, partition, offset)),
  cluster: () => withAdmin(cluster),
  offsets: (topic, when) => withAdmin((admin) => offsets(admin, topic, when)),
  groups: () => withAdmin(async (admin) => (await admin.listGroups()).forEach((_, groupId) => print(groupId))),
  describe: (groupId) => withAdmin((admin) => describe(admin, groupId)),
  committed: (topic, groupId) => withAdmin((admin) => committed(admin, topic, groupId)),
  forget: (groupId) => withAdmin((admin) => admin.deleteGroups({ groups: [groupId] })),
  produce,
  read: (topic) => withAdmin((admin) => readFrom(admin, topic, TIMES.earliest)),
  since: (topic, when) => withAdmin((admin) => readFrom(admin, topic, BigInt(when))),
  group,
  members,
});
