//! Reports for people: one HTML file that needs nothing else, neither scripts nor fonts nor a network. Plots are inline SVG; light
//! and dark go by the reader's own setting.

pub mod call;
pub mod network;
mod svg;

use std::fmt::Write;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2126;--dim:#5b6670;--line:#d9dee3;--paper:#fff;--panel:#f5f7f9;\
--one:#1769aa;--two:#c0570b;--three:#2e7d4f;--soft:#1769aa33;--good:#2e7d4f;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--dim:#9aa5af;--line:#3a4249;--paper:#14181c;--panel:#1d2328;\
--one:#6ab4f0;--two:#f0a35c;--three:#74c795;--soft:#6ab4f033;--good:#74c795;--bad:#f2908a}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1080px;margin:0 auto;padding:24px}\
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}h3{font-size:15px;margin:16px 0 4px}\
p{margin:4px 0}.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:8px 0}\
th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:600;color:var(--dim)}.number{text-align:right;white-space:nowrap}a{color:var(--one)}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:12px}\
figure{margin:0;background:var(--panel);border-radius:8px;padding:12px}figcaption{font-size:13px;color:var(--dim)}\
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--dim)}svg .name{fill:var(--ink)}\
.grid{stroke:var(--line);stroke-width:1}.one{stroke:var(--one)}.two{stroke:var(--two)}.three{stroke:var(--three)}\
.line{fill:none;stroke-width:1.5;stroke-linejoin:round}.fill-one{fill:var(--one)}.fill-two{fill:var(--two)}.fill-soft{fill:var(--soft)}\
.key{display:inline-block;width:18px;height:3px;margin:0 6px 3px 0;vertical-align:middle}.key.one{background:var(--one)}\
.key.two{background:var(--two)}.key.three{background:var(--three)}.key.soft{background:var(--soft);height:10px}\
@media print{body{max-width:none}}";

/// A whole page; the title is text, the body HTML.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// A paragraph of plain text.
#[must_use]
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// Two columns: what it is, and how much.
fn pairs(rows: &[(&str, String)]) -> String {
    let mut table = String::from("<table>\n");
    for (name, value) in rows {
        let _ = writeln!(table, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    table + "</table>\n"
}

/// A table with a heading; the first column is words, the others numbers.
fn columns(heading: &[&str], rows: &[Vec<String>]) -> String {
    let row = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::from("<tr>");
        for (number, cell) in cells.enumerate() {
            let class = if number == 0 { "" } else { " class=\"number\"" };
            let _ = write!(line, "<{tag}{class}>{}</{tag}>", escape(cell));
        }
        line + "</tr>\n"
    };
    let mut table = String::from("<div class=\"wide\"><table>\n");
    table += &row("th", &mut heading.iter().copied());
    for cells in rows {
        table += &row("td", &mut cells.iter().map(String::as_str));
    }
    table + "</table></div>\n"
}

/// Text that is text wherever it stands, in attributes too. Control characters have no place in a document.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(' '),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_tag() {
        let hostile = "<script>alert('x')</script>\"&\u{7}\n";
        assert_eq!(escape(hostile), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\u{fffd} ");
        let page = page(hostile, &(paragraph(hostile) + &pairs(&[(hostile, hostile.to_owned())])));
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn a_page_asks_for_nothing_elsewhere() {
        let page = page("x", "");
        for word in ["http", "url(", "src=", "@import", "<link", "<script"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
