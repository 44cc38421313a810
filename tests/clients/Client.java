import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own Java client behind lines: a request on stdin is words between tabs, an answer on stdout is lines and then "." alone;
 * a line that starts with "!" is an error. Bytes are hexadecimal, "-" stands for null.
 */
public class Client {
    static final HexFormat HEX = HexFormat.of();
    static final Duration POLL = Duration.ofMillis(200);
    static final long PATIENCE_NANOS = Duration.ofSeconds(60).toNanos();

    static final String NAME = "java";

    final String bootstrap;
    final Admin admin;
    final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    Client(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(settings());
    }

    public static void main(String[] arguments) throws Exception {
        new Client(arguments[0]).serve();
    }

    void serve() throws Exception {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                answer(line.split("\t"));
            } catch (ExecutionException failure) {
                out.println("!" + failure.getCause().getClass().getSimpleName());
            } catch (Exception failure) {
                out.println("!" + failure);
            }
            out.println(".");
            out.flush();
        }
        admin.close();
    }

    void answer(String[] words) throws Exception {
        switch (words[0]) {
            case "create" -> create(words);
            case "topics" -> topics();
            case "delete" -> admin.deleteTopics(Set.of(words[1])).all().get();
            case "configs" -> configs(words[1]);
            case "cluster" -> cluster();
            case "produce" -> produce(words[1], words[2], Integer.parseInt(words[3]));
            case "read" -> read(words[1], words.length > 2 ? words[2] : "read_uncommitted");
            case "since" -> since(words[1], Long.parseLong(words[2]));
            case "group" -> group(words[1], words[2], Integer.parseInt(words[3]), null);
            case "static" -> group(words[1], words[2], Integer.parseInt(words[3]), words[4]);
            case "members" -> members(words[1], words[2]);
            case "offsets" -> offsets(words[1], words[2]);
            case "committed" -> committed(words[1], words[2]);
            case "groups" -> admin.listGroups().all().get().forEach(group -> out.println(group.groupId()));
            case "describe" -> describe(words[1]);
            case "forget" -> admin.deleteConsumerGroups(List.of(words[1])).all().get();
            case "alter" -> alter(words[1], words[2], words[3]);
            case "grow" -> admin.createPartitions(Map.of(words[1], NewPartitions.increaseTo(Integer.parseInt(words[2])))).all().get();
            case "cut" -> admin.deleteRecords(Map.of(
                new TopicPartition(words[1], Integer.parseInt(words[2])), RecordsToDelete.beforeOffset(Long.parseLong(words[3])))).all().get();
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    void create(String[] words) throws Exception {
        Map<String, String> configs = new TreeMap<>();
        for (int at = 3; at < words.length; at += 2) {
            configs.put(words[at], words[at + 1]);
        }
        NewTopic topic = new NewTopic(words[1], Integer.parseInt(words[2]), (short) 1).configs(configs);
        admin.createTopics(List.of(topic)).all().get();
    }

    void topics() throws Exception {
        Set<String> names = admin.listTopics().names().get();
        admin.describeTopics(names).allTopicNames().get()
            .forEach((name, topic) -> out.println(name + "\t" + topic.partitions().size()));
    }

    void configs(String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()
            .forEach(entry -> out.println(entry.name() + "\t" + entry.value()));
    }

    void cluster() throws Exception {
        out.println(admin.describeCluster().clusterId().get());
        admin.describeCluster().nodes().get()
            .forEach(node -> out.println(node.id() + "\t" + node.host() + ":" + node.port()));
    }

    Properties settings(Object... more) {
        Properties settings = pairs(more);
        settings.put("bootstrap.servers", bootstrap);
        settings.put("client.id", NAME);
        return settings;
    }

    static Properties pairs(Object... words) {
        Properties pairs = new Properties();
        for (int at = 0; at < words.length; at += 2) {
            pairs.put(words[at], words[at + 1]);
        }
        return pairs;
    }

    void produce(String topic, String codec, int count) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            records.add(record(topic, in.readLine().split("\t")));
        }
        Properties settings = settings("compression.type", codec, "enable.idempotence", true, "linger.ms", 20,
            "max.request.size", 10_000_000, "key.serializer", ByteArraySerializer.class, "value.serializer", ByteArraySerializer.class);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            records.forEach(record -> sent.add(producer.send(record)));
            for (Future<RecordMetadata> place : sent) {
                place.get();
            }
        }
    }

    /** partition, timestamp, key, value, then name and value of each header. */
    static ProducerRecord<byte[], byte[]> record(String topic, String[] words) {
        List<Header> headers = new ArrayList<>();
        for (int at = 4; at < words.length; at += 2) {
            headers.add(new RecordHeader(words[at], bytes(words[at + 1])));
        }
        return new ProducerRecord<>(topic, Integer.parseInt(words[0]), Long.parseLong(words[1]), bytes(words[2]), bytes(words[3]), headers);
    }

    static byte[] bytes(String word) {
        return word.equals("-") ? null : HEX.parseHex(word.substring(1));
    }

    static String word(byte[] bytes) {
        return bytes == null ? "-" : "x" + HEX.formatHex(bytes);
    }

    void print(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder();
        line.append(record.partition()).append('\t').append(record.offset()).append('\t').append(record.timestamp());
        line.append('\t').append(word(record.key())).append('\t').append(word(record.value()));
        record.headers().forEach(header -> line.append('\t').append(header.key()).append('\t').append(word(header.value())));
        out.println(line);
    }

    KafkaConsumer<byte[], byte[]> consumer(String group, Object... more) {
        Properties settings = settings("auto.offset.reset", "earliest", "enable.auto.commit", false, "max.poll.records", 10,
            "heartbeat.interval.ms", 500,
            "key.deserializer", ByteArrayDeserializer.class, "value.deserializer", ByteArrayDeserializer.class);
        if (group != null) {
            settings.put("group.id", group);
        }
        settings.putAll(pairs(more));
        return new KafkaConsumer<>(settings);
    }

    /** Up to the end that a reader of that isolation level has. */
    void read(String topic, String isolation) {
        read(topic, isolation, KafkaConsumer::seekToBeginning);
    }

    void since(String topic, long when) {
        read(topic, "read_uncommitted", (consumer, partitions) -> consumer
            .offsetsForTimes(partitions.stream().collect(Collectors.toMap(partition -> partition, partition -> when)))
            .forEach((partition, found) -> consumer.seek(partition, found.offset())));
    }

    /** Everything from where a function seeks to the ends. */
    void read(String topic, String isolation, BiConsumer<KafkaConsumer<byte[], byte[]>, List<TopicPartition>> seek) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(null, "isolation.level", isolation)) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            seek.accept(consumer, partitions);
            long begin = System.nanoTime();
            while (!partitions.stream().allMatch(partition -> consumer.position(partition) >= ends.get(partition))) {
                consumer.poll(POLL).forEach(this::print);
                patience(begin);
            }
        }
    }

    static void patience(long begin) {
        if (System.nanoTime() - begin > PATIENCE_NANOS) {
            throw new IllegalStateException("nothing more came");
        }
    }

    static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        return consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).toList();
    }

    /** With an instance it is a static member, which does not leave. */
    void group(String topic, String group, int count, String instance) {
        Object[] more = instance == null ? new Object[0] : new Object[] {"group.instance.id", instance};
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(group, more)) {
            consumer.subscribe(List.of(topic));
            int found = 0;
            long begin = System.nanoTime();
            while (found < count) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    print(record);
                    found++;
                }
                patience(begin);
            }
            consumer.commitSync();
        }
    }

    /** Two members of one group, polled in turn by one thread, until both hold partitions; then the other leaves. */
    void members(String topic, String group) {
        try (KafkaConsumer<byte[], byte[]> one = consumer(group)) {
            one.subscribe(List.of(topic));
            try (KafkaConsumer<byte[], byte[]> two = consumer(group)) {
                two.subscribe(List.of(topic));
                poll(List.of(one, two), () -> !one.assignment().isEmpty() && !two.assignment().isEmpty()
                    && Collections.disjoint(one.assignment(), two.assignment()));
                show(one.assignment());
                show(two.assignment());
            }
            poll(List.of(one), () -> one.assignment().size() == one.partitionsFor(topic).size());
            show(one.assignment());
        }
    }

    static void poll(List<KafkaConsumer<byte[], byte[]>> members, BooleanSupplier isDone) {
        long begin = System.nanoTime();
        while (!isDone.getAsBoolean()) {
            members.forEach(member -> member.poll(Duration.ofMillis(50)));
            patience(begin);
        }
    }

    void show(Set<TopicPartition> partitions) {
        out.println(partitions.stream().map(partition -> "" + partition.partition()).collect(Collectors.joining("\t")));
    }

    void committed(String topic, String group) throws Exception {
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, found) -> {
            if (partition.topic().equals(topic)) out.println(partition.partition() + "\t" + found.offset());
        });
    }

    void describe(String group) throws Exception {
        ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        out.println(found.groupState() + "\t" + found.members().size());
    }

    void alter(String topic, String name, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
    }

    void offsets(String topic, String when) throws Exception {
        if (when.equals("earliest") || when.equals("latest")) {
            OffsetSpec spec = when.equals("earliest") ? OffsetSpec.earliest() : OffsetSpec.latest();
            Map<TopicPartition, OffsetSpec> asked = new TreeMap<>(java.util.Comparator.comparingInt(TopicPartition::partition));
            admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic).partitions()
                .forEach(info -> asked.put(new TopicPartition(topic, info.partition()), spec));
            admin.listOffsets(asked).all().get()
                .forEach((partition, found) -> out.println(partition.partition() + "\t" + found.offset()));
            return;
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(null)) {
            Map<TopicPartition, Long> times = partitions(consumer, topic).stream()
                .collect(Collectors.toMap(partition -> partition, partition -> Long.parseLong(when)));
            for (Map.Entry<TopicPartition, OffsetAndTimestamp> found : consumer.offsetsForTimes(times).entrySet()) {
                out.println(found.getKey().partition() + "\t" + (found.getValue() == null ? -1 : found.getValue().offset()));
            }
        }
    }
}
