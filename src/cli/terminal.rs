//! Whoever sits at the terminal: asked whether to take a call, for as long as it rings.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Lines that may wait; what comes beyond them is lost, as on any door that nobody stands at.
const LINES: usize = 16;
/// How often it is looked whether it still rings.
const NAP: Duration = Duration::from_millis(20);

/// The terminal's lines, read by a thread of its own from the beginning: what was typed before a question answers nothing.
pub struct Terminal {
    lines: Receiver<String>,
}

impl Terminal {
    /// Reads from now on.
    pub fn open() -> io::Result<Self> {
        Ok(Self { lines: listen(io::BufReader::new(io::stdin()))? })
    }

    /// Yes or no; nothing if nobody says either while `rings` holds, or the input has ended.
    pub fn ask(&self, question: &str, rings: impl FnMut() -> bool) -> Option<bool> {
        answer(&self.lines, question, rings)
    }
}

fn listen(input: impl BufRead + Send + 'static) -> io::Result<Receiver<String>> {
    let (tell, lines) = sync_channel(LINES);
    let read = move || {
        for line in input.lines().map_while(Result::ok) {
            let _ = tell.try_send(line);
        }
    };
    Builder::new().name("terminal".into()).spawn(read)?;
    Ok(lines)
}

/// What was typed before the question answers nothing.
fn answer(lines: &Receiver<String>, question: &str, mut rings: impl FnMut() -> bool) -> Option<bool> {
    while lines.try_recv().is_ok() {}
    eprint!("{question} [y/n] ");
    loop {
        match lines.recv_timeout(NAP) {
            Ok(line) => match line.trim().to_lowercase().as_str() {
                "y" | "yes" => return Some(true),
                "n" | "no" => return Some(false),
                _ => eprint!("please type y or n: "),
            },
            Err(RecvTimeoutError::Timeout) if rings() => {}
            Err(_) => {
                // What is said next begins a line.
                eprintln!();
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn typed(text: &str) -> Option<bool> {
        let (tell, lines) = sync_channel(LINES);
        let mut later = Some(text.to_owned());
        // Typed once the question stands.
        answer(&lines, "accept?", || {
            later.take().into_iter().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).for_each(
                |line| {
                    tell.send(line).unwrap();
                },
            );
            true
        })
    }

    #[test]
    fn yes_and_no_are_understood_in_words_and_letters_and_nothing_else_is_taken_for_either() {
        for (text, said) in [("y", true), (" YES ", true), ("n", false), ("No", false), ("\nwhat?\nyes", true)] {
            assert_eq!(typed(text), Some(said), "{text}");
        }
    }

    #[test]
    fn what_was_typed_for_an_earlier_call_answers_no_later_one_and_the_end_of_input_is_no_answer() {
        let (tell, lines) = sync_channel(LINES);
        tell.send("y".to_owned()).unwrap();
        assert_eq!(answer(&lines, "accept?", || false), None, "it has stopped ringing");
        drop(tell);
        assert_eq!(answer(&lines, "accept?", || true), None);
        let ended = listen(Cursor::new("")).unwrap();
        assert_eq!(answer(&ended, "accept?", || true), None);
    }
}
