package atalaia.bench;

import org.apache.flink.formats.parquet.ParquetWriterFactory;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.conf.ParquetConfiguration;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

/** What is known of one series in one window, and how it becomes Parquet. */
public class Row {
    public String device;
    public String sensor;
    public long startMs;
    public long endMs;
    public long count;
    public double mean;
    public double deviation;
    public double min;
    public double max;
    public double score;
    public boolean anomaly;

    private static final MessageType SCHEMA = MessageTypeParser.parseMessageType("""
        message row {
          required binary device (STRING);
          required binary sensor (STRING);
          required int64 window_start (TIMESTAMP(MICROS,true));
          required int64 window_end (TIMESTAMP(MICROS,true));
          required int64 count;
          required double mean;
          required double std_pop;
          required double min;
          required double max;
          required double score;
          required boolean anomaly;
        }""");

    static ParquetWriterFactory<Row> parquet() {
        return new ParquetWriterFactory<>(file -> new Builder(file).withCompressionCodec(CompressionCodecName.ZSTD).build());
    }

    private static final class Builder extends ParquetWriter.Builder<Row, Builder> {
        Builder(OutputFile file) {
            super(file);
        }

        @Override
        protected Builder self() {
            return this;
        }

        @Override
        protected WriteSupport<Row> getWriteSupport(Configuration configuration) {
            return new Writer();
        }

        @Override
        protected WriteSupport<Row> getWriteSupport(ParquetConfiguration configuration) {
            return new Writer();
        }
    }

    private static final class Writer extends WriteSupport<Row> {
        private RecordConsumer consumer;
        private int column;

        @Override
        public WriteContext init(Configuration configuration) {
            return context();
        }

        @Override
        public WriteContext init(ParquetConfiguration configuration) {
            return context();
        }

        private static WriteContext context() {
            return new WriteContext(SCHEMA, java.util.Map.of());
        }

        @Override
        public void prepareForWrite(RecordConsumer recordConsumer) {
            consumer = recordConsumer;
        }

        @Override
        public void write(Row row) {
            consumer.startMessage();
            column = 0;
            field(() -> consumer.addBinary(Binary.fromString(row.device)));
            field(() -> consumer.addBinary(Binary.fromString(row.sensor)));
            field(() -> consumer.addLong(row.startMs * 1000));
            field(() -> consumer.addLong(row.endMs * 1000));
            field(() -> consumer.addLong(row.count));
            for (double number : new double[] {row.mean, row.deviation, row.min, row.max, row.score}) {
                field(() -> consumer.addDouble(number));
            }
            field(() -> consumer.addBoolean(row.anomaly));
            consumer.endMessage();
        }

        /** The columns in their order, each with one value. */
        private void field(Runnable add) {
            String name = SCHEMA.getFieldName(column);
            consumer.startField(name, column);
            add.run();
            consumer.endField(name, column);
            column++;
        }
    }
}
