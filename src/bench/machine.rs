//! What a figure was measured on, and what the process used meanwhile.

use serde::Serialize;

use crate::engine::clock;
use crate::media::Timestamp;

/// The machine behind a figure: processor, cores, GPU and system, nothing else of where it was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Logical processors that the process may use.
    pub cores: usize,
    /// GPU adapter.
    pub gpu: String,
    /// Graphics API.
    pub backend: String,
    /// Operating system.
    pub os: String,
}

impl Machine {
    /// This machine, drawing with `gpu` through `backend`.
    #[must_use]
    pub fn this(gpu: String, backend: String) -> Self {
        Self {
            cpu: cpu_model(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            gpu,
            backend,
            os: os_name(),
        }
    }
}

/// Processor time and memory of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds of processor time, all threads, user and system.
    pub cpu_s: f64,
    /// Resident set in MiB.
    pub rss_mib: f64,
    /// What of it would be free without this process (its own pages, no files of programs and libraries), in MiB.
    pub own_mib: f64,
}

impl Usage {
    /// As it is now; zeros where the system does not tell (only Linux is read).
    #[must_use]
    pub fn now() -> Self {
        Self {
            cpu_s: cpu_seconds().unwrap_or(0.0),
            rss_mib: status_mib("VmRSS:").unwrap_or(0.0),
            own_mib: status_mib("RssAnon:").unwrap_or(0.0),
        }
    }
}

/// Watches what the process uses over a stretch of time.
pub struct Meter {
    began: Timestamp,
    usage: Usage,
    threads: Vec<(String, f64)>,
}

/// What the process used over a stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    /// Processor seconds per second, all threads.
    pub cpu_s_per_s: f64,
    /// The same by the name of the thread, the busiest first.
    pub by_thread: Vec<(String, f64)>,
    /// Resident memory at the end in MiB.
    pub rss_mib: f64,
    /// The part of it that is no file's.
    pub own_mib: f64,
}

impl Meter {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: clock::now(), usage: Usage::now(), threads: cpu_by_thread() }
    }

    /// Ends now.
    #[must_use]
    pub fn stop(self) -> Spent {
        let (usage, seconds) = (Usage::now(), clock::now().since(self.began).as_secs_f64().max(1e-3));
        let before = |name: &str| self.threads.iter().find(|(known, _)| known == name).map_or(0.0, |(_, cpu_s)| *cpu_s);
        let mut by_thread = cpu_by_thread();
        for (name, cpu_s) in &mut by_thread {
            *cpu_s = (*cpu_s - before(name)) / seconds;
        }
        by_thread.sort_by(|a, b| b.1.total_cmp(&a.1));
        Spent {
            cpu_s_per_s: (usage.cpu_s - self.usage.cpu_s) / seconds,
            by_thread,
            rss_mib: usage.rss_mib,
            own_mib: usage.own_mib,
        }
    }
}

/// Processor seconds of every thread of this process by its name, threads of one name added up.
#[must_use]
pub fn cpu_by_thread() -> Vec<(String, f64)> {
    let mut threads: Vec<(String, f64)> = Vec::new();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return threads };
    for task in tasks.flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let Some(seconds) = cpu_seconds_of(&stat) else { continue };
        let name = &stat[open + 1..close];
        match threads.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += seconds,
            None => threads.push((name.to_owned(), seconds)),
        }
    }
    threads
}

fn cpu_seconds() -> Option<f64> {
    cpu_seconds_of(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 14 and 15 of proc(5) `stat`, in clock ticks of 1/100 s (`USER_HZ` on every Linux).
fn cpu_seconds_of(stat: &str) -> Option<f64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

fn status_mib(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

fn cpu_model() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            text.lines()
                .find(|line| line.starts_with("model name"))
                .and_then(|line| line.split_once(':'))
                .map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn os_name() -> String {
    std::fs::read_to_string("/etc/os-release")
        .ok()
        .and_then(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("PRETTY_NAME="))
                .map(|name| name.trim_matches('"').to_owned())
        })
        .unwrap_or_else(|| std::env::consts::OS.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_thread_may_hold_anything() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds_of(stat), Some(2.0));
        assert_eq!(cpu_seconds_of("7 (x"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        assert!(Usage::now().rss_mib > 1.0);
        assert!(!cpu_by_thread().is_empty());
    }
}
