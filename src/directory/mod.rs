//! Accounts, device chains, presence and the rules of the invitation mailbox. Sans-IO.
