//! Codes before the camera: the camera runs while the person has the scanning screen open and is closed with it.

use super::App;
use crate::call::UserConsent;
use crate::engine::handle::{CallView, Command, DEVICE_CODE_PREFIX, Secret};
use crate::media::VideoFrame;
use crate::ui::action::{Action, Purpose};
use crate::ui::icons;
use crate::ui::screens::compare;
use crate::ui::screens::scan::Scan;
use crate::wire::link::ContactLink;

impl App {
    /// The click on the scanning button is the act of the person that opens the camera.
    pub(super) fn start_scan(&mut self, purpose: Purpose) -> Command {
        self.scan = Scan::start(purpose);
        Command::StartPreview { consent: UserConsent::given_by_person() }
    }

    /// Ends looking for codes; the camera is closed.
    pub(super) fn stop_scan(&mut self) -> Command {
        self.scan = None;
        self.local.clear();
        Command::StopPreview
    }

    /// Ends looking for codes when its screen is left or a call begins.
    pub(super) fn attend_scan(&mut self) {
        let Some(scan) = &self.scan else { return };
        if self.page != scan.purpose.page() || self.snapshot.call != CallView::Idle {
            let command = self.stop_scan();
            let _ = self.handle.send(command);
        }
    }

    /// Shows an own picture to the reader.
    pub(super) fn read_code(&mut self, frame: &VideoFrame) {
        if let Some(scan) = &mut self.scan {
            scan.reader.show(&frame.picture);
        }
    }

    /// What is to be done about the code that was read, if one was.
    pub(super) fn poll_code(&mut self, time_s: f64) -> Option<Action> {
        let scan = self.scan.as_mut()?;
        let text = scan.reader.poll()?;
        let (found, problem) = match (scan.purpose, &self.snapshot.comparison) {
            (Purpose::Add, _) => match text.parse::<ContactLink>() {
                Ok(_) => (Some(Action::AddContact(text)), None),
                Err(_) => (None, Some("this is no contact link; on the other device, open \"Show my link\"")),
            },
            (Purpose::Compare, Some(comparison)) => match compare::scanned(&text, &comparison.number) {
                Some(true) => {
                    let (handle, verified) = (comparison.handle.clone(), true);
                    (Some(Action::SetVerified { handle, verified }), None)
                }
                Some(false) => {
                    (None, Some("The numbers are NOT the same: somebody may stand between you. Do not trust it."))
                }
                None => (None, Some("this is no safety number; on the other device, open \"Compare safety number\"")),
            },
            (Purpose::Compare, None) => (None, None),
            (Purpose::LinkDevice, _) if text.starts_with(DEVICE_CODE_PREFIX) => {
                (Some(Action::ReadLink(Secret::new(text))), None)
            }
            (Purpose::LinkDevice, _) => {
                (None, Some("this is no device's code; on the new device, choose \"Link to another device\""))
            }
        };
        scan.problem = problem;
        let action = found?;
        let words = match scan.purpose {
            Purpose::Add => "The link was read",
            Purpose::Compare => "The numbers are the same",
            Purpose::LinkDevice => "The code was read",
        };
        self.toast.say(icons::DONE, words, time_s);
        let command = self.stop_scan();
        let _ = self.handle.send(command);
        Some(action)
    }
}
