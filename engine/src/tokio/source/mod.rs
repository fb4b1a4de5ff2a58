//! Sources that submit to kernel AIO for themselves.

mod aio;
mod event;
mod reactor;
mod registry;
mod submitter;

pub use self::aio::Aio;
pub use self::event::AioEvent;
pub use self::reactor::AioReactor;
pub use self::submitter::Submitter;

/// What [`Aio`] makes a future of: something that has memory and files, and words its own requests.
///
/// It is the counterpart of the trait of the same name that Tokio has for FreeBSD, as far as Linux has one. There, a control
/// block carries its own notification, and its result; here, one eventfd tells of all requests of a context, and the results are in the
/// context's ring. So a source submits to the [`Submitter`] of its [`AioReactor`], which notes for whom each result is, and the results
/// come with the [`AioEvent`]. Requests cannot be cancelled, so a source that is dropped too early is kept until they are done.
///
/// # Safety
///
/// From a [`submit`](Self::submit) that has added requests until their event is there, or the source is dropped:
///
/// 1. Memory that they name is valid for what they do, and nobody else touches it, whatever is done with the source
///    through `&`, and however often it is moved: it is not part of the value itself. Nobody calls a
///    method of this trait meanwhile.
/// 2. Their files stay open.
///
/// Leaking the source keeps that up for ever.
pub unsafe trait AioSource: Send + 'static {
    /// Tells the source under which token its events come.
    fn register(&mut self, token: u64);

    /// Tells the source that no more events come.
    fn deregister(&mut self);

    /// Adds the requests: exactly one for [`Aio::new_for_aio`], one or more for [`Aio::new_for_lio`].
    ///
    /// The reactor is locked meanwhile; do not call it.
    ///
    /// # Errors
    ///
    /// What the submitter says. Requests that were added before the error are carried out all the same.
    fn submit(&mut self, submitter: &mut Submitter<'_>) -> std::io::Result<()>;
}
