package atalaia.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/**
 * Peer of the benchmark: the whole job on Flink, in its local mini-cluster, with exactly-once checkpoints.
 *
 * <p>Written as one would for speed without leaving the DataStream API: keyed by device with one accumulator for all its
 * sensors, plain classes that Flink serialises itself, objects reused, state on the heap.
 */
public final class FleetJob {
    private static final Duration WINDOW = Duration.ofSeconds(10);
    private static final Duration OUT_OF_ORDERNESS = Duration.ofSeconds(2);
    private static final Duration CHECKPOINT_INTERVAL = Duration.ofSeconds(10);

    public static void main(String[] args) throws Exception {
        Map<String, String> options = options(args);
        long events = Long.parseLong(required(options, "events"));
        Path scratch = Files.createTempDirectory("flink-peer-");
        try {
            Progress.expect(events);
            run(options, scratch);
        } finally {
            delete(scratch);
        }
        if (Progress.records() < events) {
            throw new IllegalStateException(Progress.records() + " records of " + events + " came");
        }
        System.out.println(Progress.summary());
        // Threads of the client libraries may linger.
        System.exit(0);
    }

    private static void run(Map<String, String> options, Path scratch) throws Exception {
        var environment = StreamExecutionEnvironment.createLocalEnvironment(
            Integer.parseInt(options.getOrDefault("parallelism", "1")), configuration(scratch));

        var source = KafkaSource.<Reading>builder()
            .setBootstrapServers(required(options, "brokers"))
            .setTopics(required(options, "topic"))
            .setGroupId("bench-peer-flink")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.latest())
            .setDeserializer(new ReadingParser())
            .build();
        // The source keeps a clock for each partition and follows the slowest.
        var clock = WatermarkStrategy.<Reading>forBoundedOutOfOrderness(OUT_OF_ORDERNESS)
            .withTimestampAssigner((reading, fromBroker) -> reading.timeMs);
        var sink = FileSink.forBulkFormat(new org.apache.flink.core.fs.Path(required(options, "out")), Row.parquet())
            .withBucketAssigner(new BasePathBucketAssigner<>())
            .withOutputFileConfig(OutputFileConfig.builder().withPartPrefix("rows").withPartSuffix(".parquet").build())
            .build();

        environment.fromSource(source, clock, "topic")
            .keyBy(reading -> reading.device)
            .window(TumblingEventTimeWindows.of(WINDOW))
            .aggregate(new DeviceWindow.Fold(), new Judge(required(options, "models")))
            .sinkTo(sink);
        environment.execute("fleet");
    }

    private static Configuration configuration(Path scratch) {
        var configuration = new Configuration();
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL);
        configuration.set(CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE, CheckpointingMode.EXACTLY_ONCE);
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, scratch.resolve("checkpoints").toUri().toString());
        configuration.set(CoreOptions.TMP_DIRS, scratch.toString());
        configuration.set(WebOptions.TMP_DIR, scratch.toString());
        configuration.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        configuration.set(PipelineOptions.OBJECT_REUSE, true);
        // No type may fall back to slow generic serialisation unnoticed.
        configuration.set(PipelineOptions.GENERIC_TYPES, false);
        // A failure ends the run: a restart would count records twice.
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        return configuration;
    }

    private static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int at = 0; at + 1 < args.length; at += 2) {
            options.put(args[at].replaceFirst("^--", ""), args[at + 1]);
        }
        return options;
    }

    private static String required(Map<String, String> options, String name) {
        String value = options.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    /** The mini-cluster is still clearing up for a moment after the job has ended, in the same folder. */
    private static void delete(Path folder) throws InterruptedException {
        for (int attempt = 0; attempt < 20 && Files.exists(folder); attempt++) {
            try (var paths = Files.walk(folder)) {
                paths.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
            } catch (IOException | UncheckedIOException goneMeanwhile) {
                // The next attempt sees what is left.
            }
            Thread.sleep(100);
        }
    }

    private FleetJob() {}
}
