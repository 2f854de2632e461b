package atalaia.bench;

import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;

/**
 * What all tasks did together, and when. The mini-cluster is one process, so plain static fields reach all of it.
 */
final class Progress {
    private static final LongAdder RECORDS = new LongAdder();
    private static final LongAdder ROWS = new LongAdder();
    private static long events;
    private static volatile Mark tenth;
    private static volatile Mark nineTenths;

    private record Mark(long records, long nanos) {}

    static void expect(long count) {
        events = count;
    }

    static void record() {
        RECORDS.increment();
    }

    static void row() {
        ROWS.increment();
    }

    /** To be called now and then: it costs more than counting. */
    static synchronized void look() {
        long records = RECORDS.sum();
        if (tenth == null && records >= 0.1 * events) {
            tenth = new Mark(records, System.nanoTime());
        }
        if (nineTenths == null && records >= 0.9 * events) {
            nineTenths = new Mark(records, System.nanoTime());
        }
    }

    static long records() {
        return RECORDS.sum();
    }

    /** The line that the benchmark reads. */
    static String summary() {
        double rate = 0;
        if (tenth != null && nineTenths != null && nineTenths.nanos > tenth.nanos) {
            rate = (nineTenths.records - tenth.records) * 1e9 / (nineTenths.nanos - tenth.nanos);
        }
        return String.format(
            Locale.ROOT, "{\"records\": %d, \"rows\": %d, \"steady_events_per_s\": %.1f}", records(), ROWS.sum(), rate);
    }

    private Progress() {}
}
