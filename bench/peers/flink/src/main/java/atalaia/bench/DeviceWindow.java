package atalaia.bench;

import java.util.Arrays;
import org.apache.flink.api.common.functions.AggregateFunction;

/**
 * What a window knows of a device: its sensors in order of appearance, and of each the running count, mean, sum of squared
 * deviations, least and largest. Public fields, because Flink serialises it into the checkpoints.
 */
public class DeviceWindow {
    public int sensors;
    public String[] names = new String[8];
    public long[] counts = new long[8];
    public double[] means = new double[8];
    public double[] squares = new double[8];
    public double[] mins = new double[8];
    public double[] maxs = new double[8];

    void add(String sensor, double value) {
        int at = find(sensor);
        long count = ++counts[at];
        // Welford's way: no cancellation.
        double before = value - means[at];
        means[at] += before / count;
        squares[at] += before * (value - means[at]);
        mins[at] = Math.min(mins[at], value);
        maxs[at] = Math.max(maxs[at], value);
    }

    double deviation(int at) {
        return Math.sqrt(squares[at] / counts[at]);
    }

    private int find(String sensor) {
        for (int at = 0; at < sensors; at++) {
            if (names[at].equals(sensor)) {
                return at;
            }
        }
        if (sensors == names.length) {
            grow(2 * sensors);
        }
        names[sensors] = sensor;
        mins[sensors] = Double.POSITIVE_INFINITY;
        maxs[sensors] = Double.NEGATIVE_INFINITY;
        return sensors++;
    }

    private void grow(int size) {
        names = Arrays.copyOf(names, size);
        counts = Arrays.copyOf(counts, size);
        means = Arrays.copyOf(means, size);
        squares = Arrays.copyOf(squares, size);
        mins = Arrays.copyOf(mins, size);
        maxs = Arrays.copyOf(maxs, size);
    }

    static final class Fold implements AggregateFunction<Reading, DeviceWindow, DeviceWindow> {
        private static final long serialVersionUID = 1;

        @Override
        public DeviceWindow createAccumulator() {
            return new DeviceWindow();
        }

        @Override
        public DeviceWindow add(Reading reading, DeviceWindow window) {
            window.add(reading.sensor, reading.value);
            return window;
        }

        @Override
        public DeviceWindow getResult(DeviceWindow window) {
            return window;
        }

        @Override
        public DeviceWindow merge(DeviceWindow one, DeviceWindow other) {
            throw new UnsupportedOperationException("tumbling windows do not merge");
        }
    }
}
