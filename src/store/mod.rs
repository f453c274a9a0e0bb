//! What is kept on disk: the client's profile and the server's database.

#[cfg(feature = "client")]
pub mod door;
#[cfg(feature = "client")]
pub mod keyring;
#[cfg(feature = "client")]
pub mod profile;
#[cfg(feature = "server")]
pub mod server_db;
#[cfg(feature = "client")]
pub mod vault;
