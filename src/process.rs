//! The standard figures of a process, under the names that all exporters give them: read when somebody asks.
//!
//! Not through the recorder: its counters are whole numbers, and processor time is not. What the system does not tell is
//! left out.

use std::fmt::{Display, Write};
use std::fs;
use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};
use types::Micros;

use crate::wall;

/// Name, kind and meaning.
pub const STANDARD: [(&str, &str, &str); 6] = [
    ("process_cpu_seconds_total", "counter", "Processor time of the process, its own and the system's for it"),
    ("process_resident_memory_bytes", "gauge", "Resident memory of the process"),
    ("process_open_fds", "gauge", "Files and connections that the process has open"),
    ("process_max_fds", "gauge", "How many it may have open"),
    ("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970"),
    ("process_threads", "gauge", "Threads of the process"),
];

static BEGAN: OnceLock<Micros> = OnceLock::new();

/// To be called early: what is not known of a process' beginning is taken to be now.
pub(crate) fn began() -> Micros {
    *BEGAN.get_or_init(wall::now)
}

/// Appends the figures in Prometheus' text format.
pub(crate) fn write(text: &mut String) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let [cpu, resident, open, max, start, threads] = &STANDARD;
    show(text, cpu, processor_seconds());
    show(text, resident, kib(&status, "VmRSS:"));
    show(text, open, open_files());
    show(text, max, limits.lines().find_map(|line| word(line.strip_prefix("Max open files")?)?.parse::<u64>().ok()));
    show(text, start, Some(began() as f64 / 1e6));
    show(text, threads, status.lines().find_map(|line| word(line.strip_prefix("Threads:")?)?.parse::<u64>().ok()));
}

/// None where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    kib(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The bytes that a line like `VmRSS:   1234 kB` tells.
pub(crate) fn kib(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn show(text: &mut String, (name, kind, meaning): &(&str, &str, &str), value: Option<impl Display>) {
    if let Some(value) = value {
        // Writing to memory cannot fail.
        let _ = write!(text, "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name} {value}\n\n");
    }
}

fn processor_seconds() -> Option<f64> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// Without the one by which they are counted.
fn open_files() -> Option<usize> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

fn word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn all_standard_figures_are_told_and_make_sense() {
        let figures = || {
            let mut text = String::new();
            write(&mut text);
            STANDARD.map(|(name, kind, _)| {
                assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{text}");
                value(&text, name)
            })
        };
        let [cpu, resident, open, max, start, threads] = figures();
        assert!(resident > f64::from(1 << 20) && cpu > 0.0 && threads >= 2.0, "{resident} {cpu} {threads}");
        assert!((1.0..=max).contains(&open), "{open} of {max}");
        assert!((start - wall::now() as f64 / 1e6).abs() < 3600.0, "{start}");
        let opened: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        // Other tests of this process open and close files, too.
        assert!(figures()[2] >= open + 25.0, "{} files more", opened.len());
    }

    #[test]
    fn sizes_are_read_as_the_system_writes_them() {
        assert_eq!(kib("A: 1 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12 << 10));
        assert_eq!(kib("VmRSS:\t  x kB\n", "VmRSS:"), None);
    }
}
