//! `visavis bench network`: runs the matrix, shows how far it is, prints one table, writes JSON and HTML.

use std::path::Path;
use std::sync::Arc;

use super::args::BenchNetworkArgs;
use super::bench::{explain, progress, write_text};
use super::checks::{check_apart, check_outputs, check_video};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::link::read_trace;
use super::output;
use crate::bench::call::BenchError;
use crate::bench::html::network::network_page;
use crate::bench::network::report::NetworkReport;
use crate::bench::network::scenarios::{SCENARIOS, Scenario};
use crate::bench::network::{ABLATION, Run, variants};
use crate::engine::config::{Adaptation, VideoSettings};

/// Runs it.
pub fn bench_network(arguments: &BenchNetworkArgs) -> Result<(), CliError> {
    let outputs = [("--json", arguments.json.as_deref()), ("--html", arguments.html.as_deref())];
    check_outputs(outputs)?;
    check_apart(&[("--source", arguments.source.file())], &outputs)?;
    let runs = matrix(arguments)?;
    let interrupt = Interrupt::watch(|| {})?;
    let (mut cells, mut sections) = (Vec::new(), Vec::new());
    for (number, run) in (1..).zip(&runs) {
        eprintln!("{number} of {}, {} s: {}", runs.len(), run.seconds, run.title());
        let bar = progress(run.seconds);
        let result = run.run(&interrupt.switch(), |second| bar.set_position(second));
        bar.finish_and_clear();
        match result {
            Ok(done) => {
                cells.push(done.cell);
                sections.push(done.section);
            }
            // What has been measured is not thrown away.
            Err(BenchError::Stopped) if !cells.is_empty() => break,
            Err(error) => return Err(explain(error)),
        }
    }
    let report = NetworkReport::new(cells, sections.len() == runs.len());
    output::tell(&report.to_string(), arguments.json.as_deref())?;
    if let Some(path) = &arguments.json {
        output::write_json(path, &report)?;
    }
    if let Some(path) = &arguments.html {
        write_text(path, &network_page(&report, &sections))?;
    }
    interrupt.check()?;
    verdict(&report, arguments.strict)
}

fn verdict(report: &NetworkReport, strict: bool) -> Result<(), CliError> {
    let titles = |broken: bool| {
        let missed = report.missed();
        missed.iter().filter(|cell| cell.error.is_some() == broken).map(|cell| cell.title.clone()).collect::<Vec<_>>()
    };
    let (broken, missed) = (titles(true), titles(false));
    if !broken.is_empty() {
        return Err(CliError::failure(format!("the call broke over {}", broken.join("; "))));
    }
    if strict && !missed.is_empty() {
        return Err(CliError::new(Exit::ThresholdMissed, format!("a limit was missed: {}", missed.join("; "))));
    }
    Ok(())
}

/// All runs, network by network.
fn matrix(arguments: &BenchNetworkArgs) -> Result<Vec<Run>, CliError> {
    let scenarios: Vec<&'static Scenario> = if arguments.ablation {
        ABLATION.iter().filter_map(|name| Scenario::named(name)).collect()
    } else if arguments.scenario.is_empty() {
        SCENARIOS.iter().filter(|scenario| arguments.traces.is_some() || scenario.recording().is_none()).collect()
    } else {
        arguments.scenario.clone()
    };
    let adaptations = if arguments.ablation { variants() } else { vec![Adaptation::default()] };
    let mut runs = Vec::new();
    for scenario in scenarios {
        let link = Arc::new(link(scenario, arguments.traces.as_deref())?);
        for (width, height) in arguments.size.iter().copied() {
            let mut video = VideoSettings::new(width, height, arguments.fps);
            video.bitrate_kbps = arguments.bitrate.or(scenario.bitrate_kbps).unwrap_or(video.bitrate_kbps);
            check_video("--source", &arguments.source, video)?;
            for encoder in arguments.encoder.iter().copied() {
                video.encoder = encoder.into();
                runs.extend(adaptations.iter().map(|adaptation| Run {
                    scenario,
                    link: Arc::clone(&link),
                    video,
                    source: arguments.source.clone(),
                    adaptation: *adaptation,
                    seconds: arguments.seconds.map_or(scenario.seconds, |most| most.min(scenario.seconds)),
                }));
            }
        }
    }
    Ok(runs)
}

fn link(scenario: &Scenario, traces: Option<&Path>) -> Result<crate::sim::LinkConfig, CliError> {
    let usage = |why: String| CliError::new(Exit::Usage, why);
    let link = scenario.link(|file| match traces {
        None => Err(format!("'{}' plays a recording: name the folder that has {file} with --traces", scenario.name)),
        Some(folder) => read_trace(&folder.join(file).to_string_lossy())
            .map_err(|why| format!("{why}; it is looked for in {}", folder.display())),
    });
    link.map_err(|error| usage(error.to_string()))
}
