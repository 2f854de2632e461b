package atalaia.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * A record's JSON into a reading, token by token. Malformed records count as read and go no further.
 */
final class ReadingParser implements KafkaRecordDeserializationSchema<Reading> {
    private static final long serialVersionUID = 1;
    private static final int LOOK_EVERY = 1024;
    private static final JsonFactory JSON =
        JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();

    private int sinceLook;
    private String day = "";
    private long dayMs;

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Reading> out) {
        Reading reading = record.value() == null ? null : parse(record.value());
        if (reading != null) {
            out.collect(reading);
        }
        Progress.record();
        if (++sinceLook == LOOK_EVERY) {
            sinceLook = 0;
            Progress.look();
        }
    }

    @Override
    public TypeInformation<Reading> getProducedType() {
        return TypeInformation.of(Reading.class);
    }

    private Reading parse(byte[] payload) {
        var reading = new Reading();
        boolean time = false;
        boolean value = false;
        try (JsonParser parser = JSON.createParser(payload)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return null;
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "device" -> reading.device = text(parser, token);
                    case "sensor" -> reading.sensor = text(parser, token);
                    case "ts" -> {
                        reading.timeMs = millis(text(parser, token));
                        time = true;
                    }
                    case "value" -> {
                        value = token.isNumeric() && Double.isFinite(reading.value = parser.getDoubleValue());
                    }
                    default -> parser.skipChildren();
                }
            }
            boolean whole = parser.currentToken() == JsonToken.END_OBJECT && parser.nextToken() == null;
            return whole && time && value && reading.device != null && reading.sensor != null ? reading : null;
        } catch (IOException | DateTimeException malformed) {
            return null;
        }
    }

    private static String text(JsonParser parser, JsonToken token) throws IOException {
        if (token != JsonToken.VALUE_STRING) {
            throw new IOException("a text was expected");
        }
        return parser.getText();
    }

    /** Times of one layout by their digits, the day looked up once; all others the slow way. */
    private long millis(String text) {
        if (text.length() != 24 || text.charAt(23) != 'Z' || text.charAt(19) != '.') {
            return Instant.parse(text).toEpochMilli();
        }
        if (!text.startsWith(day) || day.isEmpty()) {
            dayMs = LocalDate.parse(text.substring(0, 10)).toEpochDay() * 86_400_000;
            day = text.substring(0, 11);
        }
        int seconds = (digits(text, 11, 2) * 60 + digits(text, 14, 2)) * 60 + digits(text, 17, 2);
        return dayMs + seconds * 1000L + digits(text, 20, 3);
    }

    private static int digits(String text, int from, int count) {
        int number = 0;
        for (int at = from; at < from + count; at++) {
            int digit = text.charAt(at) - '0';
            if (digit < 0 || digit > 9) {
                throw new DateTimeException("a digit was expected");
            }
            number = number * 10 + digit;
        }
        return number;
    }
}
