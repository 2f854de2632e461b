package atalaia.bench;

/** One reading, in the form that Flink serialises without help: public fields and a constructor without arguments. */
public class Reading {
    public String device;
    public String sensor;
    public long timeMs;
    public double value;
}
