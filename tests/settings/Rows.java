import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSynonym;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Prints what brokers answer to DescribeConfigs: {@code Rows.java TOPIC:orders,BROKER:1 ADDRESS ...}.
 *
 * <p>A line a setting, its fields between tabs: address, resource, name, value, source, sensitive, read only, type, synonyms in
 * order, and whether there is documentation.
 */
public final class Rows {
    public static void main(String[] arguments) throws Exception {
        List<ConfigResource> resources = new ArrayList<>();
        for (String resource : arguments[0].split(",")) {
            String[] parts = resource.split(":", 2);
            resources.add(new ConfigResource(ConfigResource.Type.valueOf(parts[0]), parts[1]));
        }
        for (int at = 1; at < arguments.length; at++) print(arguments[at], resources);
    }

    private static void print(String address, Collection<ConfigResource> resources) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
            DescribeConfigsOptions all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
            Map<ConfigResource, Config> described = admin.describeConfigs(resources, all).all().get();
            for (ConfigResource resource : resources) {
                Map<String, ConfigEntry> sorted = new TreeMap<>();
                described.get(resource).entries().forEach(entry -> sorted.put(entry.name(), entry));
                String name = resource.type() + ":" + resource.name();
                sorted.values().forEach(entry -> System.out.println(address + "\t" + name + "\t" + line(entry)));
            }
        }
    }

    private static String line(ConfigEntry entry) {
        List<String> synonyms = new ArrayList<>();
        for (ConfigSynonym synonym : entry.synonyms()) {
            synonyms.add(synonym.source() + ":" + synonym.name() + "=" + synonym.value());
        }
        String documented = String.valueOf(entry.documentation() != null);
        return String.join("\t", entry.name(), String.valueOf(entry.value()), entry.source().toString(),
            String.valueOf(entry.isSensitive()), String.valueOf(entry.isReadOnly()), entry.type().toString(),
            String.join(";", synonyms), documented);
    }
}
