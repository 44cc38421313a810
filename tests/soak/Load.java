import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own Java client: Load write BOOTSTRAP WRITER RATE, or Load read BOOTSTRAP. What is written where is in load.py. */
public class Load {
    static final String[] TOPICS = {"soak-kept", "soak-short"};
    static final int PARTITIONS = 3;
    static final int[] BYTES = {10, 300, 900, 40, 1_500, 100, 5_000};

    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    static volatile boolean running = true;
    static volatile boolean failed;

    public static void main(String[] arguments) throws Exception {
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(main)));
        if (arguments[0].equals("write")) {
            write(arguments[1], arguments[2], Integer.parseInt(arguments[3]));
        } else {
            read(arguments[1]);
        }
        OUT.flush();
        Runtime.getRuntime().halt(failed ? 1 : 0);
    }

    /** SIGTERM waits until the loop has ended in order. */
    static void end(Thread main) {
        running = false;
        try {
            main.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    static Properties settings(Object... pairs) {
        Properties settings = new Properties();
        for (int at = 0; at < pairs.length; at += 2) {
            settings.put(pairs[at], pairs[at + 1]);
        }
        return settings;
    }

    static byte[] value(String writer, int number) {
        String filling = "%07d".formatted(number).repeat(BYTES[number % BYTES.length] / 7);
        return (writer + " " + number + " " + filling).getBytes(StandardCharsets.UTF_8);
    }

    static void write(String bootstrap, String writer, int rate) throws InterruptedException {
        Properties settings = settings("bootstrap.servers", bootstrap, "enable.idempotence", true, "compression.type", "lz4", "linger.ms", 5,
            "delivery.timeout.ms", 300_000, "key.serializer", ByteArraySerializer.class, "value.serializer", ByteArraySerializer.class);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
            long begin = System.nanoTime();
            int number = 0;
            while (running && !failed) {
                for (long due = (System.nanoTime() - begin) * rate / 1_000_000_000; number < due; number++) {
                    send(producer, writer, number);
                }
                OUT.flush();
                Thread.sleep(50);
            }
        }
    }

    static void send(KafkaProducer<byte[], byte[]> producer, String writer, int number) {
        int place = number % (TOPICS.length * PARTITIONS);
        byte[] key = Integer.toString(number).getBytes(StandardCharsets.UTF_8);
        producer.send(new ProducerRecord<>(TOPICS[place / PARTITIONS], place % PARTITIONS, key, value(writer, number)), (taken, failure) -> {
            if (failure != null) {
                System.err.println("record " + number + " was not taken: " + failure);
                failed = true;
                return;
            }
            OUT.println(taken.topic() + " " + taken.partition() + " " + taken.offset() + " " + number);
        });
    }

    static void read(String bootstrap) {
        Properties settings = settings("bootstrap.servers", bootstrap, "group.id", "soak", "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "session.timeout.ms", 6_000, "heartbeat.interval.ms", 1_000,
            "key.deserializer", ByteArrayDeserializer.class, "value.deserializer", ByteArrayDeserializer.class);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(TOPICS));
            while (running) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
                records.forEach(Load::handle);
                OUT.flush();
                commit(consumer);
            }
        }
    }

    static void handle(ConsumerRecord<byte[], byte[]> record) {
        String[] name = new String(record.value(), StandardCharsets.UTF_8).split(" ", 3);
        OUT.println(record.topic() + " " + record.partition() + " " + record.offset() + " " + name[0] + " " + name[1]);
    }

    /** A commit that fails (the broker is away, the group moved on) is made good by the next one. */
    static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync();
        } catch (KafkaException failure) {
            System.err.println("not committed: " + failure);
        }
    }
}
