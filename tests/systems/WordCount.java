import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Counts the words of the topic LINES into the topic COUNTS, at least once: WordCount BOOTSTRAP STATE LINES COUNTS [SETTING=VALUE ...].
 * The words are partitioned again before they are counted, and the counts are kept in a changelog. Prints each state it reaches.
 * A setting without a value is left out.
 */
public class WordCount {
    public static void main(String[] arguments) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(arguments[2], Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withKeySerde(Serdes.String()))
            .toStream()
            .to(arguments[3], Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(arguments));
        streams.setStateListener((reached, before) -> System.out.println("state " + reached));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(30))));
        streams.start();
    }

    static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.putAll(Map.of(
            "application.id", "word-count", "bootstrap.servers", arguments[0], "state.dir", arguments[1],
            "num.stream.threads", 2, "commit.interval.ms", 200, "repartition.purge.interval.ms", 500,
            "session.timeout.ms", 6_000, "replication.factor", 1, "processing.guarantee", "at_least_once"));
        for (String word : List.of(arguments).subList(4, arguments.length)) {
            String[] setting = word.split("=", 2);
            if (setting[1].isEmpty()) settings.remove(setting[0]);
            else settings.put(setting[0], setting[1]);
        }
        return settings;
    }
}
