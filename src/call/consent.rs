//! The proof that a person said yes.

/// An act of the person: a click on "call" or "accept", or the explicit `--auto-accept` of a headless endpoint.
///
/// It is not `Clone`, has no public constructor, and is used up by the state that it opens. Only `ui` and `cli` may
/// make one; `tests/layering.rs` holds that.
///
/// ```compile_fail,E0624
/// let consent = visavis::call::UserConsent::given_by_person();
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct UserConsent(());

impl UserConsent {
    /// To be called where the person's act arrives, and nowhere else.
    #[must_use]
    pub(crate) const fn given_by_person() -> Self {
        Self(())
    }
}
