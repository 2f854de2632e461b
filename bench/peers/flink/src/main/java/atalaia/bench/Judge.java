package atalaia.bench;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** A closed window of a device into a row for each sensor that has a model. */
final class Judge extends ProcessWindowFunction<DeviceWindow, Row, String, TimeWindow> {
    private static final long serialVersionUID = 1;

    private final String folder;
    private transient Models models;

    Judge(String folder) {
        this.folder = folder;
    }

    @Override
    public void open(OpenContext context) throws Exception {
        models = Models.shared(folder);
    }

    @Override
    public void process(String device, Context context, Iterable<DeviceWindow> windows, Collector<Row> out) {
        for (DeviceWindow window : windows) {
            for (int at = 0; at < window.sensors; at++) {
                Models.Model model = models.get(device, window.names[at]);
                if (model != null) {
                    out.collect(row(device, context.window(), window, at, model));
                    Progress.row();
                }
            }
        }
    }

    private static Row row(String device, TimeWindow time, DeviceWindow window, int at, Models.Model model) {
        var row = new Row();
        row.device = device;
        row.sensor = window.names[at];
        row.startMs = time.getStart();
        row.endMs = time.getEnd();
        row.count = window.counts[at];
        row.mean = window.means[at];
        row.deviation = window.deviation(at);
        row.min = window.mins[at];
        row.max = window.maxs[at];
        row.score = model.decision(new double[] {row.mean, row.deviation, row.min, row.max});
        row.anomaly = row.score <= 0;
        return row;
    }
}
