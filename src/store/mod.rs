//! What is kept on disk: the client's profile and the server's database.
