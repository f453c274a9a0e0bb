//! What control does for the account: asks the server, shows what came of it, and forgets who it was.

use std::sync::Arc;

use super::Control;
use crate::engine::account::{self, AccountCommand, AccountView, Offer};
use crate::engine::secret::Secret;
use crate::engine::session::Event;
use crate::net::client::ConnectError;
use crate::wire::signal::{Refusal, ToClient, ToServer};

impl Control {
    /// The person asks something for their account.
    pub(super) fn handle_account(&mut self, command: AccountCommand) {
        self.account.failure = None;
        match command {
            AccountCommand::Look => self.ask_account(ToServer::AskSecondFactor),
            AccountCommand::OfferSecret => {
                let handle = self.identity.as_ref().map_or("", |identity| identity.handle());
                self.account.offer = Some(Offer::new(handle, &mut rand::rng()));
            }
            AccountCommand::Enable { code } => {
                if let Some(offer) = &self.account.offer {
                    self.ask_account(offer.request(code.expose()));
                }
            }
            AccountCommand::Disable { code } => {
                self.ask_account(ToServer::DisableTotp { code: code.expose().to_owned() });
            }
            AccountCommand::PutAway => {
                self.account.offer = None;
                self.account.recovery_codes = Arc::default();
            }
            AccountCommand::Delete { code } => {
                if self.is_idle() {
                    self.ask_account(ToServer::Delete { code: code.map(|code| code.expose().to_owned()) });
                } else {
                    self.account.failure = Some("the account cannot be deleted during a call".into());
                }
            }
            AccountCommand::Register { code } => {
                self.account.wants_code = false;
                self.code = Some(code);
                self.go_online();
            }
        }
    }

    /// The server has answered, or not.
    pub(super) fn handle_account_answer(&mut self, request: &ToServer, answer: Result<ToClient, ConnectError>) {
        self.account.asking = false;
        match (request, answer) {
            (_, Ok(ToClient::SecondFactor { recovery_left })) => self.account.second_factor = Some(recovery_left),
            (_, Ok(ToClient::RecoveryCodes(codes))) => {
                self.account.offer = None;
                self.account.second_factor = Some(Some(codes.len() as u8));
                self.account.recovery_codes = codes.into_iter().map(Secret::new).collect();
            }
            (ToServer::DisableTotp { .. }, Ok(ToClient::Done)) => self.account.second_factor = Some(None),
            (ToServer::Delete { .. }, Ok(ToClient::Done)) => self.forget_account(),
            (_, Ok(_)) => self.account.failure = Some(ConnectError::Lost.to_string().into()),
            (_, Err(error)) => self.account.failure = Some(error.to_string().into()),
        }
    }

    /// Whether the server refuses to register this device for want of a code.
    pub(super) fn note_refusal(&mut self, error: &ConnectError) {
        use Refusal::{CodeLocked, CodeNeeded, CodeWrong};
        if matches!(error, ConnectError::Refused(CodeNeeded | CodeWrong | CodeLocked { .. })) {
            self.account.wants_code = true;
        }
    }

    fn ask_account(&mut self, request: ToServer) {
        let (Some(identity), Some(server)) = (&self.identity, self.server.clone()) else { return };
        let (device, events) = (identity.device().clone(), self.events.clone());
        self.account.asking = true;
        tokio::spawn(async move {
            let answer = account::ask(&server, &device, &request).await;
            let _ = events.send(Event::Account(request, answer)).await;
        });
    }

    /// The account is no more: this is a profile without one, as at the first start. Its contacts stay.
    fn forget_account(&mut self) {
        let forgotten = self.profile.forget_account();
        self.tell_error(forgotten);
        self.be_nobody();
        self.account = AccountView::default();
        self.contacts.forget_presence();
    }
}
