package atalaia.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.io.LocalInputFile;

/**
 * The registry: RBF one-class SVMs of the workload's four features, by device and sensor, each judged by its sign.
 */
final class Models {
    private static Models shared;

    private final Map<String, Map<String, Model>> models = new HashMap<>();

    /** Read once for all tasks of the process; numbers that nobody changes can be shared. */
    static synchronized Models shared(String folder) throws IOException {
        if (shared == null) {
            shared = new Models(folder);
        }
        return shared;
    }

    Model get(String device, String sensor) {
        Map<String, Model> sensors = models.get(device);
        return sensors == null ? null : sensors.get(sensor);
    }

    private Models(String folder) throws IOException {
        try (var files = Files.newDirectoryStream(Path.of(folder), "*.parquet")) {
            for (Path file : files) {
                read(file);
            }
        }
    }

    private void read(Path file) throws IOException {
        try (ParquetReader<Group> reader = new Reader(file).build()) {
            for (Group row = reader.read(); row != null; row = reader.read()) {
                if (!row.getString("kernel", 0).equals("rbf") || has(row, "threshold") || has(row, "features")) {
                    throw new IOException("this peer knows RBF models of the workload's features, judged by their sign");
                }
                String device = row.getString("device", 0);
                models.computeIfAbsent(device, name -> new HashMap<>()).put(row.getString("sensor", 0), new Model(row));
            }
        }
    }

    private static boolean has(Group row, String column) {
        return row.getFieldRepetitionCount(column) > 0;
    }

    private static double[] list(Group row, String column) {
        Group list = row.getGroup(column, 0);
        var numbers = new double[list.getFieldRepetitionCount(0)];
        for (int at = 0; at < numbers.length; at++) {
            numbers[at] = list.getGroup(0, at).getDouble(0, 0);
        }
        return numbers;
    }

    private static final class Reader extends ParquetReader.Builder<Group> {
        Reader(Path file) {
            super(new LocalInputFile(file), new PlainParquetConfiguration());
        }

        @Override
        protected ReadSupport<Group> getReadSupport() {
            return new GroupReadSupport();
        }
    }

    static final class Model {
        private final double[] mean;
        private final double[] scale;
        private final double[] supportVectors;
        private final double[] coefficients;
        private final double gamma;
        private final double intercept;

        private Model(Group row) {
            mean = list(row, "mean");
            scale = list(row, "scale");
            supportVectors = list(row, "support_vectors");
            coefficients = list(row, "coefficients");
            gamma = row.getDouble("gamma", 0);
            intercept = row.getDouble("intercept", 0);
        }

        /** Scales the features in place. */
        double decision(double[] features) {
            int width = features.length;
            for (int feature = 0; feature < width; feature++) {
                features[feature] = (features[feature] - mean[feature]) / scale[feature];
            }
            double sum = intercept;
            for (int vector = 0; vector < coefficients.length; vector++) {
                double distance = 0;
                for (int feature = 0; feature < width; feature++) {
                    double difference = features[feature] - supportVectors[vector * width + feature];
                    distance += difference * difference;
                }
                sum += coefficients[vector] * Math.exp(-gamma * distance);
            }
            return sum;
        }
    }
}
