//! The page of `bench network --html`: one table of all runs, the networks in full, and each run with its plots.

use std::fmt::Write;

use super::call::machine;
use super::{escape, page, pairs, paragraph};
use crate::bench::network::report::{COLUMNS, Cell, NetworkReport};
use crate::bench::network::scenarios::{Scenario, Service};

/// The whole page; `sections` are the runs' parts, in their order.
#[must_use]
pub fn network_page(report: &NetworkReport, sections: &[String]) -> String {
    let mut body = report.cells.iter().find_map(|cell| cell.call.as_ref()).map(machine).unwrap_or_default();
    if !report.complete {
        body += "<p class=\"bad\">Not all that was asked for was run.</p>\n";
    }
    if report.cells.iter().any(|cell| cell.shortened) {
        body += &paragraph("Shortened runs are no figures of their scenario, and no limit is held against them.");
    }
    body += "<h2>All runs</h2>\n";
    body += &table(&report.cells);
    body += "<h2>What the columns mean</h2>\n";
    body += &pairs(&COLUMNS.map(|(name, meaning)| (name, meaning.to_owned())));
    body += "<h2>The networks</h2>\n";
    body +=
        &paragraph(&format!("Impaired: {}. Steps, outages and recordings start {}.", report.direction, report.offset));
    body += &paragraph(report.paper);
    for scenario in &report.scenarios {
        let _ = writeln!(body, "<h3>{}: {}</h3>", escape(scenario.name), escape(scenario.what));
        body += &pairs(&described(scenario));
    }
    for (number, (cell, section)) in report.cells.iter().zip(sections).enumerate() {
        let _ = writeln!(body, "<h2 id=\"run-{number}\">{}</h2>\n{}{section}", escape(&cell.title), verdicts(cell));
    }
    page("Visavis: a call over bad networks", &body)
}

fn table(cells: &[Cell]) -> String {
    let mut table = String::from("<div class=\"wide\"><table>\n<tr><th>run</th>");
    for (name, _) in COLUMNS {
        let _ = write!(table, "<th class=\"number\">{}</th>", escape(name));
    }
    table += "<th>limits</th></tr>\n";
    for (number, cell) in cells.iter().enumerate() {
        let _ = write!(table, "<tr><td><a href=\"#run-{number}\">{}</a></td>", escape(&cell.title));
        for value in cell.values() {
            let _ = write!(table, "<td class=\"number\">{}</td>", escape(&value));
        }
        let (class, word) = match (&cell.error, cell.targets.is_empty(), cell.holds()) {
            (Some(_), ..) => ("bad", "broke"),
            (None, true, _) => ("dim", "none"),
            (None, false, true) => ("good", "met"),
            (None, false, false) => ("bad", "missed"),
        };
        let _ = writeln!(table, "<td class=\"{class}\">{word}</td></tr>");
    }
    table + "</table></div>\n"
}

fn verdicts(cell: &Cell) -> String {
    let mut lines = String::new();
    for verdict in &cell.targets {
        let class = if verdict.met { "good" } else { "bad" };
        let _ = writeln!(lines, "<p class=\"{class}\">{}</p>", escape(&verdict.to_string()));
    }
    lines
}

fn described(scenario: &Scenario) -> Vec<(&'static str, String)> {
    let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
    let mut rows = vec![
        ("there and back", format!("{} ms without queues", scenario.delay_ms * 2)),
        (
            "rate",
            match scenario.rate {
                None => "no limit".to_owned(),
                Some(Service::Rate(rate)) => rate.to_owned(),
                Some(Service::Recording(file)) => format!("as recorded: {file}"),
            },
        ),
        ("queue", or_none(scenario.queue)),
        ("losses", or_none(scenario.loss)),
        ("on and off", or_none(scenario.outages)),
        ("company", scenario.company.map_or_else(|| "none".to_owned(), |company| company.to_string())),
        ("seed", scenario.seed.to_string()),
        ("seconds", scenario.seconds.to_string()),
        ("as --link has it", scenario.link_text()),
    ];
    rows.extend(
        scenario
            .paper
            .map(|(p95_ms, differs)| ("the paper's best", format!("signal delay p95 {p95_ms} ms; {differs}"))),
    );
    rows
}
